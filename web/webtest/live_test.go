package webtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/lean"
	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// command is the path of the command, built as it is shipped.
var command = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ramify-webtest-")
	if err != nil {
		return "", err
	}
	atEnd = append(atEnd, func() { _ = os.RemoveAll(dir) })
	modules, err := lean.Modfile(context.Background())
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "ramify")
	build := exec.Command("go", "build", "-trimpath", "-modfile="+modules, "-o", path, "github.com/ramify/ramify/cmd/ramify")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the command: %w\n%s", err, out)
	}
	return path, nil
})

// user is somebody who types commands, whose S3 is ours.
type user struct {
	t   testing.TB
	dir string
	env []string
}

func newUser(t testing.TB, h *s3serve.Handler) *user {
	t.Helper()
	s3, err := s3serve.Start(h)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s3.Close()) })
	dir := t.TempDir()
	return &user{t: t, dir: dir, env: []string{
		"HOME=" + dir, "XDG_STATE_HOME=" + filepath.Join(dir, "state"), "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL_S3=" + s3.URL(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1",
	}}
}

// tells is what a command prints.
func (u *user) tells(args ...string) []byte {
	u.t.Helper()
	path, err := command()
	require.NoError(u.t, err)
	cmd := exec.Command(path, args...)
	cmd.Env, cmd.Dir = u.env, u.dir
	out, err := cmd.Output()
	require.NoError(u.t, err, args)
	return out
}

// walks starts a command that shows a page, and returns the page's address. It is
// interrupted at the end of the test, if not before.
func (u *user) walks(args ...string) (url string, end func() int) {
	u.t.Helper()
	path, err := command()
	require.NoError(u.t, err)
	cmd := exec.Command(path, args...)
	cmd.Env, cmd.Dir = u.env, u.dir
	said, err := cmd.StderrPipe()
	require.NoError(u.t, err)
	require.NoError(u.t, cmd.Start())
	end = sync.OnceValue(func() int {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode()
	})
	u.t.Cleanup(func() { end() })
	lines := bufio.NewScanner(said)
	var all strings.Builder
	for lines.Scan() {
		all.WriteString(lines.Text() + "\n")
		if address, is := strings.CutPrefix(lines.Text(), "page "); is {
			go func() { _, _ = io.Copy(io.Discard, said) }()
			return address, end
		}
	}
	u.t.Fatalf("no page was told:\n%s", all.String())
	return "", nil
}

// status is what the ledger has of a run.
func (u *user) status() (s struct {
	State         string
	Nodes, Failed int64
	Totals        struct{ Objects, Bytes int64 }
},
) {
	u.t.Helper()
	require.NoError(u.t, json.Unmarshal(u.tells("status", "live", "--json"), &s))
	return s
}

// hesitate keeps a request waiting for so long.
func hesitate(r *http.Request, span time.Duration) {
	select {
	case <-time.After(span):
	case <-r.Context().Done():
	}
}

// TestLiveRun looks at a run that is walked: what is shown at its end is what the
// ledger has, and each button does what it says.
func TestLiveRun(t *testing.T) {
	t.Parallel()
	keys, err := sample.Keys()
	require.NoError(t, err)
	bucket, err := s3serve.FromKeys(slices.Values(keys))
	require.NoError(t, err)
	var open, fast atomic.Bool
	const shut = "usr/share/antimony/"
	u := newUser(t, s3serve.New(s3serve.Options{
		Buckets: map[string]*s3serve.Listing{"debian": bucket}, Latency: 20 * time.Millisecond,
		Faults: func(r *http.Request) s3serve.Fault {
			if !fast.Load() { // it goes on while a browser is busy
				hesitate(r, time.Second/2)
			}
			if strings.HasPrefix(r.URL.Query().Get("prefix"), shut) && !open.Load() {
				return s3serve.AccessDenied
			}
			return s3serve.NoFault
		},
	}))
	b := newTab(t, 1280, 900)
	url, end := u.walks("run", "s3://debian/", "--run", "live", "--web", "--node", "prefix", "--inline", "20", "--concurrency", "2", "--out", "out")
	b.open(url)
	b.shows("#state", "Running")
	b.shows("#workers", "/ 2")

	b.press("#pause")
	b.shows("#state", "Paused")
	b.until("document.querySelector('#f-slots').innerText === '0'")
	paused := b.text("#f-objects")
	b.press("#resume")
	b.shows("#state", "Running")
	eval[any](b, "document.querySelector('#slots').select()")
	b.do(chromedp.SendKeys("#slots", "32"))
	b.press("#concurrency button")
	b.shows("#workers", "/ 32")
	fast.Store(true)

	b.shows("#state", "Finished with failures")
	assert.NotEqual(t, paused, b.text("#f-objects"))
	same := func() {
		t.Helper()
		s := u.status()
		for id, want := range map[string]int64{"nodes": s.Nodes, "objects": s.Totals.Objects, "bytes": s.Totals.Bytes, "failures": s.Failed} {
			assert.Equal(t, grouped(want), eval[string](b, "document.querySelector('#f-"+id+"').dataset.exact"), id)
		}
		b.shows("#tree-told", " "+grouped(s.Totals.Objects)+" objects")
		b.until("!document.querySelector('#tree-told').innerText.includes('so far')")
	}
	same()
	b.shows("#failures-rows", "s3://debian/"+shut)
	b.shows("#failures-rows", "AccessDenied")

	open.Store(true)
	b.press("#redrive")
	b.until("document.querySelector('#state').innerText === 'Finished'")
	b.until("document.querySelector('#failures').hidden")
	same()
	b.until("document.querySelector('#f-objects').innerText === " + quote(grouped(int64(len(keys)))))
	b.shows("#facts", "redriven once")
	b.until("document.querySelector('.tile[data-prefix=\"usr/\"]')")
	eval[any](b, "document.querySelector('.tile[data-prefix=\"usr/\"]').click()")
	b.shows("#tree-crumbs", "usr/")
	b.until("document.querySelector('.tile[data-prefix=\"usr/share/\"]')")
	b.until("document.querySelectorAll('#depths .bin').length > 0")
	assert.Zero(t, end(), "its exit code is that of the run")

	// Nobody serves the page any more, which it notices when somebody looks at it again.
	eval[any](b, "document.dispatchEvent(new Event('visibilitychange'))")
	b.shows("#notice", "What is shown is the last that came in: the server does not answer")
	forget(t, b, "ERR_CONNECTION_(REFUSED|RESET)|ERR_EMPTY_RESPONSE|503") // a question may have been under way
}

// TestLiveCancel cancels a run that is walked.
func TestLiveCancel(t *testing.T) {
	t.Parallel()
	keys, err := sample.Keys()
	require.NoError(t, err)
	bucket, err := s3serve.FromKeys(slices.Values(keys))
	require.NoError(t, err)
	u := newUser(t, s3serve.New(s3serve.Options{Buckets: map[string]*s3serve.Listing{"debian": bucket}, Latency: time.Second}))
	b := newTab(t, 360, 740)
	url, _ := u.walks("run", "s3://debian/", "--run", "live", "--web", "--node", "prefix", "--inline", "0", "--concurrency", "2", "--out", "out")
	b.open(url)
	b.shows("#state", "Running")
	b.press("#cancel")
	b.press("#sure-yes")
	b.shows("#state", "Cancelled")
	assert.Equal(t, "cancelled", u.status().State)
	sideways(t, b)
}
