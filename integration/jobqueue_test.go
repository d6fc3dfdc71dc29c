package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/internal/emulator/ministack"
)

// jobUser is somebody who types jobs, with queues of his own on a server.
type jobUser struct {
	*user
	prefix string
}

var jobUsers atomic.Int64

// newJobUser has queues at an endpoint; none is this machine.
func newJobUser(t *testing.T, endpoint string, env ...string) *jobUser {
	t.Helper()
	u := &jobUser{user: newUser(t, ""), prefix: fmt.Sprintf("j%d-%d_", os.Getpid(), jobUsers.Add(1))}
	u.env = append(u.env, "PATH="+os.Getenv("PATH"), "RAMIFY_PREFIX="+u.prefix)
	if endpoint == "" {
		u.env = append(u.env, "RAMIFY_LOCAL=true")
	} else {
		u.env = append(u.env, "RAMIFY_SIGNING_KEY="+signingKey, "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL="+endpoint,
			"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
	}
	u.env = append(u.env, env...)
	return u
}

// onJobServers runs a test on each server, and on this machine alone.
func onJobServers(t *testing.T, test func(t *testing.T, u *jobUser)) {
	t.Parallel()
	for name, url := range map[string]func(testing.TB) string{
		"elasticmq": elasticmq.URL, "ministack": ministack.URL, "local": func(testing.TB) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newJobUser(t, url(t)))
		})
	}
}

// jobEvent is a line of what enqueue and worker print.
type jobEvent struct {
	Event, Job, Command, Queue, KillSignal, Stdout, Stderr, ErrorMessage string

	Timestamp time.Time
	ExitCode  *int
	QueueMade bool
	Jobs      int
	Tally     struct{ Succeeded, Failed, Refused int }
}

func jobEvents(t *testing.T, text string) (all []jobEvent) {
	t.Helper()
	for line := range strings.Lines(text) {
		var e jobEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Event == "" || e.Timestamp.IsZero() {
			t.Fatalf("line %q: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

// only are the events of a name.
func only(all []jobEvent, event string) (some []jobEvent) {
	for _, e := range all {
		if e.Event == event {
			some = append(some, e)
		}
	}
	return some
}

func (u *jobUser) enqueue(t *testing.T, args ...string) jobEvent {
	t.Helper()
	r := u.run(t, append([]string{"enqueue"}, args...)...)
	r.requireCode(t, 0)
	return jobEvents(t, r.stdout)[0]
}

// drain works until nothing is left.
func (u *jobUser) drain(t *testing.T, code int, args ...string) []jobEvent {
	t.Helper()
	r := u.run(t, append([]string{"worker", "--drain", "--wait-time", "1"}, args...)...)
	r.requireCode(t, code)
	return jobEvents(t, r.stdout)
}

// A job is what was typed, argument by argument; what fails is in the failed queue, with
// the same id, and can be tried from there.
func TestJobsAreRun(t *testing.T) {
	onJobServers(t, func(t *testing.T, u *jobUser) {
		good := u.enqueue(t, "q", "printf", "<%s>", "a  b", "$HOME;", "ä\n")
		bad := u.enqueue(t, "q", "sh", "-c", "echo out; echo err >&2; exit 7")
		if !good.QueueMade || bad.QueueMade || good.Queue != "q" {
			t.Errorf("got %+v, %+v", good, bad)
		}
		all := u.drain(t, 3, "q")
		ok, failed := only(all, "JOB_SUCCEEDED"), only(all, "JOB_FAILED")
		if len(ok) != 1 || ok[0].Job != good.Job || ok[0].Stdout != "<a  b><$HOME;><ä\n>" {
			t.Errorf("got %+v", ok)
		}
		if len(failed) != 1 || failed[0].Job != bad.Job || *failed[0].ExitCode != 7 || failed[0].Stdout != "out\n" || failed[0].Stderr != "err\n" || failed[0].ErrorMessage != "exit code 7" {
			t.Errorf("got %+v", failed)
		}
		if again := u.drain(t, 0, "q"); len(only(again, "JOB_FAILED")) > 0 {
			t.Errorf("it came back: %+v", again)
		}
		again := only(u.drain(t, 3, "q_failed"), "JOB_FAILED")
		if len(again) != 1 || again[0].Job != bad.Job || again[0].Queue != "q_failed" {
			t.Errorf("in the failed queue: %+v", again)
		}
	})
}

// Several queues by the beginning of their names; failed queues only where they are asked
// for; a batch in as many queues as it names.
func TestJobsOfManyQueues(t *testing.T) {
	onJobServers(t, func(t *testing.T, u *jobUser) {
		var lines strings.Builder
		lines.WriteString("# a comment\n\n")
		for i := range 30 {
			fmt.Fprintf(&lines, "test%d  echo 'job %d'\n", i%3, i)
		}
		lines.WriteString(`other ["echo", "not me"]` + "\n")
		if err := os.WriteFile(u.path("batch"), []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		r := u.run(t, "enqueue-batch", "batch")
		r.requireCode(t, 0)
		sent := jobEvents(t, r.stdout)
		if n := len(only(sent, "JOB_ENQUEUED")); n != 31 || sent[len(sent)-1].Jobs != 31 {
			t.Fatalf("%d jobs, %+v", n, sent[len(sent)-1])
		}
		u.enqueue(t, "test0", "false")
		ok := only(u.drain(t, 3, "test*", "--concurrency", "8"), "JOB_SUCCEEDED")
		said := map[string]bool{}
		for _, e := range ok {
			said[e.Stdout] = true
		}
		for i := range 30 {
			if !said[fmt.Sprintf("job %d\n", i)] {
				t.Errorf("job %d did not run", i)
			}
		}
		if len(ok) != 30 {
			t.Errorf("%d jobs ran", len(ok))
		}
		if all := u.drain(t, 0, "test*", "--active-only"); len(all) != 1 {
			t.Errorf("the failed queue was listened to: %+v", all)
		}
		if failed := only(u.drain(t, 3, "test*", "--include-failed", "--active-only"), "JOB_FAILED"); len(failed) != 1 {
			t.Errorf("the failed queue was not listened to: %+v", failed)
		}
	})
}

// Jobs of a group run one after the other, in order, however many run at a time; what is
// sent twice under one id runs once.
func TestJobsInOrder(t *testing.T) {
	onJobServers(t, func(t *testing.T, u *jobUser) {
		var lines strings.Builder
		for i := range 12 {
			fmt.Fprintf(&lines, "steps sh -c 'echo begin %d; echo end %d' \n", i, i)
		}
		if err := os.WriteFile(u.path("batch"), []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			u.run(t, "enqueue-batch", "--fifo", "--group-id", "g", "--deduplication-id", "all", "batch").requireCode(t, 0)
		}
		if e := u.enqueue(t, "--fifo", "steps", "false"); e.Queue != "steps.fifo" {
			t.Errorf("got %+v", e)
		}
		all := u.drain(t, 3, "--fifo", "steps", "--concurrency", "4")
		var got []string
		for _, e := range only(all, "JOB_SUCCEEDED") {
			got = append(got, strings.TrimPrefix(strings.Fields(e.Stdout)[1], "x"))
		}
		var want []string
		for i := range 12 {
			want = append(want, strconv.Itoa(i))
		}
		if !slices.Equal(got, want) {
			t.Errorf("ran %v, want %v", got, want)
		}
		if failed := only(u.drain(t, 3, "steps_failed.fifo"), "JOB_FAILED"); len(failed) != 1 {
			t.Errorf("in the failed queue: %+v", failed)
		}
	})
}

// What nobody has signed, or for another key, or a script where none was asked for, is
// not executed, and is in the failed queue.
func TestJobsAreRefused(t *testing.T) {
	onJobServers(t, func(t *testing.T, u *jobUser) {
		if strings.HasSuffix(t.Name(), "local") {
			u.env = append(u.env, "RAMIFY_SIGNING_KEY="+signingKey)
		}
		stranger := &jobUser{user: &user{dir: u.dir, env: append(slices.Clone(u.env), "RAMIFY_SIGNING_KEY=other:"+strings.Repeat("YWJj", 11))}, prefix: u.prefix}
		nobody := &jobUser{user: &user{dir: u.dir, env: append(slices.Clone(u.env), "RAMIFY_SIGNING_KEY=")}, prefix: u.prefix}
		stranger.enqueue(t, "q", "touch", u.path("stranger"))
		nobody.enqueue(t, "--unsigned", "q", "touch", u.path("nobody"))
		u.enqueue(t, "--shell", "q", "touch "+u.path("script"))
		all := u.drain(t, 3, "q")
		if n := len(only(all, "JOB_REFUSED")); n != 3 || all[len(all)-1].Tally.Refused != 3 {
			t.Errorf("%d refused: %+v", n, all)
		}
		for _, name := range []string{"stranger", "nobody", "script"} {
			if _, err := os.Stat(u.path(name)); err == nil {
				t.Errorf("%s was executed", name)
			}
		}
		// The script was moved, and runs where the worker was told so.
		if ok := only(u.drain(t, 3, "--shell", "q_failed"), "JOB_SUCCEEDED"); len(ok) != 1 {
			t.Errorf("got %+v", ok)
		}
		if _, err := os.Stat(u.path("script")); err != nil {
			t.Error(err)
		}
		if r := nobody.run(t, "worker", "q", "--drain"); !strings.HasSuffix(t.Name(), "local") && (r.code != 1 || !strings.Contains(r.stderr, "--unsigned")) {
			t.Errorf("without a key: %d %s", r.code, r.stderr)
		}
	})
}

// What cannot be is refused before anything is sent, with the reason.
func TestJobsUsage(t *testing.T) {
	t.Parallel()
	u := newJobUser(t, "")
	if err := os.WriteFile(u.path("wrong"), []byte("q echo good\nq echo 'open\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		says string
		args []string
	}{
		{"15 minutes at most", []string{"enqueue", "--delay", "16m", "q", "true"}},
		{"overtake", []string{"enqueue", "--delay", "1m", "--fifo", "q", "true"}},
		{"FIFO queue", []string{"enqueue", "--delay", "1m", "q.fifo", "true"}},
		{"only FIFO queues have groups", []string{"enqueue", "--group-id", "a", "q", "true"}},
		{"only FIFO queues know one", []string{"enqueue", "--deduplication-id", "a", "q", "true"}},
		{"leave out one of them", []string{"enqueue-batch", "--fifo", "--group-id", "a", "--group-id-per-message", "wrong"}},
		{"line 2 of wrong", []string{"enqueue-batch", "wrong"}},
		{"nothing was sent", []string{"enqueue-batch", "wrong"}},
		{"is one word", []string{"enqueue", "q", "echo hello"}},
		{"is one word", []string{"enqueue", "q", "python /opt/x.py 42"}},
		{"is empty", []string{"enqueue", "q", ""}},
		{`"--dealy" is no option`, []string{"enqueue", "q", "--dealy", "5", "true"}},
		{`argument "\xff" is not UTF-8`, []string{"enqueue", "q", "cat", "\xff"}},
		{`"a b", want letters`, []string{"enqueue", "--fifo", "--group-id", "a b", "q", "true"}},
		{`"a\n", want letters`, []string{"enqueue", "--fifo", "--deduplication-id", "a\n", "q", "true"}},
		{"outcomes are no jobs", []string{"worker", "t*", "q", "--prefix", "-", "--results", "told"}},
		{"want a standard queue", []string{"worker", "q", "--results", "told.fifo"}},
		{`queue "a b"`, []string{"worker", "q", "--results", "a b"}},
		{`queue "a b"`, []string{"results", "a b"}},
		{`queue "a b"`, []string{"enqueue", "a b", "true"}},
		{"want 1s to 20s", []string{"worker", "q", "--drain", "--wait-time", "0", "--compat", "qdone", "--local=false"}},
		{"want a number from 1 to 1000", []string{"worker", "q", "--concurrency", "0"}},
		{"--compat is \"x\"", []string{"worker", "q", "--compat", "x"}},
		{"leave out --local", []string{"worker", "q", "--compat", "qdone"}},
		{"minutes", []string{"idle-queues", "q", "--idle-for", "soon"}},
		{"add --unpair", []string{"idle-queues", "q", "--include-failed"}},
		{"no signing key", []string{"enqueue", "--local=false", "q", "true"}},
	} {
		r := u.run(t, c.args...)
		if r.code != 1 || !strings.Contains(r.stderr, c.says) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d, %q; want 1, one line with %q", c.args, r.code, r.stderr, c.says)
		}
	}
	if r := u.run(t, "idle-queues", "*"); r.code != 0 || r.stdout != "" || r.stderr != "There is no queue *.\n" {
		t.Errorf("there are queues: %s%s", r.stdout, r.stderr)
	}
}

// A job that takes too long is ended with all that it has started.
func TestJobIsKilledAfter(t *testing.T) {
	onJobServers(t, func(t *testing.T, u *jobUser) {
		u.enqueue(t, "q", "sh", "-c", "trap 'echo asked; exit 0' TERM; sleep 1000 & echo $! > child; wait")
		failed := only(u.drain(t, 3, "q", "--kill-after", "8"), "JOB_FAILED")
		if len(failed) != 1 || !strings.Contains(failed[0].ErrorMessage, "longer than --kill-after, 8s") {
			t.Fatalf("got %+v", failed)
		}
		// It has a second to answer in, which a machine that stands still does not leave it.
		// Package processor/command has a test with a longer one.
		if failed[0].Stdout != "asked\n" && failed[0].KillSignal != "SIGKILL" {
			t.Errorf("it was not asked to end: %+v", failed)
		}
		u.awaitGone(t, "child")
	})
}

// awaitGone waits until the process whose number is in a file has ended.
func (u *jobUser) awaitGone(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(u.path(file))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); syscall.Kill(pid, 0) == nil && !zombie(pid); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("process %d of the job still runs", pid)
		}
	}
}

// zombie reports whether a process has ended and nobody has asked how.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z")
}

// The first signal lets what runs end, the second kills it with all that it has started,
// and the job is in the failed queue.
func TestWorkerIsTold(t *testing.T) {
	onJobServers(t, func(t *testing.T, u *jobUser) {
		work := func() *process {
			return u.start(t, "worker", "q", "--wait-time", "1", "--kill-after", "10m")
		}
		u.enqueue(t, "q", "sh", "-c", "echo > begun; while [ ! -e go ]; do sleep 0.05; done; echo finished")
		u.enqueue(t, "q", "sh", "-c", "sleep 1000 & echo $! > child; trap '' TERM; echo > running; wait")
		p := work()
		u.awaitFile(t, "begun")
		p.signal(t, terminate)
		if err := os.WriteFile(u.path("go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r := p.wait(t)
		r.requireCode(t, 0)
		all := jobEvents(t, r.stdout)
		if ok := only(all, "JOB_SUCCEEDED"); len(ok) != 1 || ok[0].Stdout != "finished\n" || len(all) != 2 {
			t.Fatalf("got %+v", all)
		}

		p = work()
		u.awaitFile(t, "running")
		p.signal(t, terminate)
		p.signal(t, interrupt)
		r = p.wait(t)
		r.requireCode(t, 130)
		if failed := only(jobEvents(t, r.stdout), "JOB_FAILED"); len(failed) != 1 || failed[0].KillSignal != "SIGKILL" {
			t.Errorf("got %+v", failed)
		}
		u.awaitGone(t, "child")
		u.drain(t, 0, "q")
		if failed := only(u.drain(t, 3, "q_failed", "--kill-after", "1"), "JOB_FAILED"); len(failed) != 1 {
			t.Errorf("in the failed queue: %+v", failed)
		}
	})
}

func (u *jobUser) awaitFile(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if _, err := os.Stat(u.path(name)); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("no file %s", name)
		}
	}
}

// What came of each job is in the queue for outcomes, with the job's id, until somebody
// has printed it.
func TestJobsAreTold(t *testing.T) {
	onJobServers(t, func(t *testing.T, u *jobUser) {
		told := "told-" + strings.TrimSuffix(u.prefix, "_")
		good, bad := u.enqueue(t, "q", "echo", "ok"), u.enqueue(t, "q", "sh", "-c", "echo why >&2; exit 3")
		u.drain(t, 3, "q", "--results", told)
		want := map[string]string{good.Job: "JOB_SUCCEEDED", bad.Job: "JOB_FAILED"}
		r := u.run(t, "results", told)
		r.requireCode(t, 0)
		for _, e := range jobEvents(t, r.stdout) {
			if want[e.Job] != e.Event || e.Queue != "q" || e.Event == "JOB_FAILED" && (*e.ExitCode != 3 || e.Stderr != "why\n") {
				t.Errorf("told %+v", e)
			}
			delete(want, e.Job)
		}
		if again := u.run(t, "results", told); len(want) > 0 || again.stdout != "" {
			t.Errorf("not told: %v; then %q", want, again.stdout)
		}
	})
}

// Who stops a batch that he types is not asked for one more line, and is told of each job
// whether it was sent.
func TestBatchIsStopped(t *testing.T) {
	t.Parallel()
	u := newJobUser(t, "")
	typed, types, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer types.Close()
	p := &process{cmd: u.command("enqueue-batch", "-"), stdout: newTranscript(), stderr: newTranscript(), done: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = typed, p.stdout, p.stderr
	p.begin(t)
	_ = typed.Close()
	// The first thousand of a queue are sent while it waits for more.
	if _, err := fmt.Fprint(types, strings.Repeat("q true\n", 1001)); err != nil {
		t.Fatal(err)
	}
	p.stdout.await(t, "JOB_ENQUEUED")
	p.signal(t, interrupt)
	r := p.wait(t)
	r.requireCode(t, 130)
	all := jobEvents(t, r.stdout)
	if sent, not := len(only(all, "JOB_ENQUEUED")), len(only(all, "JOB_NOT_ENQUEUED")); sent < 1000 || sent+not > 1001 || all[len(all)-1].Event != "BATCH_ENQUEUED" {
		t.Errorf("%d sent, %d not, %+v", sent, not, all[len(all)-1])
	}
}
