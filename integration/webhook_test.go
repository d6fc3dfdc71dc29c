package integration

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ramify/ramify/internal/emulator"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/webhook"
)

// The example of the page about the kind works as it is printed there.
func TestWebhookPage(t *testing.T) {
	t.Parallel()
	page := readPage(t, "processors/webhook.md")
	port, err := emulator.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	moved := func(text string) string { return strings.ReplaceAll(text, "8000", fmt.Sprint(port)) }
	u := newUser(t, "")
	if err := os.WriteFile(u.path("worker.py"), []byte(moved(page.block(t, "python worker.py"))), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", moved(page.block(t, "sh run")))
	cmd.Dir, cmd.Env = u.dir, slices.Concat(u.env, []string{"PATH=" + filepath.Dir(binary) + string(os.PathListSeparator) + os.Getenv("PATH"), "LC_ALL=C"})
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if want := page.block(t, "text output"); err != nil || string(out) != want {
		t.Errorf("%v: it prints\n%s, want\n%s\n%s", err, out, want, complaints.String())
	}
}

// application is one in Go, by the room webhook, that walks a tree of so many levels
// and children, some of whose nodes are bad.
type application struct {
	url string

	mu   sync.Mutex
	seen map[string][]webhook.Node // by id
}

func newApplication(t *testing.T, depth, fanout int) *application {
	t.Helper()
	_, text, _ := strings.Cut(signingKey, ":")
	secret, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := schema.NewKeyring(schema.Key{ID: "test", Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	a := &application{seen: map[string][]webhook.Node{}}
	walk := func(_ context.Context, n *webhook.Node) (*webhook.Answer, error) {
		attempt := a.see(*n)
		switch {
		case strings.HasSuffix(n.ID, ".broken"):
			return nil, webhook.GiveUp(errors.New("no room for it"))
		case strings.HasSuffix(n.ID, ".slow") && attempt < 3:
			return nil, errors.New("not yet")
		case !strings.HasSuffix(n.ID, "0") && n.Depth > 0:
			return &webhook.Answer{Objects: 1}, nil
		}
		answer := &webhook.Answer{Objects: 1, Rows: []json.RawMessage{[]byte(`{"id":"` + n.ID + `"}`)}}
		if n.Depth == depth {
			return answer, nil
		}
		for i := range fanout {
			answer.Children = append(answer.Children, webhook.Child{ID: fmt.Sprintf("%s.%d", n.ID, i*10)})
		}
		if n.Depth == 0 {
			answer.Children = append(answer.Children, webhook.Child{ID: "r.broken"}, webhook.Child{ID: "r.slow"}, webhook.Child{ID: "r.odd", Kind: "odd"},
				webhook.Child{ID: "r.lost", Kind: "lost"})
		}
		return answer, nil
	}
	h, err := webhook.NewHandler(webhook.HandlerOptions{Keys: keys, Kinds: map[string]webhook.NodeFunc{"tree": walk}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodPost && strings.Contains(string(body), `"kind":"odd"`) { // it does not keep to the protocol
			w.Header().Set("Content-Type", webhook.AnswerType)
			_, _ = io.WriteString(w, `{"childs": []}`)
			return
		}
		if r.URL.Path == "/healthy" {
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	a.url = s.URL + "/jobs"
	return a
}

func (a *application) see(n webhook.Node) (attempts int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[n.ID] = append(a.seen[n.ID], n)
	return len(a.seen[n.ID])
}

// requireWalked fails the test unless each node was seen once, but for what it is
// that was to be tried again, by keys of its own.
func (a *application) requireWalked(t *testing.T, nodes int) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.seen) != nodes {
		t.Errorf("the application has seen %d nodes, want %d", len(a.seen), nodes)
	}
	keys := map[string]bool{}
	for id, all := range a.seen {
		want := 1
		if id == "r.slow" {
			want = 3
		}
		if len(all) != want {
			t.Errorf("%s was posted %d times, want %d", id, len(all), want)
		}
		for i, n := range all {
			if n.Key != all[0].Key || n.Tries != i || n.Kind != "tree" {
				t.Errorf("attempt %d on %s is %+v", i, id, n)
			}
		}
		keys[all[0].Key] = true
	}
	if len(keys) != nodes {
		t.Errorf("there are %d keys of %d nodes", len(keys), nodes)
	}
}

// What fails fails alone, with a reason that names it.
var webhookFailures = map[string]string{
	"r.broken": "answers 500 Internal Server Error: no room for it",
	"r.odd":    `the answer cannot be used: read answer: json: unknown field`,
	"r.lost":   `answers 404 Not Found: kind "lost" is not known`,
}

func requireWebhookFailures(t *testing.T, text string) {
	t.Helper()
	for id, want := range webhookFailures {
		if !strings.Contains(text, id) || !strings.Contains(text, want) {
			t.Errorf("want %s: %s among\n%s", id, want, text)
		}
	}
}

func TestWebhookRun(t *testing.T) {
	t.Parallel()
	app := newApplication(t, 3, 6)
	u := newUser(t, "")
	u.env = append(u.env, "RAMIFY_SIGNING_KEY="+signingKey, "RAMIFY_WEBHOOK_URL="+app.url, "RAMIFY_WEBHOOK_KINDS=tree,odd,lost", "RAMIFY_WEBHOOK_HEALTH=/healthy")
	r := u.run(t, "run", `{"kind": "tree", "id": "r"}`, "--run", "hooks", "--retries", "2", "--out", u.path("out"), "--json")
	r.requireCode(t, 3)
	sum := parseSummary(t, r.stdout)
	const nodes = 1 + 6 + 6*6 + 6*6*6
	if sum.Nodes != nodes+1 || sum.Totals.Objects != nodes+1 || sum.Failed != 3 {
		t.Errorf("got %+v", sum)
	}
	app.requireWalked(t, nodes+2)
	failed := u.run(t, "failed", "hooks")
	requireWebhookFailures(t, failed.stdout+failed.stderr)
}

// The same on a fleet, whose tasks have the application beside them.
func TestFleetWebhook(t *testing.T) {
	t.Parallel()
	app := newApplication(t, 3, 4)
	f := newFleet(t, fleetSettings{env: []string{"RAMIFY_WEBHOOK_URL=" + app.url, "RAMIFY_WEBHOOK_KINDS=tree,odd,lost", "RAMIFY_CONCURRENCY=8",
		"RAMIFY_VISIBILITY=1m"}}) // what is seen again is posted again
	f.grow(t, 2)
	run := "hooks-" + f.name
	p := f.seed(t, run, `{"kind": "tree", "id": "r"}`, "--retries", "2", "--out", "s3://"+results)
	r := f.awaitEnd(t, p)
	r.requireCode(t, 3)
	sum := parseSummary(t, r.stdout)
	const nodes = 1 + 4 + 4*4 + 4*4*4
	if sum.Nodes != nodes+1 || sum.Failed != 3 {
		t.Errorf("got %+v", sum)
	}
	app.requireWalked(t, nodes+2)
	failed := f.run(t, "failed", run)
	requireWebhookFailures(t, failed.stdout+failed.stderr)
	f.drain(t)
}

// A run that has nowhere to post does not begin.
func TestWebhookUsage(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	for want, args := range map[string][]string{
		"set --webhook-url or RAMIFY_WEBHOOK_URL": {"run", `{"kind": "webhook", "id": "r"}`},
		`kind "tree" is not known; want`:          {"run", `{"kind": "tree", "id": "r"}`, "--webhook-url", "http://localhost:1"},
		"--webhook-url has a user in it":          {"run", `{"kind": "webhook", "id": "r"}`, "--webhook-url", "http://user:secret@localhost"},
	} {
		r := u.run(t, args...)
		r.requireCode(t, 1)
		if !strings.Contains(r.stderr, want) || strings.Contains(r.stderr, "secret") {
			t.Errorf("%v says %s, want %s", args, r.stderr, want)
		}
	}
	if files := u.stateFiles(t); len(files) > 0 {
		t.Errorf("there are %v", files)
	}
	// Another machine is not asked, whatever its name says.
	r := u.run(t, "run", `{"kind": "webhook", "id": "r"}`, "--webhook-url", "http://192.0.2.1", "--retries", "0", "--run", "far")
	r.requireCode(t, 3)
	if failed := u.run(t, "failed", "far"); !strings.Contains(failed.stdout+failed.stderr, "not an address of this machine") {
		t.Errorf("it failed because %s", failed.stdout)
	}
}
