package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/processor/webhook"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	protocol "github.com/ramify/ramify/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// poster is an application made of a function.
type poster func(w *protocol.Work) (protocol.Answer, error)

func (p poster) Post(_ context.Context, w *protocol.Work) (protocol.Answer, error) { return p(w) }

func node(args string) *processor.Node {
	key := schema.PIDOf("r", schema.Place{})
	return &processor.Node{Run: "r", Kind: "thumbnails", ID: "a&b", Args: schema.Args(args), Depth: 2, Tries: 1, Key: func() schema.PID { return key }}
}

func TestWhatIsPosted(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var got *protocol.Work
	p := webhook.New(webhook.Options{
		Poster: poster(func(w *protocol.Work) (protocol.Answer, error) { got = w; return protocol.Answer{}, nil }),
		Queue:  "jobs", Now: func() time.Time { return now },
	})
	n := node(`{"width": 10, "webhook": {"path": "/p", "task": "audit", "at": "then"}}`)
	result, err := processortest.Run(t.Context(), p, n)
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{"post": 1}, result.Requests)
	assert.Contains(t, result.Streams, sink.Rows, "it writes also without rows")
	key := n.Key().String()
	assert.Equal(t, &protocol.Work{
		ID: key, Queue: "jobs", Received: now, Receives: 2, Task: "audit", At: "then", Path: "/p",
		Attrs: map[string]string{"Ramify-Run": "r", "Ramify-Kind": "thumbnails"},
		Body: []byte(`{"v":1,"run":"r","kind":"thumbnails","id":"a&b","key":"` + key + `","args":` +
			`{"width":10,"webhook":{"path":"/p","task":"audit","at":"then"}},"depth":2,"epoch":0,"tries":1}`),
	}, got)

	n.Epoch = 1
	_, err = processortest.Run(t.Context(), p, n)
	require.NoError(t, err)
	assert.Equal(t, key+"-1", got.ID, "redriven, it is another piece of work")
}

func TestWhatIsAnswered(t *testing.T) {
	p := webhook.New(webhook.Options{Poster: poster(func(*protocol.Work) (protocol.Answer, error) {
		return protocol.Answer{
			Children: []protocol.Child{{ID: "c", Args: schema.Args(`{"n": 1}`), Weight: 3}, {Kind: "other", ID: "d"}},
			Rows:     []json.RawMessage{[]byte("{\n\"a\": 1}"), []byte(`{}`)},
			Objects:  5, Bytes: 6,
		}, nil
	})})
	result, err := processortest.Run(t.Context(), p, node(""))
	require.NoError(t, err)
	assert.Equal(t, []processor.Child{{ID: "c", Args: schema.Args(`{"n": 1}`), Weight: 3}, {Kind: "other", ID: "d"}}, result.Children)
	assert.Equal(t, "{\"a\":1}\n{}\n", string(result.Streams[sink.Rows].Bytes()))
	assert.Equal(t, 2, result.Streams[sink.Rows].Rows)
	assert.EqualValues(t, 5, result.Objects)
	assert.EqualValues(t, 6, result.Bytes)
}

func TestFailures(t *testing.T) {
	for name, test := range map[string]struct {
		err       error
		permanent bool
		after     time.Duration
	}{
		"500":           {&protocol.StatusError{Code: 500, Reason: "no room"}, false, 0},
		"404":           {&protocol.StatusError{Code: 404, Reason: "no kind"}, false, 0},
		"503, later":    {&protocol.StatusError{Code: 503, Reason: "busy", After: time.Minute}, false, time.Minute},
		"give up":       {&protocol.StatusError{Code: 500, Reason: "no picture", GiveUp: true}, true, 0},
		"unreachable":   {protocol.ErrUnreachable, false, 0},
		"a bad answer":  {protocol.ErrAnswer, true, 0},
		"anything else": {errors.New("reset"), false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := webhook.New(webhook.Options{Poster: poster(func(*protocol.Work) (protocol.Answer, error) { return protocol.Answer{}, test.err })})
			_, err := processortest.Run(t.Context(), p, node(""))
			require.ErrorIs(t, err, test.err)
			assert.Equal(t, test.permanent, processor.IsPermanent(err))
			assert.Equal(t, test.after, processor.WantedAfter(err))
		})
	}
}

func TestBadInput(t *testing.T) {
	never := poster(func(*protocol.Work) (protocol.Answer, error) { panic("it was asked") })
	for args, want := range map[string]string{
		`{"webhook": {"path": "http://elsewhere/"}}`: `path is "http://elsewhere/"`,
		`{"webhook": {"path": "/../x"}}`:             `path is "/../x"`,
		`{"webhook": {"url": "http://elsewhere/"}}`:  `unknown field "url"`,
		`{"webhook": {"at": "now"}}`:                 `at is "now", want none without task`,
		`{"webhook": 1}`:                             "read args: webhook",
	} {
		_, err := processortest.Run(t.Context(), webhook.New(webhook.Options{Poster: never}), node(args))
		require.ErrorContains(t, err, want)
		assert.True(t, processor.IsPermanent(err))
	}
	_, err := processortest.Run(t.Context(), webhook.New(webhook.Options{}), node(""))
	require.ErrorContains(t, err, "set --webhook-url")
	assert.True(t, processor.IsPermanent(err))
	for _, a := range []protocol.Answer{
		{Children: []protocol.Child{{ID: strings.Repeat("x", 5000)}}},
		{Children: []protocol.Child{{ID: "x", Kind: "No Kind"}}},
	} {
		p := webhook.New(webhook.Options{Poster: poster(func(*protocol.Work) (protocol.Answer, error) { return a, nil })})
		_, err := processortest.Run(t.Context(), p, node(""))
		require.ErrorContains(t, err, "take answer: reveal child")
		assert.True(t, processor.IsPermanent(err))
	}
}

// A tree that an application walks, through both ends of the protocol.
func TestAWalkThroughAnApplication(t *testing.T) {
	keys, err := schema.NewKeyring(schema.Key{ID: "k", Secret: []byte(strings.Repeat("k", 32))})
	require.NoError(t, err)
	h, err := protocol.NewHandler(protocol.HandlerOptions{Keys: keys, Kinds: map[string]protocol.NodeFunc{
		"webhook": func(_ context.Context, n *protocol.Node) (*protocol.Answer, error) {
			a := &protocol.Answer{Objects: 1}
			if n.ID == "r.1" {
				return nil, protocol.GiveUp(errors.New("it is broken"))
			}
			for i := range 3 - n.Depth {
				a.Children = append(a.Children, protocol.Child{ID: n.ID + "." + string(rune('0'+i))})
			}
			return a, nil
		},
	}})
	require.NoError(t, err)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	at, err := protocol.ParseURL(s.URL)
	require.NoError(t, err)
	c := protocol.NewClient(protocol.Options{URL: at, Keys: keys})
	t.Cleanup(c.Close)
	set := processor.Set{webhook.Kind: webhook.New(webhook.Options{Poster: c})}
	tree, err := processortest.Walk(t.Context(), set, processor.Node{Kind: webhook.Kind, ID: "r"})
	require.NoError(t, err)
	assert.EqualValues(t, 1+2*(1+2+2), tree.Account.Nodes)
	assert.Equal(t, tree.Account.Nodes, tree.Account.Objects)
	require.Len(t, tree.Failed, 1)
	require.ErrorContains(t, tree.Failed[0].Err, "it is broken")
	assert.Equal(t, schema.Whole, tree.Settled)
}
