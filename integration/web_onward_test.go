package integration

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ramify/ramify/s3serve"
)

// What was interrupted goes on, and what failed is tried again, on a page likewise.
func TestWebGoesOn(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, 500)
	var broken atomic.Bool
	s := serve(t, listing, s3serve.Options{Faults: below("usr/share/", s3serve.AccessDenied, &broken)})
	u := newUser(t, s.url)
	onPage := func(command, run string) {
		// The page of a run at which nobody looks ends with it: the server waits for who does.
		s.hold(1) // it has access
		p := u.start(t, command, run, "--concurrency", "50", "--web")
		b := browse(t, p)
		if b.run != run {
			t.Errorf("%s shows run %q", command, b.run)
		}
		readings := b.follow(t.Context(), t)
		s.open()
		for range readings {
		}
		var r reading
		if b.get(t, "", &r); r.State != "finished" || r.Objects != int64(listing.Len()) || r.Failures != 0 {
			t.Errorf("%s: %+v", command, r)
		}
		p.stderr.await(t, "Run "+run) // the report: the results are made, and the page is there still
		b.get(t, "", &r)
		p.signal(t, interrupt)
		p.wait(t).requireCode(t, 0)
	}
	s.hold(5)
	p := u.start(t, "run", "s3://bucket/", "--run", "begun", "--node", "prefix", "--concurrency", "2")
	s.awaitHeld(t)
	p.signal(t, interrupt)
	p.wait(t).requireCode(t, 130)
	s.open()
	onPage("resume", "begun")

	broken.Store(true)
	u.run(t, "run", "s3://bucket/", "--run", "failed", "--node", "prefix").requireCode(t, 3)
	broken.Store(false)
	told := u.run(t, "failed", "failed")
	told.requireCode(t, 0)
	if head, _, _ := strings.Cut(told.stdout, "\n"); strings.Join(strings.Fields(head), " ") != "depth kind attempts given up, UTC node reason" {
		t.Errorf("failed says %q", head)
	}
	onPage("redrive", "failed")
}
