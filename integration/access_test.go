package integration

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// with is the user with other values of some variables, in the same folder;
// NAME= takes one away.
func (u *user) with(variables ...string) *user {
	other := &user{dir: u.dir, env: slices.Clone(u.env)}
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		other.env = slices.DeleteFunc(other.env, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		if value != "" {
			other.env = append(other.env, v)
		}
	}
	return other
}

// requireRefused fails the test unless the command ends with one line, and the
// run is as it was.
func (u *user) requireRefused(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	before := u.run(t, "status", "r").stdout
	r := u.run(t, args...)
	r.requireCode(t, code)
	if r.stdout != "" || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, want) {
		t.Errorf("%v: stdout %q, stderr %q; want one line with %q", args, r.stdout, r.stderr, want)
	}
	if after := u.run(t, "status", "r").stdout; after != before {
		t.Errorf("%v: the run was\n%s\nand is\n%s", args, before, after)
	}
}

// Who goes on with a run without access is told so, and no node is given up.
func TestResumeAndRedriveWithoutAccess(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	var denied, broken atomic.Bool
	broken.Store(true)
	below := below("usr/", s3serve.AccessDenied, &broken)
	s := serve(t, listing, s3serve.Options{Faults: func(r *http.Request) s3serve.Fault {
		if denied.Load() {
			return s3serve.AccessDenied
		}
		return below(r)
	}})
	s.hold(10) // few prefixes can be listed: it would soon be over
	u := newUser(t, s.url)
	p := u.start(t, "run", "s3://bucket/", "--run", "r", "--node", "prefix", "--concurrency", "2", "--retries", "0")
	s.awaitHeld(t)
	u.run(t, "pause", "r").requireCode(t, 0)
	p.signal(t, interrupt)
	p.wait(t).requireCode(t, 130)
	s.open()

	nobody := u.with("AWS_ACCESS_KEY_ID=")
	refuse := func(command string) {
		t.Helper()
		nobody.requireRefused(t, 2, "no usable AWS credentials", command, "r")
		denied.Store(true)
		u.requireRefused(t, 2, "AccessDenied", command, "r")
		denied.Store(false)
		u.with("AWS_ENDPOINT_URL_S3=http://127.0.0.1:1").requireRefused(t, 2, "nobody answers at http://127.0.0.1:1 (", command, "r", "--moved")
	}
	refuse("resume")
	u.run(t, "resume", "r").requireCode(t, 3)
	refuse("redrive")
	broken.Store(false)
	r := u.run(t, "redrive", "r", "--json")
	r.requireCode(t, 0)
	truthOf(listing, "").requireSummary(t, parseSummary(t, r.stdout))
	// Of a run that is over only the results are made: nobody is asked for that.
	asked := s.count()
	nobody.run(t, "resume", "r").requireCode(t, 0)
	if n := s.count(); n != asked {
		t.Errorf("%d requests", n-asked)
	}
}

// A run goes on where it began: elsewhere a bucket of that name is another's.
func TestAnotherEndpoint(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, 5000)
	began, _ := serveSlowly(t, listing, 20*time.Millisecond, 10)
	other := serve(t, listing, s3serve.Options{})
	u := newUser(t, began.url)
	p := u.start(t, "run", "s3://bucket/", "--run", "r", "--node", "prefix", "--concurrency", "2")
	began.awaitCount(t, 10)
	p.signal(t, interrupt)
	p.wait(t).requireCode(t, 130)

	moved := u.with("AWS_ENDPOINT_URL_S3=" + other.url)
	moved.requireRefused(t, 1, "run r began against "+began.url+", and the endpoint is now "+other.url+": set AWS_ENDPOINT_URL_S3="+began.url+", or give --moved if it is the same store at another address", "resume", "r")
	u.with("AWS_ENDPOINT_URL_S3=").requireRefused(t, 1, "and the endpoint is now AWS: set", "resume", "r")
	if n := other.count(); n > 0 {
		t.Errorf("the other was asked %d times", n)
	}
	// However it is named.
	p = u.with("AWS_ENDPOINT_URL_S3=", "AWS_ENDPOINT_URL="+began.url+"/").start(t, "resume", "r")
	began.awaitCount(t, began.count()+5)
	p.signal(t, interrupt)
	p.wait(t).requireCode(t, 130)
	r := moved.run(t, "resume", "r", "--moved", "--json")
	r.requireCode(t, 0)
	truthOf(listing, "").requireSummary(t, parseSummary(t, r.stdout))
}
