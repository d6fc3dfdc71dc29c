package integration

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// walker is a user with a PATH, a tree of folders and a jobs.yaml of his own.
type walker struct {
	*user
	tree string
}

// folders are those of a tree with names that somebody might choose.
var folders = []string{"", "a", "a/b", "a/b/c", "a b", "a b/'q'", `a b/"q"`, "$(touch pwned)", "; touch pwned", "`touch pwned`", "new\nline", "-rf", "é\u2028", "{{path}}", "%s", "empty", "*", "a/#", "a/?x=1&y=2"}

func newWalker(t *testing.T, jobs string) *walker {
	t.Helper()
	u := newUser(t, "")
	u.env = append(u.env, "PATH="+os.Getenv("PATH"))
	w := &walker{u, u.path("tree")}
	for i, folder := range folders {
		dir := filepath.Join(w.tree, folder)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for n := range i % 4 {
			if err := os.WriteFile(filepath.Join(dir, "file "+strconv.Itoa(n)+"'\"\n"), make([]byte, i+n), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("/", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
	}
	w.write(t, "jobs.yaml", jobs)
	return w
}

func (w *walker) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// found is what the standard library finds: the size of each file by its path, and
// of each folder what is in it and below.
type found struct {
	files  map[string]int64
	usage  map[string][2]int64 // files, bytes
	bytes  int64
	number int64
}

func (w *walker) find(t *testing.T) found {
	t.Helper()
	f := found{files: map[string]int64{}, usage: map[string][2]int64{}}
	err := filepath.WalkDir(w.tree, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			f.usage[path] = [2]int64{}
		case d.Type().IsRegular():
			info, err := d.Info()
			if err != nil {
				return err
			}
			f.files[path] = info.Size()
			f.number++
			f.bytes += info.Size()
			for dir := filepath.Dir(path); len(dir) >= len(w.tree); dir = filepath.Dir(dir) {
				u := f.usage[dir]
				f.usage[dir] = [2]int64{u[0] + 1, u[1] + info.Size()}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// rowsOf are the rows of an inventory that a command wrote.
func rowsOf[T any](t *testing.T, dir string) (rows []T) {
	t.Helper()
	for _, f := range readManifest(t, dir).Files {
		for line := range strings.Lines(string(unzstd(t, readFile(t, dir+"/"+f.Key)))) {
			var row T
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatalf("row %s: %v", line, err)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// requireFiles fails the test unless each file is in the inventory once.
func (f found) requireFiles(t *testing.T, dir string) {
	t.Helper()
	type row struct {
		Path string
		Size int64
	}
	rows := rowsOf[row](t, dir)
	got := map[string]int64{}
	for _, r := range rows {
		got[r.Path] = r.Size
	}
	if len(rows) != len(got) || !maps.Equal(got, f.files) {
		t.Errorf("%d rows of %d files, want these %d once:\n%v\n%v", len(rows), len(got), len(f.files), got, f.files)
	}
}

func (f found) requireSummary(t *testing.T, r result) {
	t.Helper()
	sum := parseSummary(t, r.stdout)
	if sum.State != "finished" || sum.Nodes != int64(len(f.usage)) || sum.Failed != 0 || sum.Totals.Objects != f.number || sum.Totals.Bytes != f.bytes {
		t.Errorf("got %+v, want %d nodes, %d objects, %d bytes", sum, len(f.usage), f.number, f.bytes)
	}
}

const example = "../examples/jobs.yaml"

func exampleJobs(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(example)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// node is a node as JSON.
func jobNode(t *testing.T, job string, params map[string]string) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"kind": "command", "id": job, "args": map[string]any{"job": job, "params": params}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The example of docs/processors/command.md: a script walks a tree of folders, and
// finds what the standard library finds.
func TestCommandWalk(t *testing.T) {
	t.Parallel()
	w := newWalker(t, "")
	want := w.find(t)
	for name, args := range map[string][]string{
		"target": {"job:walk?path=" + w.tree},
		"node":   {jobNode(t, "walk", map[string]string{"path": w.tree})},
		"alone":  {"job:walk?path=" + w.tree, "--inline", "0", "--concurrency", "4"},
		"kinds":  {"job:walk?path=" + w.tree, "--kinds", "command,reverse"},
	} {
		r := w.run(t, append([]string{"run"}, append(args, "--jobs", exampleJobs(t), "--out", name, "--json")...)...)
		r.requireCode(t, 0)
		want.requireSummary(t, r)
		want.requireFiles(t, w.path(name))
	}
	if _, err := os.Stat("../examples/pwned"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a name became a command: %v", err)
	}
}

// A reduce knows what is in a folder and all below it.
func TestCommandReduce(t *testing.T) {
	t.Parallel()
	w := newWalker(t, "")
	want := w.find(t)
	for _, inline := range []string{"0", "1000"} {
		out := "out" + inline
		r := w.run(t, "run", "job:usage?path="+w.tree, "--jobs", exampleJobs(t), "--out", out, "--json", "--inline", inline)
		r.requireCode(t, 0)
		want.requireSummary(t, r)
		type row struct {
			Path         string
			Files, Bytes int64
		}
		got := map[string][2]int64{}
		rows := rowsOf[row](t, w.path(out))
		for _, r := range rows {
			got[r.Path] = [2]int64{r.Files, r.Bytes}
		}
		if len(rows) != len(want.usage) || !maps.Equal(got, want.usage) {
			t.Errorf("got %v\nwant %v", got, want.usage)
		}
	}
}

// What is wrong is said before there is a run, in one line.
func TestCommandUsage(t *testing.T) {
	t.Parallel()
	w := newWalker(t, "jobs:\n  walk:\n    params: {path: }\n    run: [ls, '{{path}}']\n  sum: {run: ['true'], reduce: ['true']}\n")
	w.write(t, "wrong.yaml", "jobs:\n  walk:\n    run: [ls]\n    tiemout: 3s\n")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"job:walk?path=/"}, `target "job:walk?path=/" is a job: name the file that says what it is by --jobs`},
		{[]string{"job:"}, `target "job:" names no job; want job:NAME?PARAM=VALUE`},
		{[]string{"job:walk?path=%zz"}, `want job:NAME?PARAM=VALUE&…, with %26 for &`},
		{[]string{"job:walk?path=1&path=2", "--jobs", "jobs.yaml"}, `parameter path is there 2 times, want it once`},
		{[]string{"job:walk", "--jobs", "jobs.yaml"}, `target "job:walk": params.path is "", want a value: job walk cannot do without`},
		{[]string{"job:walk?path=x&y=1", "--jobs", "jobs.yaml"}, `params is "y=1", want one of path`},
		{[]string{"job:walk?path=-rf", "--jobs", "jobs.yaml"}, `params.path is "-rf", want a value that does not begin with a dash`},
		{[]string{"job:wlak", "--jobs", "jobs.yaml"}, `job is "wlak", want one of ` + w.path("jobs.yaml") + `: sum, walk`},
		{[]string{"job:walk", "--jobs", "none.yaml"}, `--jobs: read jobs: open none.yaml: no such file`},
		{[]string{"job:walk", "--jobs", "wrong.yaml"}, `--jobs: wrong.yaml:4: job walk: field is "tiemout", want one of about, `},
		{[]string{`{"kind":"command","id":"x","args":{"job":"walk"}}`, "--jobs", "jobs.yaml"}, `target: params.path is ""`},
		{[]string{`{"kind":"command","id":"x","args":{"job":"sum"}}`, "--jobs", "jobs.yaml"}, `target: kind is "command", want command.reduce, as job sum is`},
		{[]string{`{"kind":"command","id":"x","args":{"jobs":"sum"}}`, "--jobs", "jobs.yaml"}, `target: read args: json: unknown field "jobs"`},
		{[]string{"job:sum", "--jobs", "jobs.yaml", "--kinds", "command"}, `--kinds is "command", but the run begins with a node of kind command.reduce`},
		{[]string{"job:sum", "--jobs", "jobs.yaml", "--kinds", "comand"}, `--kinds is "comand", want some of command, command.flow, command.outcome, command.reduce, `},
	} {
		r := w.run(t, append([]string{"run"}, test.args...)...)
		r.requireCode(t, 1)
		if line := strings.TrimSuffix(r.stderr, "\n"); !strings.Contains(line, test.want) || strings.Contains(line, "\n") {
			t.Errorf("%q said %q, want %q", test.args, r.stderr, test.want)
		}
	}
	if files := w.stateFiles(t); len(files) > 0 {
		t.Errorf("there are runs: %v", files)
	}
}

// What failed below a node that is not done is counted, and cannot be listed: that is said.
func TestFailedOfARunThatGoesOn(t *testing.T) {
	t.Parallel()
	w := newWalker(t, `
jobs:
  root: {run: [sh, -c, 'echo "{\"child\": {\"job\": \"middle\"}}" >&3']}
  middle: {run: [sh, -c, 'cat children >&3']}
  exits: {run: [sh, -c, 'exit 3'], retries: 0}
  waits: {run: [sh, -c, 'cat gate >/dev/null']}
`)
	w.write(t, "children", `{"child": {"job": "exits"}}
{"child": {"job": "waits"}}
`)
	if err := syscall.Mkfifo(w.path("gate"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := w.start(t, "run", "job:root", "--jobs", "jobs.yaml", "--run", "r", "--inline", "0")
	p.stderr.await(t, "run r")
	c := crew{user: w.user}
	c.awaitSummary(t, "r", "failed", func(s summary) bool { return s.Failed == 1 })
	r := w.run(t, "failed", "r")
	r.requireCode(t, 0)
	requireText(t, r.stderr, "1 more node failed below nodes that are not done yet, and will be listed when those are.\n")
	requireText(t, r.stdout, "")
	requireText(t, w.run(t, "failed", "r", "--json").stderr, r.stderr)
	w.write(t, "gate", "go on\n")
	p.wait(t).requireCode(t, 3)
	r = w.run(t, "failed", "r")
	requireText(t, r.stderr, "")
	requireText(t, r.stdout, "depth  kind     attempts  given up, UTC        node   reason\n    2  command         1  {any}  exits  run job exits: exit code 3\n")
}

// A node that fails is one of the run's failures, with the reason; nothing else
// stops. What is mended is done by a redrive, with the file as it then is.
func TestCommandFailures(t *testing.T) {
	t.Parallel()
	w := newWalker(t, `
jobs:
  root:
    run: [sh, -c, 'cat children >&3']
  fine: {run: [sh, -c, 'echo "{\"count\": {\"objects\": 1}}" >&3']}
  missing: {run: [no-such-program]}
  exits: {run: [sh, -c, 'echo the reason >&2; exit 3'], exit: {give_up: 3}}
  slow: {run: [sh, -c, 'trap "" TERM; sleep 600'], timeout: 100ms, kill_after: 100ms, retries: 0}
  babbles: {run: [sh, -c, 'echo hello >&3']}
  tries: {run: ["false"], retries: 1}
`)
	w.write(t, "children", `{"child": {"job": "fine"}}
{"child": {"job": "missing"}}
{"child": {"job": "exits"}}
{"child": {"job": "slow"}}
{"child": {"job": "babbles"}}
{"child": {"job": "tries"}}
{"child": {"kind": "unheard.of", "id": "a kind"}}
{"child": {"kind": "command", "id": "a job", "args": {"job": "none"}}}
{"child": {"kind": "reverse", "id": "stressed"}}
`)
	r := w.run(t, "run", "job:root", "--jobs", "jobs.yaml", "--run", "r", "--json")
	r.requireCode(t, 3)
	sum := parseSummary(t, r.stdout)
	if sum.Nodes != 3 || sum.Failed != 7 || sum.Totals.Objects != 2 || sum.Retries != 1 {
		t.Errorf("got %+v", sum)
	}
	said := w.run(t, "failed", "r").stdout
	for _, want := range []string{
		`missing  run job missing: program "no-such-program" is not found`,
		"exits    run job exits: exit code 3: the reason",
		"slow     run job slow: it took longer than its timeout, 100ms",
		`babbles  run job babbles: line 1 of what it said is "hello": it is no JSON object`,
		"tries    run job tries: exit code 1",
		`process node: kind "unheard.of" is unknown to this task`,
		`job is "none", want one of ` + w.path("jobs.yaml"),
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
	w.write(t, "jobs.yaml", `
jobs:
  missing: {run: ["true"]}
  exits: {run: ["true"]}
  slow: {run: ["true"]}
  babbles: {run: ["true"]}
  tries: {run: ["true"]}
  none: {run: ["true"]}
`)
	r = w.run(t, "redrive", "r", "--json")
	r.requireCode(t, 3)
	if sum := parseSummary(t, r.stdout); sum.Nodes != 9 || sum.Failed != 1 {
		t.Errorf("redriven, got %+v", sum)
	}
}

// With --kinds a node of another kind is given up, and resume may say otherwise.
func TestKinds(t *testing.T) {
	t.Parallel()
	w := newWalker(t, `jobs: {root: {run: [sh, -c, 'echo "{\"child\": {\"kind\": \"reverse\", \"id\": \"stressed\"}}" >&3']}}`)
	w.run(t, "run", "job:root", "--jobs", "jobs.yaml", "--kinds", "command", "--run", "r").requireCode(t, 3)
	if said := w.run(t, "failed", "r").stdout; !strings.Contains(said, `kind "reverse" is unknown to this task`) {
		t.Errorf("said %s", said)
	}
	w.run(t, "redrive", "r", "--kinds", "reverse").requireCode(t, 1)
	w.run(t, "redrive", "r", "--kinds", "command,reverse").requireCode(t, 0)

	w.run(t, "run", `{"kind":"reverse","id":"stressed"}`, "--out", "out").requireCode(t, 0)
	type row struct{ ID, Reversed string }
	if rows := rowsOf[row](t, w.path("out")); !slices.Equal(rows, []row{{"stressed", "desserts"}}) {
		t.Errorf("got %v", rows)
	}
}

// What a shell expects of signals holds for the programs that ramify starts.
func TestCommandSignals(t *testing.T) {
	t.Parallel()
	w := newWalker(t, `jobs: {pipe: {shell: true, run: '{ yes; echo $? >code; } | head -1 >/dev/null; while ! [ -s code ]; do sleep 0.05; done'}}`)
	w.run(t, "run", "job:pipe", "--jobs", "jobs.yaml").requireCode(t, 0)
	if code := string(readFile(t, w.path("code"))); code != "141\n" {
		t.Errorf("the writer of a closed pipe ended with %q, want 128 + SIGPIPE", code)
	}
}

// A tree that never ends ends at its limit, on the node that is too deep.
func TestCommandTooDeep(t *testing.T) {
	t.Parallel()
	w := newWalker(t, `jobs: {deep: {shell: true, run: 'echo "{\"child\": {}}" >&3'}}`)
	p := w.start(t, "run", "job:deep", "--jobs", "jobs.yaml", "--run", "r", "--json")
	r := p.program().WaitFor(t, 5*patience()) // ten thousand programs, one after the other
	r.RequireCode(t, 3)
	if sum := parseSummary(t, r.Stdout); sum.Nodes != 10_000 || sum.Failed != 1 {
		t.Errorf("got %+v", sum)
	}
	if said := w.run(t, "failed", "r").stdout; !strings.Contains(said, "at most 10000 levels; does the tree have a cycle?") {
		t.Errorf("said %s", said)
	}
}

// Killed at any moment, a run goes on with the jobs that it began with, and each
// folder counts once. What was running then is no more.
func TestCommandKilled(t *testing.T) {
	t.Parallel()
	w := newWalker(t, "")
	want := w.find(t)
	v := victim{
		user: w.user, name: "r", out: "out",
		command: []string{"run", "job:walk?path=" + w.tree, "--run", "r", "--jobs", exampleJobs(t), "--out", "out", "--concurrency", "4"},
		args:    []string{"--json"},
	}
	r := v.toTheEnd(t, newKiller(t, 1500*time.Millisecond), killsPerCase())
	r.requireCode(t, 0)
	want.requireSummary(t, r)
	want.requireFiles(t, w.path("out"))

	w.write(t, "jobs.yaml", `jobs: {wait: {run: [sh, -c, 'echo $$ >pid; exec sleep 600']}}`)
	p := w.start(t, "run", "job:wait", "--jobs", "jobs.yaml", "--run", "w")
	pid := awaitPID(t, w.path("pid"))
	p.signal(t, kill)
	<-p.done
	awaitNoProcess(t, pid)
	w.write(t, "jobs.yaml", `jobs: {wait: {run: ["true"]}}`)
	w.run(t, "resume", "w").requireCode(t, 0)
}

// Interrupted, ramify ends the programs that run, and goes on with them later.
func TestCommandInterrupted(t *testing.T) {
	t.Parallel()
	w := newWalker(t, `jobs: {wait: {kill_after: 100ms, run: [sh, -c, 'trap "" TERM; [ -e go ] && exit; sleep 600 & echo $! >pid; wait; wait']}}`)
	p := w.start(t, "run", "job:wait", "--jobs", "jobs.yaml", "--run", "r")
	pid := awaitPID(t, w.path("pid"))
	p.signal(t, interrupt)
	p.wait(t).requireCode(t, 130)
	awaitNoProcess(t, pid)
	w.write(t, "go", "")
	w.run(t, "resume", "r").requireCode(t, 0)
}

// awaitPID waits until a program has written its number.
func awaitPID(t *testing.T, path string) (pid int) {
	t.Helper()
	awaitThat(t, "a number in "+path, func() bool {
		text, _ := os.ReadFile(path)
		line, whole := strings.CutSuffix(string(text), "\n")
		var err error
		pid, err = strconv.Atoi(line)
		return whole && err == nil
	})
	return pid
}

func awaitNoProcess(t *testing.T, pid int) {
	t.Helper()
	awaitThat(t, "the end of process "+strconv.Itoa(pid), func() bool {
		stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || strings.Contains(string(stat), ") Z ")
	})
}

// awaitThat asks until something holds: other processes tell us nothing.
func awaitThat(t *testing.T, what string, holds func() bool) {
	t.Helper()
	over := time.After(deadline)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-over:
			t.Fatalf("no %s after %v", what, deadline)
		}
	}
}

// The example has nothing that is rarely meant; what has is said with its line.
func TestJobsCheck(t *testing.T) {
	t.Parallel()
	w := newWalker(t, "jobs:\n  a:\n    shell: true\n    params: {dir: }\n    run: ls $RAMIFY_PARAM_dir\n")
	w.write(t, "wrong.yaml", "jobs:\n  a: {run: ls}\n")
	r := w.run(t, "jobs", "check", exampleJobs(t))
	r.requireCode(t, 0)
	requireText(t, r.stdout, "")

	r = w.run(t, "jobs", "check", "jobs.yaml")
	r.requireCode(t, 3)
	requireText(t, r.stdout, "jobs.yaml:2: job a: it has no timeout{any}\njobs.yaml:2: job a: $RAMIFY_PARAM_dir is without quotes{any}\n")
	r = w.run(t, "jobs", "check", "jobs.yaml", "--json")
	r.requireCode(t, 3)
	requireText(t, r.stdout, `{"line":2,"job":"a","text":"it has no timeout{any}"}`+"\n"+`{"line":2,"job":"a","text":"$RAMIFY_PARAM_dir{any}"}`+"\n")

	r = w.run(t, "jobs", "check", "wrong.yaml")
	r.requireCode(t, 1)
	requireText(t, r.stderr, `ramify: wrong.yaml:2: job a: run is "ls", want a list, {any}`+"\n")
	w.run(t, "jobs", "check", "none.yaml").requireCode(t, 1)
}
