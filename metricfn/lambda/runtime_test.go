package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program builds the function as it is deployed, once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ramify-bootstrap-*")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "bootstrap")
	return out, build(out)
})

// build builds the function as the Makefile does.
func build(out string, env ...string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=", "-o", out, ".")
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, said)
	}
	return nil
}

// outcome is how an invocation ended.
type outcome struct {
	failed bool
	body   []byte
	took   time.Duration // from when the function was given it
}

type invocation struct {
	id       string
	deadline time.Time
	given    time.Time
	done     chan outcome
}

// host plays the runtime interface of AWS Lambda for one process of the function.
//
// Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom
// runtimes".
type host struct {
	cmd     *exec.Cmd
	started time.Time
	ready   chan struct{} // closed at the first call for an invocation
	queue   chan *invocation
	ended   chan struct{}

	mu    sync.Mutex
	open  map[string]*invocation
	n     int
	lines []string // logged
}

// start starts the function.
func start(t testing.TB, env map[string]string) *host {
	t.Helper()
	path, err := program()
	require.NoError(t, err)
	l := &host{ready: make(chan struct{}), queue: make(chan *invocation), ended: make(chan struct{}), open: map[string]*invocation{}}
	server := httptest.NewServer(http.HandlerFunc(l.serve)) // on loopback
	ctx, cancel := context.WithCancel(context.Background())
	l.cmd = exec.CommandContext(ctx, path)
	l.cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(server.URL, "http://"), "HOME=" + t.TempDir()}
	for k, v := range env {
		l.cmd.Env = append(l.cmd.Env, k+"="+v)
	}
	logged, err := l.cmd.StderrPipe()
	require.NoError(t, err)
	l.started = time.Now()
	require.NoError(t, l.cmd.Start())
	go func() {
		defer close(l.ended)
		for s := bufio.NewScanner(logged); s.Scan(); {
			l.mu.Lock()
			l.lines = append(l.lines, s.Text())
			l.mu.Unlock()
		}
		_ = l.cmd.Wait()
	}()
	t.Cleanup(func() {
		cancel()
		<-l.ended
		server.CloseClientConnections()
		server.Close()
		if t.Failed() {
			t.Log("logged:\n" + strings.Join(l.logged(), "\n"))
		}
	})
	return l
}

func (l *host) serve(w http.ResponseWriter, r *http.Request) {
	const api = "/2018-06-01/runtime/invocation/"
	id, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, api), "/")
	if r.Method == http.MethodGet && id == "next" {
		l.mu.Lock()
		select {
		case <-l.ready:
		default:
			close(l.ready)
		}
		l.mu.Unlock()
		select {
		case <-r.Context().Done():
		case i := <-l.queue:
			i.given = time.Now()
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", i.id)
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(i.deadline.UnixMilli()))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:metricfn")
			_, _ = io.WriteString(w, `{"source":"aws.events","detail-type":"Scheduled Event"}`)
		}
		return
	}
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	i := l.open[id]
	delete(l.open, id)
	l.mu.Unlock()
	if i == nil {
		http.Error(w, "no such invocation", http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	i.done <- outcome{failed: what == "error", body: body, took: time.Since(i.given)}
}

// invoke gives the function one invocation and waits for its end.
func (l *host) invoke(t testing.TB, within time.Duration) outcome {
	t.Helper()
	l.mu.Lock()
	l.n++
	i := &invocation{id: fmt.Sprintf("invocation-%d", l.n), deadline: time.Now().Add(within), done: make(chan outcome, 1)}
	l.open[i.id] = i
	l.mu.Unlock()
	select {
	case l.queue <- i:
	case <-l.ended:
		require.FailNow(t, "the function has ended", "%v", l.logged())
	case <-time.After(5 * time.Minute):
		require.FailNow(t, "the function does not ask for an invocation", "%v", l.logged())
	}
	select {
	case o := <-i.done:
		return o
	case <-l.ended:
		require.FailNow(t, "the function has ended", "%v", l.logged())
	case <-time.After(within + 5*time.Minute):
		require.FailNow(t, "no answer", "%v", l.logged())
	}
	return outcome{}
}

// memory is the most that the process has held, in KiB; 0 where it cannot be told.
func (l *host) memory() (kib float64) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.cmd.Process.Pid))
	if _, after, found := strings.Cut(string(status), "VmHWM:"); found {
		_, _ = fmt.Sscan(after, &kib)
	}
	return kib
}

func (l *host) logged() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}

// answered is what an invocation answered, which must not be an error.
func (o outcome) answered(t testing.TB) (a answer) {
	t.Helper()
	require.False(t, o.failed, "%s", o.body)
	require.NoError(t, json.Unmarshal(o.body, &a), "%s", o.body)
	return a
}
