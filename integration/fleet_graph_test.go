package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// put puts an object beside the results, and returns where it is.
func (d *depot) put(t *testing.T, key, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.backend.PutObject(results, key, nil, bytes.NewReader(data), int64(len(data)), nil); err != nil {
		t.Fatal(err)
	}
	return "s3://" + results + "/" + key
}

// reaches are the rows that a walk has put into the bucket of results.
func (f *fleet) reaches(t *testing.T, run string) (all []reach) {
	t.Helper()
	files := f.made(t, run)
	var m manifest
	if err := json.Unmarshal(files["manifest.json"], &m); err != nil {
		t.Fatalf("manifest: %v", err)
	}
	for _, file := range m.Files {
		all = append(all, parseReaches(t, unzstd(t, files[strings.TrimPrefix(file.Key, run+"/")]))...)
	}
	return all
}

// On a fleet whose requests get lost, come twice and out of order, whose messages
// come again and whose tasks are killed, a walk visits every vertex once, and the
// rows are the shortest ways.
func TestFleetGraph(t *testing.T) {
	file, l := flights(t)
	for name, kills := range map[string]int{"alive": 0, "killed": 6} {
		t.Run(name, func(t *testing.T) {
			k := newKiller(t, 0)
			f := newRough(t, k.rand.Uint64(), fleetSettings{env: []string{"RAMIFY_CONCURRENCY=4"}})
			f.grow(t, 3)
			place := f.depot.put(t, "graphs/"+f.name+".csv", file)
			want := l.distances("ABE", -1)
			struck := 0
			for n := 0; struck < min(kills, 2) || !f.wasRough(t, false); n++ {
				if n == mostRounds {
					t.Fatalf("after %d walks only %d tasks were killed, or not all went wrong", n, struck)
				}
				run := fmt.Sprint("graph-", f.name, "-", n)
				begun := time.Now()
				end := f.seed(t, run, "graph:"+place+"?from=ABE&header=1&directed=1", "--out", "s3://"+results)
				end.stderr.await(t, "run "+run+"\n")
				struck += f.killSome(t, k, end, kills-struck)
				requireVertices(t, f.awaitEnd(t, end), len(want))
				l.requireReached(t, want, f.reaches(t, run))
				f.requireDrained(t)
				t.Logf("%d vertices, %d tasks killed, %v", len(want), struck, time.Since(begun))
			}
			f.drain(t)
			f.requireNoLetters(t)
		})
	}
}

// killSome kills a task every second or so, and puts another in its place, until so many
// were killed or a run has ended, and returns how many.
func (f *fleet) killSome(t *testing.T, k *killer, end *process, most int) (struck int) {
	t.Helper()
	for struck < most && end.running() {
		select {
		case <-end.done:
		case <-time.After(700*time.Millisecond + time.Duration(k.rand.Int64N(int64(time.Second)))):
			i := k.rand.IntN(len(f.tasks))
			f.tasks[i].signal(t, kill)
			if r := f.tasks[i].wait(t); r.code != -1 {
				t.Fatalf("task has ended by itself: %d, %s", r.code, r.stderr)
			}
			f.tasks[i] = f.task(t)
			struck++
		}
	}
	return struck
}

// As far as --max-depth says, and no farther; of a list that the fleet alone can read.
func TestFleetGraphMaxDepth(t *testing.T) {
	t.Parallel()
	file, l := flights(t)
	f := newFleet(t, fleetSettings{})
	f.grow(t, 2)
	place := f.depot.put(t, "graphs/"+f.name+".csv", file)
	for i, more := range [][]string{{}, {"--no-check"}} {
		run := fmt.Sprint("near-", f.name, i)
		want := l.distances("ABE", 2)
		args := slices.Concat(more, []string{"--max-depth", "2", "--out", "s3://" + results})
		requireVertices(t, f.awaitEnd(t, f.seed(t, run, "graph:"+place+"?from=ABE&header=1&directed=1", args...)), len(want))
		l.requireReached(t, want, f.reaches(t, run))
	}
	// Nobody has looked whether there is such a vertex: the node says it.
	r := f.awaitEnd(t, f.seed(t, "unknown-"+f.name, "graph:"+place+"?from=XXX&header=1", "--no-check"))
	r.requireCode(t, 3)
	if failed := f.run(t, "failed", "unknown-"+f.name); !strings.Contains(failed.stdout, `vertex "XXX" is in no edge of `+place) {
		t.Errorf("failed says %q", failed.stdout)
	}
	f.drain(t)
}
