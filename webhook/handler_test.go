package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/webhook"
)

func handler(t testing.TB, o webhook.HandlerOptions) *webhook.Handler {
	t.Helper()
	if o.Kinds == nil {
		o.Kinds = map[string]webhook.NodeFunc{
			"fine": func(_ context.Context, n *webhook.Node) (*webhook.Answer, error) {
				return &webhook.Answer{Children: []webhook.Child{{ID: n.ID + "/a", Args: n.Args}}}, nil
			},
			"silent": func(context.Context, *webhook.Node) (*webhook.Answer, error) { return nil, nil },
			"broken": func(context.Context, *webhook.Node) (*webhook.Answer, error) { return nil, errors.New("no room") },
			"hopeless": func(context.Context, *webhook.Node) (*webhook.Answer, error) {
				return nil, webhook.GiveUp(errors.New("no such picture"))
			},
			"panics": func(context.Context, *webhook.Node) (*webhook.Answer, error) { panic("oh") },
			"no.json": func(context.Context, *webhook.Node) (*webhook.Answer, error) {
				return &webhook.Answer{Rows: []json.RawMessage{[]byte("{")}}, nil
			},
		}
		o.Tasks = map[string]webhook.TaskFunc{
			"audit": func(_ context.Context, t webhook.Task) error {
				if t.At != "then" {
					return errors.New("at " + t.At)
				}
				return nil
			},
		}
	}
	h, err := webhook.NewHandler(o)
	require.NoError(t, err)
	return h
}

func TestHandler(t *testing.T) {
	ring := keys(t, "k1")
	s := httptest.NewServer(handler(t, webhook.HandlerOptions{Keys: ring, MaxBody: 200}))
	t.Cleanup(s.Close)
	signed := client(t, s.URL+"/jobs", webhook.Options{Keys: ring})
	node := func(kind string) *webhook.Work {
		return &webhook.Work{Body: []byte(`{"v": 1, "kind": "` + kind + `", "id": "r", "args": {"n": 1}}`)}
	}
	for name, test := range map[string]struct {
		c    *webhook.Client
		w    *webhook.Work
		code int
		why  string
	}{
		"done":               {signed, node("fine"), 200, ""},
		"done, no answer":    {signed, node("silent"), 200, ""},
		"not signed":         {client(t, s.URL+"/jobs", webhook.Options{}), node("fine"), 403, "not signed by a known key"},
		"signed by another":  {client(t, s.URL+"/jobs", webhook.Options{Keys: keys(t, "k2")}), node("fine"), 403, "not signed by a known key"},
		"an unknown kind":    {signed, node("unknown"), 404, `kind "unknown" is not known`},
		"a failure":          {signed, node("broken"), 500, "no room"},
		"a failure for good": {signed, node("hopeless"), 500, "no such picture"},
		"a panic":            {signed, node("panics"), 500, "it panicked: oh"},
		"an answer no JSON":  {signed, node("no.json"), 500, "the answer is no JSON"},
		"no node":            {signed, &webhook.Work{Body: []byte(`hello`)}, 400, "read node"},
		"another version":    {signed, &webhook.Work{Body: []byte(`{"v": 2}`)}, 400, "v is 2, want 1"},
		"too large":          {signed, &webhook.Work{Body: []byte(strings.Repeat(" ", 201))}, 413, "more than 200 bytes"},
		"a task":             {signed, &webhook.Work{Path: "/periodic_tasks", Task: "audit", At: "then"}, 200, ""},
		"a task, its path":   {signed, &webhook.Work{Path: "/audit", Task: "audit", At: "then"}, 200, ""},
		"a task that fails":  {signed, &webhook.Work{Path: "/periodic_tasks", Task: "audit", At: "now"}, 500, "at now"},
		"an unknown task":    {signed, &webhook.Work{Path: "/periodic_tasks", Task: "drop"}, 404, `periodic task "drop" is not known`},
		"a task, no name":    {signed, &webhook.Work{Path: "/periodic_tasks"}, 404, `periodic task "" is not known`},
		"a task, not signed": {client(t, s.URL, webhook.Options{}), &webhook.Work{Path: "/periodic_tasks", Task: "audit"}, 403, "not signed"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := test.c.Post(t.Context(), test.w)
			if test.code == 200 {
				require.NoError(t, err)
				if name == "done" {
					require.Len(t, a.Children, 1)
					assert.Equal(t, "r/a", a.Children[0].ID)
					assert.JSONEq(t, `{"n": 1}`, string(a.Children[0].Args))
				}
				return
			}
			status := (*webhook.StatusError)(nil)
			require.ErrorAs(t, err, &status)
			assert.Equal(t, test.code, status.Code)
			assert.Contains(t, status.Reason, test.why)
			assert.Equal(t, name == "a failure for good" || name == "an answer no JSON", status.GiveUp)
		})
	}
	resp, err := http.Get(s.URL + "/jobs")
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 405, resp.StatusCode)
	assert.Equal(t, "POST", resp.Header.Get("Allow"))
}

// A handler that would accept what anybody sends must be told to.
func TestHandlerWithoutKeys(t *testing.T) {
	_, err := webhook.NewHandler(webhook.HandlerOptions{})
	require.ErrorContains(t, err, "set Keys, or Unsigned")
	_, err = webhook.NewHandler(webhook.HandlerOptions{Keys: keys(t, "k"), Unsigned: true})
	require.ErrorContains(t, err, "want one of them")
	_, err = webhook.NewHandler(webhook.HandlerOptions{Unsigned: true, Kinds: map[string]webhook.NodeFunc{"A B": nil}})
	require.ErrorContains(t, err, `kind is "A B"`)
	s := httptest.NewServer(handler(t, webhook.HandlerOptions{Unsigned: true}))
	t.Cleanup(s.Close)
	_, err = client(t, s.URL, webhook.Options{}).Post(t.Context(), &webhook.Work{Path: "/periodic_tasks", Task: "audit", At: "then"})
	require.NoError(t, err)
}
