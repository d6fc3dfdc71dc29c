package integration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/processor/synthetic"
	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// killer kills processes at random moments, from the first millisecond on.
type killer struct {
	rand  *rand.Rand
	kills int           // of processes that were still running
	span  time.Duration // within which most moments lie
}

// newKiller logs the seed; RAMIFY_TEST_SEED sets it.
func newKiller(t *testing.T, span time.Duration) *killer {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("RAMIFY_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("RAMIFY_TEST_SEED=%d", seed)
	return &killer{rand: rand.New(rand.NewPCG(seed, 1)), span: span}
}

// strike kills the process at a random moment, unless it ends before. It
// reports whether it was killed.
func (k *killer) strike(t *testing.T, p *process) bool {
	t.Helper()
	within := k.span
	if k.rand.IntN(4) == 0 {
		within = 60 * time.Millisecond // files are being opened
	}
	select {
	case <-p.done:
		return false
	case <-time.After(time.Duration(k.rand.Int64N(int64(within)))):
	}
	p.signal(t, kill)
	if r := p.wait(t); r.code != -1 {
		return false // it ended by itself in between
	}
	k.kills++
	return true
}

// victim is a run that is killed and resumed until it is over.
type victim struct {
	user    *user
	name    string
	out     string
	command []string // run or redrive, and what follows
	args    []string // for resume as well
}

// toTheEnd begins the run and resumes it until it ends by itself; it is killed
// at most n times.
func (v victim) toTheEnd(t *testing.T, k *killer, n int) result {
	t.Helper()
	command := slices.Concat(v.command, v.args)
	for round := 0; ; round++ {
		p := v.user.start(t, command...)
		if round < n && k.strike(t, p) {
			if v.command[0] == "redrive" && v.state(t) == "finished_with_failures" {
				continue // it had not begun to be redriven
			}
			command = append([]string{"resume", v.name}, v.args...)
			continue
		}
		r := p.wait(t)
		never := r.code == 1 && (strings.Contains(r.stderr, "no run "+v.name) || strings.Contains(r.stderr, "was never begun"))
		if round > n || !never || v.command[0] == "redrive" {
			return r
		}
		// It was killed before the run existed: what the message says is done.
		v.forget(t)
		command = slices.Concat(v.command, v.args)
		n = max(n, round+1) // this round was none
	}
}

func (v victim) state(t *testing.T) string {
	t.Helper()
	return parseSummary(t, v.user.run(t, "status", v.name, "--json").stdout).State
}

// forget removes what is left of a run that never began.
func (v victim) forget(t *testing.T) {
	t.Helper()
	for _, path := range []string{v.user.state() + "/" + v.name + ".db", v.user.path(v.out)} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
}

// killsPerCase is at how many kills a test stops.
func killsPerCase() int {
	if soak() {
		return 100
	}
	return 8
}

// Killed at any moment, as often as it takes: the run ends with totals and an
// inventory that are exact.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		node, inline string
		latency      time.Duration
		concurrency  string
		keys         int
	}{
		{"range", "1000", 150 * time.Millisecond, "3", sample.Count},
		{"range", "0", 150 * time.Millisecond, "3", sample.Count},
		{"prefix", "1000", 4 * time.Millisecond, "8", 4000},
		{"prefix", "0", 4 * time.Millisecond, "8", 4000},
	} {
		t.Run(test.node+" "+test.inline, func(t *testing.T) {
			t.Parallel()
			listing := sampleListing(t, test.keys)
			tr := truthOf(listing, "")
			s := serve(t, listing, s3serve.Options{Latency: test.latency})
			u := newUser(t, s.url)
			k := newKiller(t, 2*time.Second)
			format := []string{"csv", "ndjson", "parquet", "keys"}
			for i := 0; k.kills < killsPerCase(); i++ {
				v := victim{user: u, name: fmt.Sprint("r", i), out: fmt.Sprint("out", i), args: []string{"--json"}}
				v.command = []string{
					"run", "s3://bucket/", "--run", v.name, "--out", v.out, "--format", format[i%len(format)],
					"--node", test.node, "--inline", test.inline, "--concurrency", test.concurrency,
				}
				before := k.kills
				r := v.toTheEnd(t, k, killsPerCase())
				r.requireCode(t, 0)
				sum := parseSummary(t, r.stdout)
				tr.requireSummary(t, sum)
				if n := sum.Requests["list"]; test.node == "prefix" && n <= tr.prefixes {
					t.Errorf("%d requests, though each of %d prefixes and the root was listed", n, tr.prefixes)
				}
				requireInventory(t, u.path(v.out), format[i%len(format)], tr)
				t.Logf("%s as %s: killed %d times, exact", v.name, format[i%len(format)], k.kills-before)
			}
		})
	}
}

// The same with trees in which nodes fail, for a while and for good: what is
// given up is exactly what must be, and redrive, killed as well, mends it.
func TestKillSynthetic(t *testing.T) {
	t.Parallel()
	const retries = 2
	for _, test := range []struct {
		name, inline string
		spec         synthetic.Spec
	}{
		{"uniform", "1000", synthetic.Spec{Fanout: 8, Depth: 4, Jitter: .3}},
		{"uniform", "0", synthetic.Spec{Fanout: 6, Depth: 4, Jitter: .5}},
		{"skewed", "20", synthetic.Spec{Shape: synthetic.Skewed, Fanout: 9, Depth: 9}},
		{"wide", "0", synthetic.Spec{Shape: synthetic.Wide, Fanout: 50, Depth: 2}},
	} {
		t.Run(test.name+" "+test.inline, func(t *testing.T) {
			t.Parallel()
			k := newKiller(t, 1500*time.Millisecond)
			u := newUser(t, "")
			for i := 0; k.kills < max(killsPerCase()/2, 4); i++ {
				spec := test.spec
				spec.Seed = k.rand.Uint64()
				spec.Objects, spec.Bytes, spec.Rows = 3, 1000, true
				spec.Work = synthetic.Duration(2 * time.Millisecond)
				spec.Fail, spec.Poison, spec.Heal = .05, .004, 1
				whole := spec
				whole.Fail, whole.Poison = 0, 0
				// Retries are what follows the first attempt.
				want, healed := synthetic.Expect(&spec, retries+1), synthetic.Expect(&whole, retries+1)

				target, err := json.Marshal(map[string]any{"kind": "synthetic", "id": synthetic.RootID, "args": spec.Args()})
				if err != nil {
					t.Fatal(err)
				}
				v := victim{user: u, name: fmt.Sprint("r", i), out: fmt.Sprint("out", i), args: []string{"--json"}}
				v.command = []string{"run", string(target), "--run", v.name, "--out", v.out, "--inline", test.inline, "--retries", strconv.Itoa(retries), "--concurrency", "16"}
				before := k.kills
				r := v.toTheEnd(t, k, killsPerCase())
				code := 0
				if len(want.Failed) > 0 {
					code = 3
				}
				r.requireCode(t, code)
				requireTree(t, v, r, want)
				if code == 0 {
					continue
				}
				v.command = []string{"redrive", v.name}
				r = v.toTheEnd(t, k, 2)
				r.requireCode(t, 0)
				requireTree(t, v, r, healed)
				t.Logf("%s: killed %d times, %d nodes of which %d failed and healed, exact", v.name, k.kills-before, healed.Account.Nodes, len(want.Failed))
			}
		})
	}
}

// requireTree fails the test unless the run has counted and written what it
// must, and given up what it must.
func requireTree(t *testing.T, v victim, r result, want synthetic.Truth) {
	t.Helper()
	sum := parseSummary(t, r.stdout)
	if sum.Nodes != want.Account.Nodes || sum.Failed != want.Account.Failures || sum.Totals.Objects != want.Account.Objects || sum.Totals.Bytes != want.Account.Bytes {
		t.Fatalf("got %+v, want %+v", sum, want.Account)
	}
	ids := treeRows(t, v.user.path(v.out))
	slices.Sort(ids)
	if twice := len(ids) - len(slices.Compact(slices.Clone(ids))); int64(len(ids)) != want.Rows || twice > 0 {
		t.Fatalf("%d rows, %d of them twice; want %d", len(ids), twice, want.Rows)
	}
	var failed []string
	for line := range strings.Lines(v.user.run(t, "failed", v.name, "--json").stdout) {
		var f struct{ ID, Reason string }
		if err := json.Unmarshal([]byte(line), &f); err != nil || !strings.Contains(f.Reason, "fails as its spec says") {
			t.Errorf("failure %s: %v", line, err)
		}
		failed = append(failed, f.ID)
	}
	slices.Sort(failed)
	if wanted := slices.Sorted(slices.Values(want.Failed)); !slices.Equal(failed, wanted) {
		t.Fatalf("failed %v, want %v", failed, wanted)
	}
}

// treeRows are the ids in the inventory of a synthetic tree.
func treeRows(t *testing.T, dir string) (ids []string) {
	t.Helper()
	for _, f := range readManifest(t, dir).Files {
		for line := range strings.Lines(string(unzstd(t, readFile(t, dir+"/"+f.Key)))) {
			var row struct{ ID string }
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatalf("row %s: %v", line, err)
			}
			ids = append(ids, row.ID)
		}
	}
	return ids
}
