package integration

import (
	"fmt"
	"syscall"
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
		for _, i := range r.rand.Perm(len(r.fleet.tasks)) { // one may be idle, or just beginning
			if !r.fleet.tasks[i].struckDown(t, end) {
				continue
			}
			r.fleet.tasks[i] = r.fleet.task(t)
			if r.fleet.state(t, r.run) == "running" {
				r.kills++
			}
			break
		}
	}
}

// struckDown kills the task as soon as it holds a message. It reports false where
// the run ends before that, or the task is idle.
func (p *taskProcess) struckDown(t *testing.T, end *process) bool {
	t.Helper()
	idle := time.After(250 * time.Millisecond)
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
	const least = 30
	all, most := least, least+5
	if soak() {
		all, most = 300, 1000 // the longer a run takes where others want the machine, the more are killed in it
	}
	for killed := 0; killed < all; {
		f := newFleet(t, fleetSettings{latency: 20 * time.Millisecond, env: []string{"RAMIFY_CONCURRENCY=1"}})
		f.grow(t, 4)
		r := &reaper{killer: newKiller(t, 0), fleet: f}
		// So few requests that one run is enough on most machines: 2,761 LISTs by four
		// tasks are 35 s. On another one more follows.
		for n := 0; r.kills < least; n++ {
			r.run = fmt.Sprint("kill-", f.name, "-", n)
			begun, end := time.Now(), f.crawl(t, r.run, "--max-rps", "20")
			r.reap(t, end, time.Second, most)
			f.requireExact(t, r.run, f.awaitEnd(t, end))
			t.Logf("%d tasks killed, all done in %v", r.kills, time.Since(begun))
		}
		killed += r.kills
		f.drain(t)
		f.requireNoLetters(t)
	}
}

// A task that stands still for longer than its messages are hidden, and then goes
// on as if nothing had been, does no harm: others have done its work meanwhile.
func TestFleetStaleTask(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetSettings{latency: 20 * time.Millisecond, env: []string{"RAMIFY_VISIBILITY=2s"}})
	f.grow(t, 4)
	k := newKiller(t, 0)
	// How many stand still in one run is up to how fast the machine is.
	for n, stops := 0, 0; stops < 3; n++ {
		run := fmt.Sprint("stale-", f.name, "-", n)
		end := f.crawl(t, run)
		stops += f.standStill(t, k, end)
		f.requireExact(t, run, f.awaitEnd(t, end))
		t.Logf("%d tasks stood still", stops)
	}
	f.drain(t)
	f.requireNoLetters(t)
}

// standStill stops tasks that hold a message, one after the other, for longer than it is
// hidden, until a run ends, and returns how many.
func (f *fleet) standStill(t *testing.T, k *killer, end *process) (stops int) {
	t.Helper()
	for end.running() {
		p := f.tasks[k.rand.IntN(len(f.tasks))]
		next := p.door.coming()
		if !p.door.strike(t, p.process, syscall.SIGSTOP) {
			select {
			case <-next:
			case <-time.After(time.Second):
			case <-end.done:
			}
			continue
		}
		select {
		case <-time.After(5 * time.Second): // its messages are others' now
			stops++
		case <-end.done:
		}
		p.signal(t, syscall.SIGCONT)
	}
	return stops
}
