package faults

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/integration/program"
	"github.com/ramify/ramify/processor/synthetic"
)

// most is the most memory that a process has had, in MiB.
func mostMemory(t *testing.T, p *program.Process) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.Cmd.Process.Pid) + "/status")
	if err != nil {
		return 0 // it has just ended
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kib int
			if _, err := fmt.Sscan(rest, &kib); err != nil {
				t.Fatal(err)
			}
			return kib >> 10
		}
	}
	return 0
}

// measured waits for the end of a process and returns the most memory that it had.
func measured(t *testing.T, p *program.Process) (r program.Result, mib int) {
	t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for p.Running() {
		select {
		case <-p.Done:
		case <-again.C:
			mib = max(mib, mostMemory(t, p))
		}
	}
	return p.Wait(t), mib
}

// A node has a million children: the run is exact, and needs no memory for them.
func TestAMillionChildren(t *testing.T) {
	t.Parallel()
	u := program.NewUser(t, "")
	tr := tree{Spec: synthetic.Spec{Shape: synthetic.Wide, Fanout: scaled(100_000, 1_000_000), Depth: 1, Objects: 1, Bytes: 2}}
	begun := time.Now()
	p := u.Start(t, "run", tr.target(), "--run", "r", "--json")
	r, mib := measured(t, p)
	r.RequireCode(t, 0)
	tr.whole(t, program.ParseSummary(t, r.Stdout))
	t.Logf("%d children in %v, %d MiB of memory, a file of %d MiB", tr.Fanout, time.Since(begun).Round(time.Second/10), mib, largest(u.State())>>20)
	const most = 200
	if mib > most {
		t.Errorf("it took %d MiB, want %d at most", mib, most)
	}
}

// A chain is 5,000 nodes deep, on one machine and on a fleet: each node one message.
func TestADeepChain(t *testing.T) {
	t.Parallel()
	t.Run("one machine", func(t *testing.T) {
		t.Parallel()
		for _, inline := range []string{"0", "1000"} {
			u := program.NewUser(t, "")
			tr := tree{Spec: synthetic.Spec{Shape: synthetic.Chain, Depth: 5000, Objects: 1}}
			r := u.Run(t, "run", tr.target(), "--run", "r", "--inline", inline, "--json")
			r.RequireCode(t, 0)
			tr.whole(t, program.ParseSummary(t, r.Stdout))
		}
	})
	t.Run("fleet", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t)
		f.grow(t, 2)
		tr := tree{Spec: synthetic.Spec{Shape: synthetic.Chain, Depth: scaled(200, 5000), Objects: 1}}
		f.whole(t, f.seed(t, "r", tr.target(), "--inline", "0"), tr)
		f.drain(t)
	})
}

// Ten thousand nodes fail at every try: each is given up and named, the others count,
// and a redrive once they are mended processes them, and only them.
func TestPoisonNodes(t *testing.T) {
	t.Parallel()
	u := program.NewUser(t, "")
	tr := tree{Spec: synthetic.Spec{Shape: synthetic.Wide, Fanout: scaled(3_000, 20_000), Depth: 1, Poison: .5, Objects: 1, Heal: 1, Seed: 5}}
	want := synthetic.Expect(&tr.Spec, 2)
	r := u.Run(t, "run", tr.target(), "--run", "r", "--retries", "1", "--json")
	r.RequireCode(t, 3)
	tr.counted(t, program.ParseSummary(t, r.Stdout), "finished_with_failures", want)
	r = u.Run(t, "failed", "r", "--json")
	r.RequireCode(t, 0)
	if n := strings.Count(r.Stdout, "\n"); n != len(want.Failed) {
		t.Errorf("%d nodes are named, want %d", n, len(want.Failed))
	}
	r = u.Run(t, "redrive", "r", "--json")
	r.RequireCode(t, 0)
	tr.whole(t, program.ParseSummary(t, r.Stdout))
	t.Logf("%d of %d nodes failed and healed", len(want.Failed), tr.Fanout+1)
}

// Ten thousand messages that nobody can execute come between those of a run: each ends
// in the dead-letter queue with its reason, and the run is whole.
func TestPoisonMessages(t *testing.T) {
	t.Parallel()
	// Nothing is seen twice for being refused slowly: letters are counted.
	f := newFleet(t, "RAMIFY_CONCURRENCY=16", "RAMIFY_VISIBILITY=1m")
	f.grow(t, 2)
	tr := busy(15)
	end := f.seed(t, "r", tr.target(), "--inline", "0")
	n := scaled(600, 10_000)
	poisons := []string{
		`not JSON at all`, `{"v":1,"run":"r","kind":"synthetic"`, `{}`, `[]`, `null`, `{"v":99,"run":"r","kind":"synthetic","id":"0"}`,
		`{"v":1,"run":"r","kind":"nobody.does.this","id":"0","mid":"0000000000000001","op":"node","share":"1"}`,
		`{"v":1,"run":"no-such-run","kind":"synthetic","id":"0","mid":"0000000000000002","op":"node","share":"1"}`,
		strings.Repeat(`{"v":`, 2000), strings.Repeat("\u2028x", 500), `{"v":1,"run":"../../etc/passwd","kind":"synthetic","id":"0"}`,
	}
	letters := make([]program.Letter, n)
	for i := range letters {
		letters[i].Body = poisons[i%len(poisons)]
		if i%3 == 0 {
			letters[i].Attrs = map[string]string{"ramify-key": "test", "ramify-signature": "bm8gc2lnbmF0dXJl"}
		}
	}
	f.main.Post(t, letters...)
	r := end.WaitFor(t, patience())
	r.RequireCode(t, 0)
	tr.whole(t, program.ParseSummary(t, r.Stdout))
	f.main.AwaitEmpty(t, f.said)
	said := 0
	for _, p := range f.tasks {
		said += len(p.Stderr.String())
	}
	f.drain(t)
	dead := f.dead.Take(t)
	for _, l := range dead {
		if l.Attrs["ramify-reason"] == "" {
			t.Fatalf("dead letter %.200q says no reason", l.Body)
		}
	}
	if len(dead) != n {
		t.Errorf("%d dead letters, want %d", len(dead), n)
	}
	t.Logf("%d messages refused; the tasks said %d bytes for each", n, said/n)
	if said/n > 600 {
		t.Errorf("the tasks said %d bytes for each message that was refused", said/n)
	}
}

// A hundred runs are on one queue, behind one that is larger than all of them: each
// ends, exact, and none waits until the large one has ended.
func TestManyRuns(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "RAMIFY_CONCURRENCY=16")
	runs := scaled(12, 100)
	large := busy(scaled(11, 22))
	large.Depth = 3 // a level more than the others: the queue has most of it behind them
	end := f.seed(t, "large", large.target(), "--inline", "0")
	small := func(i int) tree {
		return tree{Spec: synthetic.Spec{Seed: uint64(i), Fanout: 5, Depth: 2, Jitter: .3, Objects: int64(i), Work: synthetic.Duration(5 * time.Millisecond)}}
	}
	for i := range runs { // before anybody works: how fast commands are does not matter
		f.Run(t, "seed", small(i).target(), "--run", fmt.Sprint("small-", i), "--inline", "0").RequireCode(t, 0)
	}
	f.grow(t, 2)
	longest := 0.
	for i := range runs {
		var sum program.Summary
		waitUntil(t, f.tasks[0], "a small run's end", func() bool {
			sum = f.state(t, fmt.Sprint("small-", i))
			return sum.State == "finished"
		})
		small(i).whole(t, sum)
		longest = max(longest, sum.Seconds)
	}
	f.whole(t, end, large)
	whole := f.state(t, "large").Seconds
	t.Logf("%d runs ended within %.0f s, the large one in %.0f s", runs, longest, whole)
	if longest > whole {
		t.Errorf("a run of 31 nodes took %.0f s, the large one before it %.0f s", longest, whole)
	}
	f.drain(t)
}
