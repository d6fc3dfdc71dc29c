package integration

import (
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// soon is far less than what hangs would take, and far more than what is done "within
// seconds" takes on a machine that has much else to do.
const soon = time.Minute

// Ctrl-C, or a scheduler's TERM: the run stops within seconds and says how to go
// on; resume does not list again what was listed, and the result is exact.
func TestInterruptAndResume(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		sig  os.Signal
		args []string
		// The server's time for a request, and after how many it is enough.
		latency time.Duration
		enough  int
	}{
		{"INT range", interrupt, []string{"--concurrency", "4"}, 200 * time.Millisecond, 15},
		{"TERM range", terminate, []string{"--concurrency", "1", "--inline", "0"}, 100 * time.Millisecond, 11},
		{"INT prefix", interrupt, []string{"--node", "prefix", "--concurrency", "8"}, 10 * time.Millisecond, 500},
		{"TERM prefix", terminate, []string{"--node", "prefix", "--inline", "0", "--concurrency", "8"}, 10 * time.Millisecond, 500},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			keys := sample.Count
			if strings.Contains(test.name, "prefix") {
				keys = 5000
			}
			listing := sampleListing(t, keys)
			tr := truthOf(listing, "")
			whole := serve(t, listing, s3serve.Options{Latency: test.latency})
			args := append([]string{"s3://bucket/", "--json", "--out", "out", "--run", "r"}, test.args...)
			newUser(t, whole.url).run(t, append([]string{"run"}, args...)...).requireCode(t, 0)

			s, usual := serveSlowly(t, listing, test.latency, test.enough)
			u := newUser(t, s.url)
			p := u.start(t, append([]string{"run"}, args...)...)
			s.awaitCount(t, test.enough)
			p.signal(t, test.sig)
			r := p.wait(t)
			usual()
			r.requireCode(t, 130)
			if r.took > soon {
				t.Errorf("it stopped after %v", r.took)
			}
			if sum := parseSummary(t, r.stdout); sum.State != "interrupted" || sum.Totals.Objects == 0 || sum.Totals.Objects >= int64(listing.Len()) {
				t.Errorf("got %+v", sum)
			}
			requireText(t, plain(t, r.stderr), "run r\n")
			if entries, err := os.ReadDir(u.path("out/data")); err == nil {
				t.Errorf("there are results already: %v", entries)
			}
			first, stopped := s.count(), r.took

			r = u.run(t, "resume", "r", "--json")
			r.requireCode(t, 0)
			sum := parseSummary(t, r.stdout)
			tr.requireSummary(t, sum)
			requireInventory(t, u.path("out"), "csv", tr)
			if n := s.count(); n > whole.count()+whole.count()/4+8 {
				t.Errorf("%d requests, %d of them before; without the interruption it took %d", n, first, whole.count())
			}
			t.Logf("%d requests, then %d; %d without interruption; it stopped after %v", first, s.count()-first, whole.count(), stopped)
			// What is over stays so.
			r = u.run(t, "resume", "r", "--json")
			r.requireCode(t, 0)
			if again := parseSummary(t, r.stdout); again.State != "finished" || again.Totals.Objects != sum.Totals.Objects {
				t.Errorf("resumed %+v, before %+v", again, sum)
			}
			requireInventory(t, u.path("out"), "csv", tr)
		})
	}
}

// serveSlowly serves a listing, and from a number of LISTs on takes a second more for
// each: what is to happen before the end of a run then has the time, however busy the
// machine is. usual has it be as fast as before.
func serveSlowly(t *testing.T, listing *s3serve.Listing, latency time.Duration, from int) (s *server, usual func()) {
	t.Helper()
	fast := make(chan struct{})
	s = serve(t, listing, s3serve.Options{Latency: latency}, func(n int, r *http.Request) {
		if n <= from {
			return
		}
		select {
		case <-fast:
		case <-time.After(time.Second):
		case <-r.Context().Done():
		}
	})
	return s, sync.OnceFunc(func() { close(fast) })
}

// The words of an interruption.
func TestInterruptReport(t *testing.T) {
	t.Parallel()
	s, u, p, _ := slowRun(t)
	p.signal(t, interrupt)
	r := p.wait(t)
	r.requireCode(t, 130)
	requireText(t, plain(t, r.stderr), `run r
Run r of s3://bucket/ was interrupted after {s}.

  keys      {n}  {rate}
  bytes     {any}  {any}/s
  nodes     {n}  {rate}
  requests  {n}  {rate}  {n} list
  retries   0
  failed    0

The inventory is made when the run is over, in
  `+u.path("out")+`

It was interrupted, and nothing is lost. To go on:
  ramify resume r
`)
	asked := s.count()
	// Where the folder of states is not the usual one, the way out names it.
	p = u.start(t, "run", "s3://bucket/", "--run", "r", "--state", "else where", "--node", "prefix", "--concurrency", "4")
	s.awaitCount(t, asked+20)
	p.signal(t, interrupt)
	r = p.wait(t)
	r.requireCode(t, 130)
	if want := "\n  ramify resume r --state \"" + u.path("else where") + "\"\n"; !strings.HasSuffix(r.stderr, want) {
		t.Errorf("report %s", r.stderr)
	}
}

// A server that never answers does not keep anybody from leaving.
func TestInterruptWhileTheServerHangs(t *testing.T) {
	t.Parallel()
	for _, node := range []string{"range", "prefix"} {
		t.Run(node, func(t *testing.T) {
			t.Parallel()
			listing := sampleListing(t, sample.Count)
			s := serve(t, listing, s3serve.Options{})
			s.hold(4)
			u := newUser(t, s.url)
			p := u.start(t, "run", "s3://bucket/", "--run", "r", "--out", "out", "--node", node)
			s.awaitHeld(t)
			p.signal(t, interrupt)
			r := p.wait(t)
			r.requireCode(t, 130)
			if r.took > soon {
				t.Errorf("it stopped after %v", r.took)
			}
			s.open()
			u.run(t, "resume", "r").requireCode(t, 0)
			requireInventory(t, u.path("out"), "csv", truthOf(listing, ""))
		})
	}
}

// Who presses twice leaves at once, and loses nothing either.
func TestSecondInterrupt(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	s := serve(t, listing, s3serve.Options{})
	s.hold(4)
	u := newUser(t, s.url)
	p := u.start(t, "run", "s3://bucket/", "--run", "r", "--out", "out", "--node", "prefix", "-v")
	s.awaitHeld(t)
	p.signal(t, interrupt)
	// The first may not have been noticed yet: press until it ends.
	for p.running() {
		p.signal(t, interrupt)
		select {
		case <-p.done:
		case <-time.After(100 * time.Millisecond):
		}
	}
	r := p.wait(t)
	if r.code != -1 && r.code != 130 {
		t.Errorf("exit code %d, %s", r.code, r.stderr)
	}
	// The second signal itself ends it, or it had ended before. That no grace is waited for
	// TestTaskToldTwice holds, whose grace is an hour: all commands answer signals alike.
	s.open()
	u.run(t, "resume", "r").requireCode(t, 0)
	requireInventory(t, u.path("out"), "csv", truthOf(listing, ""))
}

// An interruption before anything has begun leaves nothing behind, or a run
// that can be resumed.
func TestInterruptDuringCheck(t *testing.T) {
	t.Parallel()
	s := serve(t, sampleListing(t, 100), s3serve.Options{})
	s.hold(0)
	u := newUser(t, s.url)
	p := u.start(t, "run", "s3://bucket/", "--run", "r")
	s.awaitHeld(t)
	p.signal(t, interrupt)
	r := p.wait(t)
	if r.code != 130 || strings.Count(r.stderr, "\n") > 1 || r.took > soon {
		t.Errorf("code %d after %v, %q", r.code, r.took, r.stderr)
	}
	if files := u.stateFiles(t); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}
