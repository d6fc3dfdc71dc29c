package integration

import (
	"testing"
	"time"
)

// reaper kills tasks of a fleet, each while it holds a message.
type reaper struct {
	*killer
	fleet *fleet
	run   string
}

// reap kills a task every so often, and puts another in its place, until enough
// were killed or the run has ended. A kill counts if the task held a message and
// the run was not over.
func (r *reaper) reap(t *testing.T, end *process, every time.Duration, most int) {
	t.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for r.kills < most && end.running() {
		select {
		case <-end.done:
			return
		case <-tick.C:
		}
		i := r.rand.IntN(len(r.fleet.tasks))
		p := r.fleet.tasks[i]
		if !p.struckDown(t, end) {
			continue
		}
		r.fleet.tasks[i] = r.fleet.task(t)
		if r.fleet.state(t, r.run) == "running" {
			r.kills++
		}
	}
}

// struckDown kills the task as soon as it holds a message. It reports false where
// the run ends before that, or the task is idle.
func (p *taskProcess) struckDown(t *testing.T, end *process) bool {
	t.Helper()
	idle := time.After(2 * time.Second)
	for {
		next := p.door.coming()
		if p.door.strike(t, p.process, kill) {
			if r := p.wait(t); r.code != -1 {
				t.Fatalf("task has ended by itself: %d, %s", r.code, r.stderr)
			}
			return true
		}
		select {
		case <-next:
		case <-end.done:
			return false
		case <-p.done:
			t.Fatalf("task has ended by itself: %s", p.stderr)
		case <-idle:
			return false
		}
	}
}

// Tasks are killed once a second, each with messages in its hands, at least 30 of
// them: all is counted and listed once, and nothing is left behind.
func TestFleetKill(t *testing.T) {
	kills := 30
	if soak() {
		kills = 300
	}
	for round := 0; kills > 0; round++ {
		f := newFleet(t, fleetSettings{latency: 20 * time.Millisecond})
		f.grow(t, 4)
		begun := time.Now()
		run := "kill-" + f.name
		end := f.crawl(t, run)
		r := &reaper{killer: newKiller(t, 0), fleet: f, run: run}
		r.reap(t, end, time.Second, 1000)
		f.requireExact(t, run, f.awaitEnd(t, end))
		f.drain(t)
		t.Logf("%d tasks killed in %v", r.kills, time.Since(begun))
		if r.kills < 30 {
			t.Fatalf("only %d tasks were killed while they held a message", r.kills)
		}
		kills -= r.kills
	}
}
