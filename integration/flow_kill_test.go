package integration

import (
	"maps"
	"os"
	"strings"
	"testing"
)

// A process that dies between a job's end and what follows it begins that job again, and
// no other, whichever it is: also the last of those that something waits for.
func TestFlowKilledAtEachEnd(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	u.env = append(u.env, "PATH="+os.Getenv("PATH"))
	// The first attempt at each job kills Ramify when its work is done and nothing of that is
	// committed: before what follows, before the join, before the end of the run.
	var jobs strings.Builder
	jobs.WriteString("results: told\njobs:\n")
	for name, fields := range map[string]string{
		"all":    `needs: [{job: part, params: {n: 1}}, {job: part, params: {n: 2}}], on_success: last, join: joined`,
		"part":   `on_success: sum`,
		"sum":    `timeout: 1m`,
		"last":   `timeout: 1m`,
		"joined": `timeout: 1m`,
	} {
		jobs.WriteString("  " + name + `: {params: {n: 0}, run: [sh, -c, 'echo "$0 $1" >> log; test -e "$0-$1" || { touch "$0-$1"; kill -9 $PPID; sleep 9; }', ` + name + `, "{{n}}"], ` + fields + "}\n")
	}
	u.write(t, "jobs.yaml", jobs.String())
	r := u.run(t, "jobs", "run", "all", "--run", "r", "--concurrency", "1")
	killed := 0
	for ; r.code == -1 && killed < 20; killed++ {
		r = u.run(t, "resume", "r")
	}
	r.requireCode(t, 0)
	got := map[string]int{}
	for line := range strings.Lines(string(readFile(t, u.path("log")))) {
		got[strings.TrimSpace(line)]++
	}
	want := map[string]int{"part 1": 2, "part 2": 2, "sum 1": 2, "sum 2": 2, "all 0": 2, "last 0": 2, "joined 0": 2}
	if !maps.Equal(got, want) || killed != len(want) {
		t.Errorf("run was %v after %d kills", got, killed)
	}
	told := u.run(t, "results", "told", "--local")
	told.requireCode(t, 0)
	if n := strings.Count(told.stdout, `"event":"JOB_SUCCEEDED"`); n < len(want) {
		t.Errorf("told was %s", told.stdout)
	}
}
