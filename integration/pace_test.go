package integration

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ramify/ramify/s3serve"
)

// A cap holds for all requests of a run, those after it is resumed included.
func TestMaxRPS(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, 10_000)
	tr := truthOf(listing, "")
	s := serve(t, listing, s3serve.Options{})
	u := newUser(t, s.url)
	s.hold(3)
	p := u.start(t, "run", "s3://bucket/", "--max-rps", "10", "--json", "--out", "out", "--run", "r", "--concurrency", "8")
	s.awaitHeld(t)
	p.signal(t, kill)
	p.wait(t)
	s.open()
	before, begin := s.count(), time.Now()
	r := u.run(t, "resume", "r", "--json")
	r.requireCode(t, 0)
	tr.requireSummary(t, parseSummary(t, r.stdout))
	requireInventory(t, u.path("out"), "csv", tr)
	if n, took := s.count()-before, time.Since(begin); took < time.Duration(n-1)*time.Second/10 {
		t.Errorf("%d requests in %v", n, took)
	}
	for _, args := range [][]string{{"s3://bucket/", "--max-rps", "-1"}, {`{"kind":"synthetic","id":"0"}`, "--max-rps", "5"}} {
		r := u.run(t, append([]string{"run"}, args...)...)
		r.requireCode(t, 1)
		if !strings.Contains(r.stderr, "--max-rps") {
			t.Errorf("said %q", r.stderr)
		}
	}
}

// What a bucket refuses because it is asked too much is asked again, and told.
func TestSlowDownIsTold(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, 5000)
	var n atomic.Int64
	s := serve(t, listing, s3serve.Options{Faults: func(*http.Request) s3serve.Fault {
		if k := n.Add(1); k > 1 && k <= 5 {
			return s3serve.SlowDown
		}
		return s3serve.NoFault
	}})
	u := newUser(t, s.url)
	r := u.run(t, "run", "s3://bucket/", "--json", "--run", "r")
	r.requireCode(t, 0)
	sum := parseSummary(t, r.stdout)
	truthOf(listing, "").requireSummary(t, sum)
	if sum.Requests["throttled"] != 4 {
		t.Errorf("requests %v", sum.Requests)
	}
}
