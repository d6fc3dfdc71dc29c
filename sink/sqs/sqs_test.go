package sqs_test

import (
	"bytes"
	"context"
	"crypto/md5" // as SQS answers
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/sqs"
)

// fake is SQS as far as a sink sees it: it keeps what is sent, and breaks what it
// is told to.
type fake struct {
	t   *testing.T
	cfg aws.Config
	url string

	mu       sync.Mutex
	bodies   []string
	requests []int                                    // bytes of bodies in each
	refuse   func(request, entry int) (code string)   // of an entry; "" takes it
	fail     func(request int) (status int, c string) // of a request; 0 serves it
}

type sent struct {
	Entries []struct{ ID, MessageBody string }
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL + "/000000000000/results"
	f.cfg = config(server.URL)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetQueueAttributes") {
		fmt.Fprint(w, `{"Attributes":{"MaximumMessageSize":"262144"}}`)
		return
	}
	n := len(f.requests)
	var in sent
	if !assert.NoError(f.t, json.NewDecoder(r.Body).Decode(&in)) {
		return
	}
	size := 0
	for _, e := range in.Entries {
		size += len(e.MessageBody)
	}
	f.requests = append(f.requests, size)
	if f.fail != nil {
		if status, code := f.fail(n); status != 0 {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"__type":"com.amazonaws.sqs#%s","message":"of the test"}`, code)
			return
		}
	}
	out := map[string][]map[string]any{"Successful": {}, "Failed": {}}
	for i, e := range in.Entries {
		if f.refuse != nil {
			if code := f.refuse(n, i); code != "" {
				out["Failed"] = append(out["Failed"], map[string]any{"Id": e.ID, "Code": code, "Message": "of the test", "SenderFault": false})
				continue
			}
		}
		f.bodies = append(f.bodies, e.MessageBody)
		sum := md5.Sum([]byte(e.MessageBody))
		out["Successful"] = append(out["Successful"], map[string]any{"Id": e.ID, "MessageId": "m", "MD5OfMessageBody": hex.EncodeToString(sum[:])})
	}
	assert.NoError(f.t, json.NewEncoder(w).Encode(out))
}

func (f *fake) open(o sqs.Options) *sqs.Sink {
	s, err := sqs.Open(f.t.Context(), f.cfg, f.url, o)
	require.NoError(f.t, err)
	s.Hasten()
	f.t.Cleanup(func() { assert.NoError(f.t, s.Close()) })
	return s
}

func begin(t *testing.T, s sink.Sink, rows string) sink.Part {
	p, err := s.Open(t.Context(), sink.Attempt{Run: "run", PID: schema.PIDOf("run", schema.Place{}), ID: 0xABC})
	require.NoError(t, err)
	require.NoError(t, p.Write(t.Context(), sink.Rows, []byte(rows), strings.Count(rows, "\n")))
	return p
}

func commit(t *testing.T, p sink.Part) error {
	_, err := p.Commit(t.Context(), true, schema.Account{Nodes: 1})
	return err
}

var ndjson = sqs.Options{Format: inventory.NDJSON, MessageBytes: 1 << 10}

// A reader of the queue learns whose rows a message has, and puts them in order.
func TestMessagesSayWhoseRowsTheyHave(t *testing.T) {
	o := newOutlet(t, elasticmq.URL(t))
	s := o.open(t, sqs.Options{Format: inventory.Keys, MessageBytes: 1 << 10})
	var rows strings.Builder
	for i := range 500 {
		fmt.Fprintf(&rows, "key %05d\n", i)
	}
	p := begin(t, s, rows.String())
	require.NoError(t, p.Write(t.Context(), sink.Rows, []byte("not \xff UTF-8\n"), 1))
	got, err := p.Commit(t.Context(), true, schema.Account{Nodes: 7})
	require.NoError(t, err)
	assert.EqualValues(t, 7, got.Nodes, "nobody arbitrates: a leaf settles its own account")

	messages := o.messages(t)
	require.Greater(t, len(messages), 5)
	var all strings.Builder
	for i, m := range messages {
		want := map[string]string{
			sqs.AttrRun: "run", sqs.AttrNode: schema.PIDOf("run", schema.Place{}).String(), sqs.AttrAttempt: "0000000000000abc",
			sqs.AttrStream: "rows", sqs.AttrPart: fmt.Sprint(i + 1), sqs.AttrFormat: "keys",
		}
		size := len(*m.Body)
		if i == len(messages)-1 {
			want[sqs.AttrEncoding] = "base64"
		} else {
			all.WriteString(*m.Body)
		}
		assert.Len(t, m.MessageAttributes, len(want))
		for name, value := range want {
			assert.Equal(t, value, attr(m, name), name)
			size += len(name) + len("String") + len(value)
		}
		assert.LessOrEqual(t, size, 1<<10, "with its attributes")
		assert.True(t, i == len(messages)-1 || strings.HasSuffix(*m.Body, "\n"), "rows are whole")
	}
	assert.True(t, strings.HasPrefix(rows.String(), all.String()))
	assert.Len(t, o.rows(t), 501)
	sum, err := s.Finish(t.Context(), func(func(sink.Committed, error) bool) {})
	require.NoError(t, err)
	assert.Equal(t, sink.Summary{Location: *o.url}, sum)
}

// Of a request that half fails the failed half is sent again, and nothing else.
func TestOnlyWhatFailedIsSentAgain(t *testing.T) {
	f := newFake(t)
	f.refuse = func(request, entry int) string {
		if request < 3 && entry%2 == 1 {
			return "InternalError"
		}
		return ""
	}
	s := f.open(ndjson)
	var rows strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&rows, "{%05d}\n", i)
	}
	require.NoError(t, commit(t, begin(t, s, rows.String())))
	got := strings.Join(f.bodies, "")
	assert.Len(t, got, rows.Len(), "nothing twice")
	for line := range strings.Lines(rows.String()) {
		assert.Contains(t, got, line)
	}
}

func TestRequestsThatFailAreSentAgain(t *testing.T) {
	f := newFake(t)
	f.fail = func(request int) (int, string) {
		if request < 5 {
			return http.StatusServiceUnavailable, "ServiceUnavailable"
		}
		return 0, ""
	}
	require.NoError(t, commit(t, begin(t, f.open(ndjson), "{}\n")))
	assert.Equal(t, []string{"{}\n"}, f.bodies)
	assert.Len(t, f.requests, 6)
}

func TestSendingEndsWithTheContext(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.fail = func(request int) (int, string) {
		if request == 3 {
			cancel()
		}
		return http.StatusServiceUnavailable, "ServiceUnavailable"
	}
	_, err := begin(t, f.open(ndjson), "{}\n").Commit(ctx, true, schema.Account{})
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, sink.ErrFull)
}

func TestHopelessErrorsNameTheWayOut(t *testing.T) {
	for code, says := range map[string]string{
		"QueueDoesNotExist":     "make the queue",
		"AccessDeniedException": "allow sqs:SendMessage",
		"KmsAccessDenied":       "kms:GenerateDataKey",
		"ExpiredToken":          "AWS_PROFILE",
	} {
		f := newFake(t)
		f.fail = func(int) (int, string) { return http.StatusBadRequest, code }
		err := commit(t, begin(t, f.open(ndjson), "{}\n"))
		require.ErrorIs(t, err, sink.ErrFull)
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, "queue results")
		assert.NotContains(t, err.Error(), "\n")
		assert.Len(t, f.requests, 1)
	}
	f := newFake(t)
	f.refuse = func(int, int) string { return "InvalidMessageContents" }
	require.ErrorIs(t, commit(t, begin(t, f.open(ndjson), "{}\n")), sink.ErrFull)
}

// What an attempt holds does not grow with its unit: rows are sent before Commit.
func TestLargeUnitIsSentInParts(t *testing.T) {
	f := newFake(t)
	s := f.open(sqs.Options{Format: inventory.NDJSON})
	row := []byte(`{"` + strings.Repeat("x", 1000) + `"}` + "\n")
	p := begin(t, s, "")
	block := bytes.Repeat(row, 1000)
	for range 20 {
		require.NoError(t, p.Write(t.Context(), sink.Rows, block, 1000))
	}
	size := func() (n int) {
		for _, b := range f.bodies {
			n += len(b)
		}
		return n
	}
	assert.Greater(t, size(), 20*len(block)-9<<20)
	for i, n := range f.requests {
		assert.LessOrEqual(t, n, 1<<20, "request %d", i)
	}
	for _, b := range f.bodies {
		assert.LessOrEqual(t, len(b), 240<<10)
	}
	before := size()
	p.Abort()
	assert.Equal(t, before, size())
	require.Error(t, commit(t, p))
}

func TestRowLongerThanAMessage(t *testing.T) {
	f := newFake(t)
	err := commit(t, begin(t, f.open(ndjson), strings.Repeat("x", 2000)+"\n"))
	require.ErrorIs(t, err, sink.ErrFull)
	require.ErrorContains(t, err, "a row of 2001 bytes")
	assert.Empty(t, f.requests)
}

func TestOpenRefuses(t *testing.T) {
	f := newFake(t)
	for _, c := range []struct {
		url, says string
		options   sqs.Options
	}{
		{"results", `queue URL is "results"`, ndjson},
		{f.url + ".fifo", "is a FIFO queue", ndjson},
		{f.url, "format parquet does not go into messages", sqs.Options{Format: inventory.Parquet}},
		{f.url, "messages of 2097152 bytes", sqs.Options{Format: inventory.CSV, MessageBytes: 2 << 20}},
	} {
		_, err := sqs.Open(t.Context(), f.cfg, c.url, c.options)
		require.ErrorContains(t, err, c.says)
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			o := newOutlet(t, start(t))
			_, err := sqs.Open(t.Context(), o.cfg, *o.url+"-not", ndjson)
			require.ErrorIs(t, err, sink.ErrFull)
			require.ErrorContains(t, err, "make the queue")
		})
	}
}

// The message goes before the inner sink commits: who dies in between sends again.
func TestRowsAreSentBeforeTheUnitCounts(t *testing.T) {
	f := newFake(t)
	o := ndjson
	o.Inner = &watched{Sink: sink.Discard{}, commit: func() { assert.Len(t, f.bodies, 1) }}
	require.NoError(t, commit(t, begin(t, f.open(o), "{}\n")))
	assert.Equal(t, 1, o.Inner.(*watched).commits)

	f.fail = func(int) (int, string) { return http.StatusForbidden, "AccessDenied" }
	require.Error(t, commit(t, begin(t, f.open(o), "{}\n")))
	assert.Equal(t, 1, o.Inner.(*watched).commits, "rows that were not sent do not count")
}

type watched struct {
	sink.Sink
	commit  func()
	commits int
}

func (w *watched) Open(ctx context.Context, a sink.Attempt) (sink.Part, error) {
	p, err := w.Sink.Open(ctx, a)
	return watchedPart{p, w}, err
}

type watchedPart struct {
	sink.Part
	w *watched
}

func (p watchedPart) Commit(ctx context.Context, leaf bool, own schema.Account) (schema.Account, error) {
	p.w.commits++
	p.w.commit()
	return p.Part.Commit(ctx, leaf, own)
}
