package integration

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// A server that is often in trouble holds a run up and changes nothing else.
func TestFaults(t *testing.T) {
	t.Parallel()
	rates := s3serve.Rates{SlowDown: .03, InternalError: .03, Reset: .03, HalfSent: .03, TruncatedXML: .03}
	for _, args := range [][]string{
		{"--node", "range"},
		{"--node", "range", "--concurrency", "4", "--inline", "0"},
		{"--node", "prefix"},
		{"--node", "prefix", "--inline", "0"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			keys := sample.Count
			if slices.Contains(args, "prefix") {
				keys = 2000 // a wait of half a second for every seventh prefix
			}
			listing := sampleListing(t, keys)
			tr := truthOf(listing, "")
			h := s3serve.New(s3serve.Options{
				Buckets: map[string]*s3serve.Listing{bucket: listing},
				Faults:  s3serve.RandomFaults(20_000, rates),
			})
			s := serveHandler(t, h)
			u := newUser(t, s.url)
			r := u.run(t, append([]string{"run", "s3://bucket/", "--json", "--out", "out", "--run", "r"}, args...)...)
			r.requireCode(t, 0)
			sum := parseSummary(t, r.stdout)
			tr.requireSummary(t, sum)
			requireInventory(t, u.path("out"), "csv", tr)
			if h.Counts().Faults == 0 {
				t.Error("no fault was met")
			}
			// What was asked again by itself counts too. The first is the check.
			if got, asked := sum.Requests["list"], int64(s.count())-1; got > asked || got < asked-2 {
				t.Errorf("%d requests reported, the server was asked %d times", got, asked)
			}
			requireText(t, plain(t, r.stderr), "run r\n")
		})
	}
}

// below returns faults for the requests that list what lies below a prefix, for
// as long as they are on: by the delimiter's prefix, or by the key after which
// a flat listing goes on.
func below(prefix string, fault s3serve.Fault, on *atomic.Bool) func(*http.Request) s3serve.Fault {
	return func(r *http.Request) s3serve.Fault {
		q := r.URL.Query()
		at := q.Get("prefix")
		if after := q.Get("start-after"); after != "" {
			at = after
		}
		if token, err := base64.StdEncoding.DecodeString(q.Get("continuation-token")); err == nil && len(token) > 4 {
			at = string(token[4:])
		}
		if on.Load() && strings.HasPrefix(at, prefix) {
			return fault
		}
		return s3serve.NoFault
	}
}

// One prefix cannot be listed: that fails its node, and the rest is exact.
// Once it can be, redrive lists it, and only it.
func TestFailuresAndRedrive(t *testing.T) {
	t.Parallel()
	const broken = "usr/share/doc/"
	for _, test := range []struct {
		node, inline string
		fault        s3serve.Fault
		retries      string
		reason       string
	}{
		{"prefix", "1000", s3serve.AccessDenied, "5", "list s3://bucket/" + broken + ": AccessDenied: Access Denied; allow s3:ListBucket on arn:aws:s3:::bucket to these credentials"},
		{"prefix", "0", s3serve.AccessDenied, "5", "list s3://bucket/" + broken + ": AccessDenied: Access Denied; allow s3:ListBucket on arn:aws:s3:::bucket to these credentials"},
		{"prefix", "0", s3serve.InternalError, "0", "list s3://bucket/" + broken + ": InternalError: We encountered an internal error. Please try again (8 attempts)"},
		{"range", "1000", s3serve.InternalError, "0", "list s3://bucket/: InternalError: We encountered an internal error. Please try again (8 attempts)"},
	} {
		if test.node == "range" && !soak() {
			continue // each cut of the range fails alone, after eight attempts: minutes, for make soak
		}
		t.Run(test.node+" "+test.inline+" "+test.fault.String(), func(t *testing.T) {
			t.Parallel()
			listing := sampleListing(t, sample.Count)
			var on atomic.Bool
			on.Store(true)
			s := serve(t, listing, s3serve.Options{Faults: below(broken, test.fault, &on)})
			u := newUser(t, s.url)
			r := u.run(t, "run", "s3://bucket/", "--run", "r", "--out", "out", "--node", test.node, "--inline", test.inline, "--retries", test.retries)
			r.requireCode(t, 3)
			report := plain(t, r.stderr)
			for _, part := range []string{
				"Run r of s3://bucket/ finished with failures in ",
				" given up. To see why:\n  ramify failed r\nTo try again:\n  ramify redrive r\n",
				"\nThe inventory lies in\n  " + u.path("out/manifest.json") + "\n",
			} {
				if !strings.Contains(report, part) {
					t.Errorf("report lacks %q:\n%s", part, report)
				}
			}
			status := parseSummary(t, u.run(t, "status", "r", "--json").stdout)
			if status.State != "finished_with_failures" || status.Failed < 1 {
				t.Errorf("status %+v", status)
			}
			requireFailures(t, u, "r", status.Failed, test.reason)

			// What could be listed was, and stands in the inventory already.
			tr := truthOf(listing, "")
			rows := inventoryRows(t, u.path("out"), "csv")
			if int64(len(rows)) != status.Totals.Objects || len(rows) == 0 {
				t.Errorf("%d rows, %d objects", len(rows), status.Totals.Objects)
			}
			partly := map[string]bool{}
			for _, r := range rows {
				partly[r.key] = true
				if r != tr.rows[r.key] {
					t.Errorf("row %+v", r)
				}
			}
			for k := range tr.rows {
				if !partly[k] && !strings.HasPrefix(k, broken) && test.node == "prefix" {
					t.Fatalf("key %q is missing, and not below %s", k, broken)
				}
			}

			// Again while it is broken: it fails again, the same.
			if test.fault == s3serve.AccessDenied {
				r := u.run(t, "redrive", "r", "--json")
				r.requireCode(t, 3)
				again := parseSummary(t, r.stdout)
				if again.Failed != status.Failed || again.Totals.Objects != status.Totals.Objects || again.Nodes != status.Nodes {
					t.Errorf("redriven %+v, before %+v", again, status)
				}
				requireFailures(t, u, "r", status.Failed, test.reason)
			}

			on.Store(false)
			asked := s.count()
			r = u.run(t, "redrive", "r", "--json")
			r.requireCode(t, 0)
			tr.requireSummary(t, parseSummary(t, r.stdout))
			requireInventory(t, u.path("out"), "csv", tr)
			if n := int64(s.count() - asked); test.node == "prefix" && n != truthOf(listing, broken).prefixes+3 {
				// Its own takes two pages: more than a thousand folders are directly below.
				// And one asks for access.
				t.Errorf("%d LISTs to redrive %s, where %d prefixes are", n, broken, truthOf(listing, broken).prefixes)
			}
			r = u.run(t, "failed", "r")
			r.requireCode(t, 0)
			requireText(t, r.stdout, "No node was given up.\n")
			r = u.run(t, "redrive", "r")
			r.requireCode(t, 1)
			requireText(t, r.stderr, "ramify: run r is finished: only a run that finished with failures can be redriven\n")
		})
	}
}

// Credentials run out in the middle: what was not listed by then has failed, and
// is listed by a redrive with new ones.
func TestCredentialsExpire(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	var asked, over atomic.Int64
	over.Store(1 + 23) // of 27; the first twenty at most are asked for in the first second, and committed then
	s := serve(t, listing, s3serve.Options{Latency: 100 * time.Millisecond, Faults: func(*http.Request) s3serve.Fault {
		if asked.Add(1) > over.Load() {
			return s3serve.AccessDenied
		}
		return s3serve.NoFault
	}})
	u := newUser(t, s.url)
	r := u.run(t, "run", "s3://bucket/", "--run", "r", "--out", "out", "--concurrency", "2", "--json")
	r.requireCode(t, 3)
	sum := parseSummary(t, r.stdout)
	if sum.State != "finished_with_failures" || sum.Failed == 0 || sum.Totals.Objects == 0 {
		t.Errorf("got %+v", sum)
	}
	requireFailures(t, u, "r", sum.Failed, "list s3://bucket/: AccessDenied: Access Denied; allow s3:ListBucket on arn:aws:s3:::bucket to these credentials")
	over.Store(1 << 40)
	before := s.count()
	r = u.run(t, "redrive", "r", "--json")
	r.requireCode(t, 0)
	tr := truthOf(listing, "")
	tr.requireSummary(t, parseSummary(t, r.stdout))
	requireInventory(t, u.path("out"), "csv", tr)
	if n := s.count() - before; n > 20 {
		t.Errorf("%d LISTs to finish what 23 had begun", n)
	}
}

// requireFailures fails the test unless `failed` lists that many nodes with the
// reason, as a table and as JSON.
func requireFailures(t *testing.T, u *user, run string, n int64, reason string) {
	t.Helper()
	r := u.run(t, "failed", run)
	r.requireCode(t, 0)
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	if int64(len(lines)) != n+1 || !strings.HasPrefix(lines[0], "depth  kind") {
		t.Errorf("want a heading and %d nodes:\n%s", n, r.stdout)
	}
	r2 := u.run(t, "failed", run, "--json")
	r2.requireCode(t, 0)
	records := strings.Split(strings.TrimSuffix(r2.stdout, "\n"), "\n")
	if int64(len(records)) != n {
		t.Errorf("want %d nodes:\n%s", n, r2.stdout)
	}
	for i, record := range records {
		var f struct {
			ID, Kind, Reason string
			Depth            int
		}
		if err := json.Unmarshal([]byte(record), &f); err != nil || f.Kind != "s3.crawl" || f.Reason != reason || !strings.HasPrefix(f.ID, "s3://bucket/") {
			t.Errorf("failure %s: %v, want the reason %q", record, err, reason)
		}
		if i+1 < len(lines) && (!strings.Contains(lines[i+1], f.ID) || !strings.HasSuffix(lines[i+1], f.Reason)) {
			t.Errorf("line %q, want node and reason of %s", lines[i+1], record)
		}
	}
}

func inventoryRows(t *testing.T, dir, format string) (rows []row) {
	t.Helper()
	for _, f := range readManifest(t, dir).Files {
		rows = append(rows, layouts[format].read(t, readFile(t, dir+"/"+f.Key))...)
	}
	return rows
}

// What would keep a run from working is said in one line, before there is a run.
func TestCannotRun(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, 10)
	const closed = "http://127.0.0.1:1" // a port that was just closed may be another test's now
	answer := func(status int, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	refused := func(code string) string {
		return answer(http.StatusForbidden, `<?xml version="1.0"?><Error><Code>`+code+`</Code><Message>No.</Message></Error>`)
	}
	denied := serve(t, listing, s3serve.Options{Faults: func(*http.Request) s3serve.Fault { return s3serve.AccessDenied }}).url
	busy := serve(t, listing, s3serve.Options{Faults: func(*http.Request) s3serve.Fault { return s3serve.SlowDown }}).url
	fine := serve(t, listing, s3serve.Options{}).url
	for _, test := range []struct {
		name, endpoint, target, want string
		without                      string // variable that is not set
	}{
		{"access denied", denied, "s3://bucket/p", "list s3://bucket/p: AccessDenied: Access Denied; allow s3:ListBucket on arn:aws:s3:::bucket to these credentials", ""},
		{"no such bucket", fine, "s3://other/", "list s3://other/: NoSuchBucket: The specified bucket does not exist; check the bucket's name, and AWS_ENDPOINT_URL if it is not on AWS", ""},
		{"expired", refused("ExpiredToken"), "s3://bucket/", "list s3://bucket/: ExpiredToken: No; renew the credentials", ""},
		{"unknown key", refused("InvalidAccessKeyId"), "s3://bucket/", "list s3://bucket/: InvalidAccessKeyId: No; check AWS_ACCESS_KEY_ID or the profile", ""},
		{"wrong region", refused("AuthorizationHeaderMalformed"), "s3://bucket/", "list s3://bucket/: AuthorizationHeaderMalformed: No; set AWS_REGION to the bucket's region", ""},
		{"always busy", busy, "s3://bucket/", "list s3://bucket/: SlowDown: Please reduce your request rate (3 attempts)", ""},
		{"nobody there", closed, "s3://bucket/", "list s3://bucket/: nobody answers at " + closed + " (connection refused): check AWS_ENDPOINT_URL (3 attempts)", ""},
		{"no such host", "http://s3.invalid", "s3://bucket/", "check AWS_ENDPOINT_URL", ""},
		{"a web page", answer(http.StatusOK, "<!DOCTYPE html><html><body>Welcome!"), "s3://bucket/", "check AWS_ENDPOINT_URL", ""},
		{"a missing page", answer(http.StatusNotFound, "no such page"), "s3://bucket/", "check AWS_ENDPOINT_URL", ""},
		{"no credentials", fine, "s3://bucket/", "list s3://bucket/: no usable AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE", "AWS_ACCESS_KEY_ID"},
		{"no profile", fine, "s3://bucket/", "nobody", "AWS_PROFILE=nobody"},
		{"endpoint without scheme", "127.0.0.1:9000", "s3://bucket/", "list s3://bucket/: ", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t, test.endpoint)
			if strings.Contains(test.without, "=") {
				u.env = append(u.env, test.without)
			}
			u.env = slices.DeleteFunc(u.env, func(v string) bool { return test.without != "" && strings.HasPrefix(v, test.without+"=") })
			r := u.run(t, "run", test.target, "--run", "r", "--out", "out")
			r.requireCode(t, 2)
			if r.stdout != "" || strings.Count(r.stderr, "\n") != 1 || !strings.HasPrefix(r.stderr, "ramify: ") || !strings.Contains(r.stderr, test.want) || len(r.stderr) > 400 {
				t.Errorf("stdout %q, stderr %q, want %q", r.stdout, r.stderr, test.want)
			}
			if r.took > 2*soon {
				t.Errorf("it took %v to say so", r.took)
			}
			if files := u.stateFiles(t); len(files) > 0 {
				t.Errorf("left behind: %v", files)
			}
			t.Log(r.stderr)
		})
	}
}
