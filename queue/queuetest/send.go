package queuetest

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
)

func limitsStay(s *suite) {
	l := s.Limits()
	require.Positive(s, l.Batch, "Batch")
	require.Positive(s, l.Body, "Body")
	require.Positive(s, l.Visibility, "Visibility")
	require.GreaterOrEqual(s, l.Delay, time.Duration(0), "Delay")
	s.postBodies(names(3)...)
	require.Equal(s, l, s.Limits())
}

func roundTrip(s *suite) {
	eight := map[string]string{}
	for i := range 8 {
		eight[fmt.Sprintf("name-%d_x.y", i)] = fmt.Sprintf("value %d: é 日本 🌲 \"<&>\" \t\n '%%s'", i)
	}
	entries := []queue.Entry{
		{Body: []byte("1")},
		{Body: []byte(` {"id":"s3://bucket/a b+c%2F//é日本🌲","n":[1,2]} `)},
		{Body: []byte("quotes ' \" ` and \\ and <&>; and --")},
		{Body: []byte("lines\nand\ttabs\r\nend\n")},
		{Body: []byte("no-break\u00a0, separators \u2028\u2029, private \ue000, last \U0010fffd, combining e\u0301")},
		{Body: []byte(strings.Repeat("0123456789abcdef", 4096)), Attrs: map[string]string{"one": "1"}},
		{Body: []byte("with attributes"), Attrs: eight},
		{Body: []byte("with a group"), Group: "run-1"},
		{Body: []byte("with another group"), Group: "run-2", Attrs: map[string]string{"ramify-key": "k", "ramify-sig": "c2ln"}},
	}
	s.post(entries...)
	arrived(s, entries)
}

// arrived receives exactly the entries, whole.
func arrived(s *suite, entries []queue.Entry) {
	s.Helper()
	want := map[string]map[string]string{}
	for _, e := range entries {
		want[string(e.Body)] = e.Attrs
	}
	for _, d := range s.take(len(entries), hold) {
		attrs, ok := want[string(d.Body)]
		require.True(s, ok, "received %.80q (%d bytes), which was not sent", d.Body, len(d.Body))
		require.True(s, maps.Equal(attrs, d.Attrs), "attributes of %.80q: sent %v, received %v", d.Body, attrs, d.Attrs)
	}
	s.none(s.unit)
}

// filled is an entry of size bytes with its attributes.
func filled(size int, attrs map[string]string) queue.Entry {
	e := queue.Entry{Attrs: attrs}
	e.Body = bytes.Repeat([]byte("é"), (size-e.Size())/2)
	if e.Size() < size {
		e.Body = append(e.Body, '.')
	}
	return e
}

func largest(s *suite) {
	limit := s.Limits().Body
	entries := []queue.Entry{
		filled(limit, nil),
		filled(limit, map[string]string{"name": strings.Repeat("v", 1000)}),
		filled(limit-1, nil),
	}
	for _, e := range entries {
		require.LessOrEqual(s, e.Size(), limit)
	}
	s.post(entries...)
	arrived(s, entries)
}

func tooLarge(s *suite) {
	limit := s.Limits().Body
	small := queue.Entry{Body: []byte("small")}
	other := queue.Entry{Body: []byte("other")}
	byAttrs := filled(limit, nil)
	byAttrs.Attrs = map[string]string{"a": ""}
	errs := retry(s, []queue.Entry{filled(limit+1, nil), small, byAttrs, other}, s.Send)
	require.ErrorIs(s, errs[0], queue.ErrTooLarge, "a body one byte too large")
	require.NoError(s, errs[1], "its neighbour")
	require.ErrorIs(s, errs[2], queue.ErrTooLarge, "attributes that make it one byte too large")
	require.NoError(s, errs[3], "its neighbour")
	arrived(s, []queue.Entry{small, other})
}

func invalid(s *suite) {
	small := queue.Entry{Body: []byte("small")}
	nine := map[string]string{}
	for i := range 9 {
		nine[fmt.Sprintf("name-%d", i)] = "value"
	}
	entries := []queue.Entry{
		{},
		small,
		{Body: []byte("too many attributes"), Attrs: nine},
		{Body: []byte("later than can be"), Delay: s.Limits().Delay + time.Second},
		{Body: []byte("before now"), Delay: -time.Second},
	}
	for i, err := range retry(s, entries, s.Send) {
		if i == 1 {
			require.NoError(s, err, "their neighbour")
			continue
		}
		require.ErrorIs(s, err, queue.ErrInvalid, "%q", entries[i].Body)
	}
	arrived(s, []queue.Entry{small})
}

func manyEntries(s *suite) {
	entries := entriesOf(names(3*s.Limits().Batch + 1))
	for i := range entries {
		entries[i].Attrs = map[string]string{"index": fmt.Sprint(i)}
	}
	large := map[int]bool{0: true, s.Limits().Batch: true, len(entries) - 1: true}
	for i := range large {
		entries[i] = filled(s.Limits().Body+1, nil)
	}
	var sent []queue.Entry
	for i, err := range retry(s, entries, s.Send) {
		if large[i] {
			require.ErrorIs(s, err, queue.ErrTooLarge, "entry %d", i)
			continue
		}
		require.NoError(s, err, "entry %d", i)
		sent = append(sent, entries[i])
	}
	arrived(s, sent)
}

func entriesNotKept(s *suite) {
	e := queue.Entry{Body: []byte("as it was"), Attrs: map[string]string{"a": "1"}}
	s.post(e)
	copy(e.Body, "scribbled")
	e.Attrs["a"], e.Attrs["b"] = "2", "3"
	d := s.takeOne(hold)
	require.Equal(s, "as it was", string(d.Body))
	require.Equal(s, map[string]string{"a": "1"}, d.Attrs)
}

func delay(s *suite) {
	wait := 4 * s.unit
	start := time.Now()
	s.post(
		queue.Entry{Body: []byte("late"), Delay: wait},
		queue.Entry{Body: []byte("now")},
		queue.Entry{Body: []byte("also late"), Delay: wait},
	)
	for _, d := range s.take(3, hold) {
		late := time.Since(start)
		if string(d.Body) != "now" {
			require.GreaterOrEqual(s, late, wait-s.slack(), "%q came too early", d.Body)
		}
	}
}

func nothing(s *suite) {
	require.Empty(s, s.Send(s.Context(), nil))
	require.Empty(s, s.Delete(s.Context(), nil))
	require.Empty(s, s.Extend(s.Context(), nil))
	s.none(0)
}

func depth(s *suite) {
	if s.RoughDepth {
		for range 1000 {
			_, err := s.Depth(s.Context())
			if s.lost(err) {
				continue
			}
			require.NoError(s, err)
			return
		}
		require.Fail(s, "depth failed a thousand times")
	}
	s.depthIs(queue.Depth{})
	s.postBodies(names(5)...)
	s.depthIs(queue.Depth{Visible: 5})
	got := s.take(2, hold)
	s.depthIs(queue.Depth{Visible: 3, InFlight: 2})
	s.post(queue.Entry{Body: []byte("late"), Delay: s.Limits().Delay})
	s.depthIs(queue.Depth{Visible: 3, InFlight: 2, Delayed: 1})
	s.giveBack(got[0])
	s.depthIs(queue.Depth{Visible: 4, InFlight: 1, Delayed: 1})
	s.remove(got[1])
	s.depthIs(queue.Depth{Visible: 4, Delayed: 1})
}

// depthIs asks until the answer is right: a depth may lag behind.
func (s *suite) depthIs(want queue.Depth) {
	s.Helper()
	again := time.NewTicker(s.unit)
	defer again.Stop()
	for end := time.Now().Add(patience); ; <-again.C {
		d, err := s.Depth(s.Context())
		require.NoError(s, err)
		if d == want {
			require.Equal(s, want.Visible+want.InFlight+want.Delayed, d.Total())
			return
		}
		require.True(s, time.Now().Before(end), "depth is %+v, want %+v", d, want)
	}
}
