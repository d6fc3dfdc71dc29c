package integration

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/s3serve"
)

// A run that has cost its budget is paused and its command ends; it is not resumed
// without a higher budget, and with one it goes on to the exact end.
func TestBudget(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, 5000)
	s, usual := serveSlowly(t, listing, 10*time.Millisecond, 120) // until somebody has looked at what it costs
	u := newUser(t, s.url)
	const budget = "0.0005" // a hundred LISTs
	r := u.run(t, "run", "s3://bucket/", "--run", "r", "--out", "out", "--node", "prefix", "--concurrency", "2", "--budget", budget)
	r.requireCode(t, 130)
	usual()
	const hint = "It is paused: budget of $0.0005 is spent. To go on, with a higher one:\n  ramify resume r --budget USD\n"
	if !strings.Contains(r.stderr, "is paused after") || !strings.HasSuffix(r.stderr, hint) {
		t.Errorf("report %s", r.stderr)
	}
	asked := s.count()
	if tr := truthOf(listing, ""); asked < 100 || int64(asked) > tr.prefixes/2 {
		t.Fatalf("%d requests for a budget of 100 and %d prefixes", asked, tr.prefixes)
	}

	r = u.run(t, "status", "r")
	r.requireCode(t, 0)
	if !strings.HasSuffix(r.stdout, hint) {
		t.Errorf("status %s", r.stdout)
	}
	r = u.run(t, "status", "r", "--json")
	var status struct {
		State, Reason string
		Requests      map[string]int64
	}
	if err := json.Unmarshal([]byte(r.stdout), &status); err != nil || status.State != "paused" ||
		status.Reason != "budget of $0.0005 is spent" || status.Requests["list"] < 100 {
		t.Errorf("status %s: %v", r.stdout, err)
	}

	r = u.run(t, "resume", "r")
	r.requireCode(t, 1)
	requireText(t, r.stderr, "ramify: run r has spent its budget of $0.0005: to go on, raise it above the ${any} that it has cost so far, by estimate: `ramify resume r --budget USD`\n")
	r = u.run(t, "resume", "r", "--budget", budget)
	r.requireCode(t, 1)
	requireText(t, r.stderr, "ramify: --budget is 0.0005, but run r has cost ${any} so far, by estimate: want more, `ramify resume r --budget USD`\n")
	if n := s.count(); n != asked {
		t.Errorf("%d requests of a run that was not resumed", n-asked)
	}

	r = u.run(t, "resume", "r", "--budget", "1", "--json")
	r.requireCode(t, 0)
	tr := truthOf(listing, "")
	tr.requireSummary(t, parseSummary(t, r.stdout))
	requireInventory(t, u.path("out"), "csv", tr)
	if n := s.count(); int64(n) > tr.prefixes+30 {
		t.Errorf("%d requests for %d prefixes: what was done is done again", n, tr.prefixes)
	}
}

// A budget that makes no sense is refused before anything is asked.
func TestBudgetRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, sampleListing(t, 10), s3serve.Options{})
	u := newUser(t, s.url)
	for _, args := range [][]string{
		{"run", "s3://bucket/", "--budget", "0"},
		{"resume", "r", "--budget", "0"},
		{"seed", "s3://bucket/", "--queue", "q", "--ledger", "dynamodb:table", "--budget", "0"},
	} {
		r := u.run(t, args...)
		r.requireCode(t, 1)
		requireText(t, r.stderr, "ramify: --budget is \"0\", want US dollars, more than 0, such as 2.50\n")
	}
	r := u.run(t, "seed", "s3://bucket/", "--queue", "q", "--ledger", "none", "--budget", "5")
	r.requireCode(t, 1)
	if !strings.HasPrefix(r.stderr, `ramify: --budget is "5", but without a ledger nothing is kept with a run`) {
		t.Errorf("stderr %s", r.stderr)
	}
	if n := s.count(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// On a fleet the tasks cost, too: at their price the keeper pauses the run, whoever
// works on it, and the tasks stay.
func TestFleetBudget(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "").setup(t)
	c.run(t, "seed", treeOf(10, 3, `,"work":"100ms"`), "--run", "r", "--concurrency", "4", "--budget", "0.0001").requireCode(t, 0)
	p := c.work(t, "--sweep", "1s") // a minute of it, the least that is charged, is $0.0007
	c.awaitText(t, "It is paused: budget of $0.0001 is spent. To go on, with a higher one:\n  ramify resume r --budget USD\n", "status", "r")
	if !p.running() {
		t.Errorf("the task has ended: %s", p.stderr)
	}
	r := c.run(t, "resume", "r")
	r.requireCode(t, 1)
	requireText(t, r.stderr, "ramify: run r has spent its budget of $0.0001: to go on, raise it above the ${any} that it has cost so far, by estimate: `ramify resume r --budget USD`\n")
	c.run(t, "resume", "r", "--budget", "100", "--concurrency", "64").requireCode(t, 0)
	if s := c.awaitFleet(t, "r", "finished"); s.Failed != 0 || s.Nodes != 1+10+100+1000 {
		t.Errorf("resumed: %+v", s)
	}
	p.signal(t, terminate)
	p.wait(t).requireCode(t, 0)
	if n := strings.Count(p.stderr.String(), "paused a run whose budget is spent"); n != 1 {
		t.Errorf("said %d times: %s", n, p.stderr)
	}
}
