// Package jobqueuetest is the contract of jobqueue.Queues and jobqueue.Past as tests.
// Every implementation runs the suite.
package jobqueuetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/jobqueue"
)

// Subject is an implementation under test, whose queues allow one receive.
type Subject struct {
	jobqueue.Queues
	Past jobqueue.Past
}

// visibility is more than any test takes.
const visibility = 2 * time.Minute

// Run runs the suite; open is called once a test.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for name, test := range map[string]func(*testing.T, Subject){
		"made on demand":     madeOnDemand,
		"sent and received":  sentAndReceived,
		"failed":             failed,
		"held":               held,
		"many":               many,
		"delayed":            delayed,
		"order of a group":   order,
		"sent twice":         sentTwice,
		"refused":            refused,
		"found":              found,
		"removed":            removed,
		"nothing of nowhere": nowhere,
		"closed":             closed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			test(t, s)
		})
	}
}

var names = jobqueue.Names{Prefix: "t_", FailSuffix: "_failed"}

// fresh is a name that no other test has.
func fresh(fifo bool) string {
	name := "t_" + strings.ToLower(rand.Text())
	if fifo {
		name += ".fifo"
	}
	return name
}

func posting(name, body string) jobqueue.Posting {
	p := jobqueue.Posting{Queue: name, Failed: names.Failed(name), Body: []byte(body)}
	if jobqueue.IsFIFO(name) {
		p.Group, p.Dedup = "g", rand.Text()
	}
	return p
}

func send(t *testing.T, s Subject, postings ...jobqueue.Posting) []jobqueue.Sent {
	t.Helper()
	sent := s.Send(t.Context(), postings)
	for i, one := range sent {
		if one.Err != nil {
			t.Fatalf("send %d: %v", i, one.Err)
		}
	}
	return sent
}

// receive receives until there is something, or for so long.
func receive(t *testing.T, s Subject, name string, most int, wait time.Duration) []jobqueue.Delivery {
	t.Helper()
	got, err := s.Receive(t.Context(), name, jobqueue.Request{Max: most, Wait: wait, Visibility: visibility})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

const (
	soon  = 20 * time.Second // in which what is there comes: the longest that SQS waits
	while = time.Second      // in which what is not there does not
)

func one(t *testing.T, s Subject, name string) jobqueue.Delivery {
	t.Helper()
	var got []jobqueue.Delivery
	for tries := 0; len(got) == 0 && tries < 6; tries++ { // a server may be busy
		got = receive(t, s, name, 1, soon)
	}
	if len(got) != 1 {
		t.Fatalf("%d messages, want one", len(got))
	}
	return got[0]
}

func none(t *testing.T, s Subject, name string) {
	t.Helper()
	if got := receive(t, s, name, 10, while); len(got) > 0 {
		t.Fatalf("got %q, want none", got[0].Body)
	}
}

func madeOnDemand(t *testing.T, s Subject) {
	for _, name := range []string{fresh(false), fresh(true)} {
		if sent := send(t, s, posting(name, "a"), posting(name, "b")); !sent[0].Made || sent[1].Made {
			t.Errorf("made %v, %v; want the first alone", sent[0].Made, sent[1].Made)
		}
		if sent := send(t, s, posting(name, "c")); sent[0].Made {
			t.Error("made again")
		}
		got, err := s.Find(t.Context(), strings.TrimSuffix(name, ".fifo")+"*")
		if err != nil {
			t.Fatal(err)
		}
		want := []string{name, names.Failed(name)}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("there are %v, want %v", got, want)
		}
	}
}

func sentAndReceived(t *testing.T, s Subject) {
	name := fresh(false)
	p := posting(name, `{"a": "ä<&>"}`)
	p.Attrs = map[string]string{"ramify-key": "k", "ramify-sig": "x"}
	id := send(t, s, p)[0].ID
	d := one(t, s, name)
	if string(d.Body) != string(p.Body) || d.ID != id || d.Receives != 1 || d.Attrs["ramify-sig"] != "x" || d.Attrs["ramify-key"] != "k" {
		t.Errorf("got %+v, sent %+v as %s", d, p, id)
	}
	none(t, s, name)
	if err := s.Delete(t.Context(), name, d.Receipt); err != nil {
		t.Error(err)
	}
	if err := s.Delete(t.Context(), name, d.Receipt); err != nil {
		t.Errorf("again: %v", err)
	}
}

// What is shown again after one receive is in the failed queue, as it was.
func failed(t *testing.T, s Subject) {
	for _, name := range []string{fresh(false), fresh(true)} {
		id := send(t, s, posting(name, "fails"))[0].ID
		d := one(t, s, name)
		if err := s.Extend(t.Context(), name, d.Receipt, 0); err != nil {
			t.Fatal(err)
		}
		none(t, s, name)
		if d := one(t, s, names.Failed(name)); string(d.Body) != "fails" || d.ID != id {
			t.Errorf("in the failed queue is %+v, want %s", d, id)
		}
	}
}

func held(t *testing.T, s Subject) {
	const lease = 2 * time.Second
	name := fresh(false)
	send(t, s, posting(name, "a"))
	begun := time.Now()
	got, err := s.Receive(t.Context(), name, jobqueue.Request{Max: 1, Wait: soon, Visibility: lease})
	if err != nil || len(got) != 1 {
		t.Fatalf("%d, %v", len(got), err)
	}
	err = s.Extend(t.Context(), name, got[0].Receipt, visibility)
	if time.Since(begun) >= lease { // whoever is that slow may have lost it
		held(t, s)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := receive(t, s, name, 1, lease+time.Second); len(got) > 0 {
		t.Error("it was seen although it is held")
	}
	if d, err := s.Depth(t.Context(), name); err != nil || d.InFlight != 1 || d.Visible != 0 {
		t.Errorf("%+v, %v", d, err)
	}
}

func many(t *testing.T, s Subject) {
	a, b := fresh(false), fresh(false)
	var postings []jobqueue.Posting
	for i := range 25 {
		postings = append(postings, posting(a, fmt.Sprint(i)), posting(b, fmt.Sprint(i)))
	}
	seen := map[string]bool{}
	for _, one := range send(t, s, postings...) {
		seen[one.ID] = true
	}
	if len(seen) != 50 {
		t.Errorf("%d ids, want 50", len(seen))
	}
	bodies := map[string]bool{}
	for len(bodies) < 25 {
		got := receive(t, s, a, 10, soon)
		if len(got) == 0 || len(got) > 10 {
			t.Fatalf("%d messages after %d", len(got), len(bodies))
		}
		for _, d := range got {
			bodies[string(d.Body)] = true
		}
	}
	if d, err := s.Depth(t.Context(), b); err != nil || d.Visible != 25 {
		t.Errorf("%+v, %v", d, err)
	}
}

func delayed(t *testing.T, s Subject) {
	name := fresh(false)
	p := posting(name, "late")
	p.Delay = 3 * time.Second
	begun := time.Now()
	send(t, s, p)
	got := receive(t, s, name, 1, while)
	if len(got) > 0 && time.Since(begun) < p.Delay-time.Second { // delays are of whole seconds
		t.Errorf("%q came after %v", got[0].Body, time.Since(begun))
	}
	if len(got) == 0 {
		got = append(got, one(t, s, name))
	}
	if string(got[0].Body) != "late" {
		t.Errorf("got %q", got[0].Body)
	}
}

// Of a group no message comes before the one ahead of it is deleted; groups do not wait
// for each other.
func order(t *testing.T, s Subject) {
	name := fresh(true)
	in := func(group, body string) jobqueue.Posting {
		p := posting(name, body)
		p.Group = group
		return p
	}
	send(t, s, in("a", "1"), in("a", "2"), in("b", "3"), in("a", "4"))
	var got []string
	for len(got) < 4 {
		first := one(t, s, name)
		if len(got) == 0 {
			other := one(t, s, name)
			if first.Group == other.Group {
				t.Fatalf("%q and %q of group %s at a time", first.Body, other.Body, first.Group)
			}
			none(t, s, name)
			got = append(got, string(other.Body))
			if err := s.Delete(t.Context(), name, other.Receipt); err != nil {
				t.Fatal(err)
			}
		}
		got = append(got, string(first.Body))
		if err := s.Delete(t.Context(), name, first.Receipt); err != nil {
			t.Fatal(err)
		}
	}
	got = slices.DeleteFunc(got, func(s string) bool { return s == "3" })
	if !slices.Equal(got, []string{"1", "2", "4"}) {
		t.Errorf("group a came as %v", got)
	}
}

func sentTwice(t *testing.T, s Subject) {
	name := fresh(true)
	p := posting(name, "once")
	send(t, s, p)
	send(t, s, p)
	d := one(t, s, name)
	if err := s.Delete(t.Context(), name, d.Receipt); err != nil {
		t.Fatal(err)
	}
	none(t, s, name)
}

func refused(t *testing.T, s Subject) {
	name, ordered := fresh(false), fresh(true)
	long, late, nothing := posting(name, strings.Repeat("x", 1<<20+1)), posting(name, "a"), posting(name, "")
	late.Delay = jobqueue.MaxDelay + time.Second
	slow, groupless := posting(ordered, "a"), posting(ordered, "a")
	slow.Delay, groupless.Group = time.Second, ""
	sent := s.Send(t.Context(), []jobqueue.Posting{long, late, nothing, slow, groupless, posting(name, "good")})
	for i, says := range []string{"1048577 bytes", "delay 15m1s", "empty", "FIFO", "group"} {
		if err := sent[i].Err; err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%d: %v, want it to say %q", i, err, says)
		}
	}
	if sent[5].Err != nil {
		t.Errorf("with others: %v", sent[5].Err)
	}
	if _, err := s.Receive(t.Context(), name, jobqueue.Request{Max: 11, Visibility: time.Minute}); !errors.Is(err, jobqueue.ErrInvalid) {
		t.Errorf("eleven at a time: %v", err)
	}
}

func found(t *testing.T, s Subject) {
	name := fresh(false)
	send(t, s, posting(name+"_a", "x"), posting(name+"_b", "x"))
	for pattern, want := range map[string][]string{
		name + "*":    {name + "_a", name + "_a_failed", name + "_b", name + "_b_failed"},
		name + "_a":   {name + "_a"},
		name + "_":    nil,
		name + "_b_*": {name + "_b_failed"},
	} {
		got, err := s.Find(t.Context(), pattern)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", pattern, got, err, want)
		}
	}
}

func removed(t *testing.T, s Subject) {
	name := fresh(false)
	send(t, s, posting(name, "x"))
	if state, err := s.Past.State(t.Context(), name); err != nil || state.Depth.Visible != 1 || state.Failed != names.Failed(name) {
		t.Errorf("%+v, %v", state, err)
	}
	if state, err := s.Past.State(t.Context(), names.Failed(name)); err != nil || state != (jobqueue.State{}) {
		t.Errorf("failed queue: %+v, %v", state, err)
	}
	if err := s.Past.Remove(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Find(t.Context(), name); err != nil || len(got) > 0 {
		t.Errorf("%v, %v", got, err)
	}
	if err := s.Past.Remove(t.Context(), name); !errors.Is(err, jobqueue.ErrNoQueue) {
		t.Errorf("again: %v", err)
	}
}

func nowhere(t *testing.T, s Subject) {
	name := fresh(false)
	if _, err := s.Receive(t.Context(), name, jobqueue.Request{Max: 1, Visibility: time.Minute}); !errors.Is(err, jobqueue.ErrNoQueue) {
		t.Errorf("receive: %v", err)
	}
	if _, err := s.Depth(t.Context(), name); !errors.Is(err, jobqueue.ErrNoQueue) {
		t.Errorf("depth: %v", err)
	}
	if _, err := s.Past.State(t.Context(), name); !errors.Is(err, jobqueue.ErrNoQueue) {
		t.Errorf("state: %v", err)
	}
}

func closed(t *testing.T, s Subject) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), []jobqueue.Posting{posting(fresh(false), "x")})[0].Err; !errors.Is(err, jobqueue.ErrClosed) {
		t.Errorf("send: %v", err)
	}
	if _, err := s.Find(t.Context(), "x"); !errors.Is(err, jobqueue.ErrClosed) {
		t.Errorf("find: %v", err)
	}
}
