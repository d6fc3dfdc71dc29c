package integration

import (
	"os"
	"strings"
	"testing"
)

// A task of a fleet runs the programs of its own file; a node that it cannot
// process is given up, and says why.
func TestFleetCommand(t *testing.T) {
	t.Parallel()
	w := newWalker(t, "")
	want := w.find(t)
	c := newCrew(t, "").with("PATH="+os.Getenv("PATH"), "RAMIFY_INLINE=0").setup(t)
	told := c.with("RAMIFY_JOBS=" + exampleJobs(t))

	r := c.run(t, "seed", "job:walk?path="+w.tree, "--run", "none")
	r.requireCode(t, 1)
	if !strings.Contains(r.stderr, "name the file that says what it is by --jobs") {
		t.Errorf("said %s", r.stderr)
	}
	for _, job := range []string{"walk", "usage"} {
		told.run(t, "seed", "job:"+job+"?path="+w.tree, "--run", job).requireCode(t, 0)
	}
	p := told.work(t)
	for _, job := range []string{"walk", "usage"} {
		s := c.awaitFleet(t, job, "finished")
		if s.Nodes != int64(len(want.usage)) || s.Totals.Objects != want.number || s.Totals.Bytes != want.bytes {
			t.Errorf("%s: got %+v, want %d nodes, %d objects, %d bytes", job, s, len(want.usage), want.number, want.bytes)
		}
	}
	p.signal(t, terminate)
	p.wait(t).requireCode(t, 0)

	for run, test := range map[string]struct{ env, want string }{
		"untold": {"RAMIFY_JOBS=", "find job walk: there are no jobs on this machine: name a file by --jobs or RAMIFY_JOBS"},
		"unable": {"RAMIFY_KINDS=reverse", `process node: kind "command" is unknown to this task`},
	} {
		told.run(t, "seed", "job:walk?path="+w.tree, "--run", run).requireCode(t, 0)
		p := told.with(test.env).work(t)
		c.awaitFleet(t, run, "finished_with_failures")
		if said := c.run(t, "failed", run).stdout; !strings.Contains(said, test.want) {
			t.Errorf("%s: said %s", run, said)
		}
		p.signal(t, terminate)
		p.wait(t).requireCode(t, 0)
	}
}
