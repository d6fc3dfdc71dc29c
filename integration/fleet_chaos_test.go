package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ramify/ramify/internal/emulator/chaos"
	"github.com/ramify/ramify/internal/emulator/dynamodblocal"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/processor/synthetic"
)

// rough is a fleet whose every request to SQS and DynamoDB goes through chaos.
type rough struct {
	*fleet
	queue, table *chaos.Proxy
}

func newRough(t *testing.T, seed uint64, set fleetSettings) *rough {
	t.Helper()
	r := &rough{
		queue: chaos.New(t, elasticmq.URL(t), seed, chaos.Harsh),
		table: chaos.New(t, dynamodblocal.URL(t), seed+1, chaos.Harsh),
	}
	set.sqs, set.dynamodb = r.queue.URL, r.table.URL
	r.fleet = newFleet(t, set)
	return r
}

// mostRounds is how often a test is done at most until all went wrong that should: what
// goes wrong is up to chance, and how many are killed up to the machine.
const mostRounds = 6

// wasRough reports whether all went wrong that should have. In a few hundred requests,
// what is rare need not come about.
func (r *rough) wasRough(t *testing.T, many bool) bool {
	t.Helper()
	yes := true
	q, d := r.queue.Done(), r.table.Done()
	t.Logf("SQS %+v", q)
	t.Logf("DynamoDB %+v", d)
	faults := map[string]int{
		"copies of messages":              q.Copied,
		"messages held back":              q.Held,
		"requests to SQS out of order":    q.Late,
		"writes out of order":             d.Late,
		"lost answers of SQS":             len(q.Lost),
		"lost answers of DynamoDB":        len(d.Lost),
		"requests made twice of SQS":      len(q.Twice),
		"requests made twice of DynamoDB": len(d.Twice),
	}
	if many {
		maps.Copy(faults, map[string]int{
			"requests that got stuck":     q.Stuck + d.Stuck,
			"lost answers to sends":       q.Lost["SendMessageBatch"],
			"lost answers to receives":    q.Lost["ReceiveMessage"],
			"lost answers to deletes":     q.Lost["DeleteMessageBatch"],
			"sends made twice":            q.Twice["SendMessageBatch"],
			"deletes made twice":          q.Twice["DeleteMessageBatch"],
			"lost answers to plans":       d.Lost["PutItem"],
			"lost answers to settlements": d.Lost["UpdateItem"],
			"plans made twice":            d.Twice["PutItem"],
			"settlements made twice":      d.Twice["UpdateItem"],
		})
	}
	for what, n := range faults {
		if n == 0 {
			t.Logf("no %s", what)
			yes = false
		}
	}
	return yes
}

// Answers of SQS and DynamoDB get lost, requests come late, twice and out of
// order, messages are delivered again, and some tasks are killed: all is counted
// and listed once.
func TestFleetChaos(t *testing.T) {
	for name, kills := range map[string]int{"alive": 0, "killed": 6} {
		t.Run(name, func(t *testing.T) {
			k := newKiller(t, 0)
			f := newRough(t, k.rand.Uint64(), fleetSettings{latency: 20 * time.Millisecond, env: []string{"RAMIFY_CONCURRENCY=8"}})
			f.grow(t, 4)
			r := &reaper{killer: k, fleet: f.fleet}
			for n := 0; r.kills < min(kills, 3) || !f.wasRough(t, true); n++ {
				if n == mostRounds {
					t.Fatalf("after %d runs only %d tasks were killed, or not all went wrong", n, r.kills)
				}
				r.run = fmt.Sprint("chaos-", f.name, "-", n)
				begun, end := time.Now(), f.crawl(t, r.run)
				r.reap(t, end, 2*time.Second, kills)
				f.requireExact(t, r.run, f.awaitEnd(t, end))
				t.Logf("%d tasks killed, all done in %v", r.kills, time.Since(begun))
			}
			f.drain(t)
			f.requireNoLetters(t)
		})
	}
}

// The same of trees in which nodes fail, for a while and for good: exactly those
// are given up that must be, are in the dead-letter queue, and redrive mends them.
func TestFleetChaosFailures(t *testing.T) {
	for name, c := range map[string]struct {
		kind, inline string
		shape        synthetic.Shape
		fanout, deep int
	}{
		"one by one": {synthetic.Kind, "0", synthetic.Uniform, 6, 4},
		"inline":     {synthetic.Kind, "20", synthetic.Skewed, 9, 9},
		"reduced":    {synthetic.ReduceKind, "0", synthetic.Uniform, 4, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKiller(t, 0)
			spec := synthetic.Spec{
				Seed: k.rand.Uint64(), Shape: c.shape, Fanout: c.fanout, Depth: c.deep,
				Jitter: .3, Objects: 3, Bytes: 1000, Fail: .05, Poison: .02, Heal: 1,
			}
			for n := 0; !testFailures(t, k, c.kind, c.inline, spec); n++ {
				if n == mostRounds {
					t.Fatalf("not all went wrong in %d runs", n)
				}
			}
		})
	}
}

// testFailures reports whether all went wrong that should have.
func testFailures(t *testing.T, k *killer, kind, inline string, spec synthetic.Spec) bool {
	t.Helper()
	const retries = 2
	f := newRough(t, k.rand.Uint64(), fleetSettings{env: []string{"RAMIFY_CONCURRENCY=8"}})
	f.grow(t, 3)
	// Of a tree that is large enough, and fails.
	want := synthetic.Expect(&spec, retries+1)
	for tries := 0; len(want.Failed) == 0 || want.Account.Nodes < 100; tries++ {
		if tries == 1000 {
			t.Fatalf("no tree is as it should be: %+v", spec)
		}
		spec.Seed++
		want = synthetic.Expect(&spec, retries+1)
	}
	whole := spec
	whole.Fail, whole.Poison = 0, 0
	healed := synthetic.Expect(&whole, retries+1)
	target, err := json.Marshal(map[string]any{"kind": kind, "id": synthetic.RootID, "args": spec.Args()})
	if err != nil {
		t.Fatal(err)
	}
	run := "failures-" + f.name
	end := f.awaitEnd(t, f.seed(t, run, string(target), "--inline", inline, "--retries", strconv.Itoa(retries)))
	end.requireCode(t, 3)
	requireAccount(t, parseSummary(t, end.stdout), "finished_with_failures", want)

	f.run(t, "redrive", run).requireCode(t, 0)
	var sum summary
	over := time.After(patience())
	for again := time.NewTicker(500 * time.Millisecond); sum.State != "finished"; {
		select {
		case <-again.C:
		case <-over:
			t.Fatalf("redriven, the run is still %+v\n%s", sum, f.said())
		}
		r := f.run(t, "status", run, "--json")
		r.requireCode(t, 0)
		sum = parseSummary(t, r.stdout)
	}
	requireAccount(t, sum, "finished", healed)
	f.requireDrained(t)
	f.drain(t)
	failed := map[string]bool{}
	for _, l := range f.deadLetters(t) {
		var m struct{ ID string }
		if err := json.Unmarshal([]byte(l.body), &m); err != nil || l.attrs["ramify-reason"] == "" {
			t.Errorf("dead letter %.300q with %v: %v", l.body, l.attrs, err)
		}
		failed[m.ID] = true
	}
	if got := slices.Sorted(maps.Keys(failed)); !slices.Equal(got, slices.Sorted(slices.Values(want.Failed))) {
		t.Errorf("in the dead-letter queue are %q, want %q", got, want.Failed)
	}
	t.Logf("%d nodes, of which %d failed and healed", healed.Account.Nodes, len(want.Failed))
	return f.wasRough(t, false)
}

func requireAccount(t *testing.T, sum summary, state string, want synthetic.Truth) {
	t.Helper()
	if sum.State != state || sum.Nodes != want.Account.Nodes || sum.Failed != want.Account.Failures ||
		sum.Totals.Objects != want.Account.Objects || sum.Totals.Bytes != want.Account.Bytes {
		t.Errorf("%+v, want %s with %+v", sum, state, want.Account)
	}
}
