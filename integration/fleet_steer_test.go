package integration

import (
	"strings"
	"testing"
)

// What people do to a run from another machine: look, pause, change, cancel.
func TestFleetSteering(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "").setup(t)
	c.run(t, "seed", treeOf(10, 4, `,"work":"500ms"`), "--run", "r", "--inline", "10").requireCode(t, 0)
	p := c.work(t)
	c.awaitSummary(t, "r", "with nodes", func(s summary) bool { return s.Nodes > 20 })
	c.awaitText(t, "1 worker\n", "status", "r")
	r := c.run(t, "pause", "r")
	r.requireCode(t, 0)
	requireText(t, r.stdout, "run r is paused: `ramify resume r` lets it go on\n")
	if s := c.awaitFleet(t, "r", "paused"); s.Failed != 0 {
		t.Errorf("paused: %+v", s)
	}
	r = c.run(t, "resume", "r", "--concurrency", "3", "--json")
	r.requireCode(t, 0)
	requireText(t, r.stdout, `{"run":"r","state":"running","epoch":0,"posted":{n}}`+"\n")
	c.awaitText(t, "of 3 slots", "status", "r")
	r = c.run(t, "failed", "r")
	r.requireCode(t, 0)
	requireText(t, r.stdout, "No node was given up.\n")
	r = c.run(t, "redrive", "r")
	r.requireCode(t, 1)
	requireText(t, r.stderr, "ramify: run r is running: only a run that finished with failures can be redriven\n")
	r = c.run(t, "cancel", "r")
	r.requireCode(t, 0)
	requireText(t, r.stdout, "run r is cancelled\n")
	r = c.run(t, "resume", "r")
	r.requireCode(t, 1)
	requireText(t, r.stderr, "ramify: run r is cancelled: there is nothing to go on with\n")
	r = c.run(t, "pause", "none")
	r.requireCode(t, 1)
	requireText(t, r.stderr, "ramify: no run none in dynamodb:"+c.name+"; `ramify status` lists those there are\n")
	p.signal(t, terminate)
	p.wait(t).requireCode(t, 0)
}

// A run that failed in part says which, and is redriven: only what failed is
// processed again.
func TestFleetRedrive(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "").setup(t)
	c.run(t, "seed", treeOf(5, 2, `,"poison":0.3,"heal":1`), "--run", "r", "--retries", "0").requireCode(t, 0)
	p := c.work(t)
	before := c.awaitFleet(t, "r", "finished_with_failures")
	r := c.run(t, "failed", "r", "--json")
	r.requireCode(t, 0)
	if n := strings.Count(r.stdout, "\n"); n == 0 || int64(n) != before.Failed {
		t.Errorf("%d failed, and the list is %s", before.Failed, r.stdout)
	}
	r = c.run(t, "redrive", "r")
	r.requireCode(t, 0)
	requireText(t, r.stdout, "run r is running; 1 message posted\n")
	if s := c.awaitFleet(t, "r", "finished"); s.Failed != 0 || s.Nodes != 1+5+25 {
		t.Errorf("redriven: %+v", s)
	}
	p.signal(t, terminate)
	p.wait(t).requireCode(t, 0)
}

// The number of things done at a time changes while a run goes on, here too.
func TestLocalConcurrencyChanges(t *testing.T) {
	t.Parallel()
	_, u, p, _ := slowRun(t)
	r := u.run(t, "resume", "r", "--concurrency", "9")
	r.requireCode(t, 0)
	requireText(t, r.stdout, "run r is running\n")
	(&crew{u, ""}).awaitText(t, "of 9 slots", "status", "r")
	p.signal(t, interrupt)
	p.wait(t).requireCode(t, 130)
}

// Without a name status lists the runs of this machine, the newest first.
func TestStatusLists(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	r := u.run(t, "status")
	r.requireCode(t, 0)
	requireText(t, r.stdout, "")
	for _, run := range []string{"b", "a"} {
		u.run(t, "run", treeOf(2, 1, ""), "--run", run).requireCode(t, 0)
	}
	r = u.run(t, "status")
	r.requireCode(t, 0)
	requireText(t, r.stdout, "run  state     begun (UTC)          target\na    finished  {any}  synthetic 0\nb    finished  {any}  synthetic 0\n")
	r = u.run(t, "status", "--json")
	r.requireCode(t, 0)
	requireText(t, r.stdout, `{"run":"a","state":"finished","target":"synthetic 0","created":"{any}"}`+"\n"+`{"run":"b","state":"finished","target":"synthetic 0","created":"{any}"}`+"\n")
}
