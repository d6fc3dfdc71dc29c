package integration

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/internal/emulator/counter"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
)

// jobBatch is a file of jobs, spread over queues of a name.
func jobBatch(t *testing.T, u *user, name string, jobs, queues int) string {
	t.Helper()
	var b strings.Builder
	for i := range jobs {
		fmt.Fprintf(&b, "%s%d true\n", name, i%queues)
	}
	file := u.path(name + ".batch")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// total is how many requests there were, and of which kinds, since an earlier count.
func total(before, after map[string]int) (n int, of string) {
	var parts []string
	for _, op := range slices.Sorted(maps.Keys(after)) {
		if d := after[op] - before[op]; d > 0 {
			n += d
			parts = append(parts, fmt.Sprintf("%d %s", d, op))
		}
	}
	return n, strings.Join(parts, ", ")
}

// requestRow is an operation: what qdone's documentation says it takes, and how to do it.
type requestRow struct {
	name  string
	qdone int // by its formulas, "SQS API Call Complexity" in its README
	do    func(t *testing.T, u *jobUser)
}

var requestRows = []requestRow{
	{"enqueue, to a queue that is there", 2, func(t *testing.T, u *jobUser) { u.enqueue(t, "there", "true") }},
	{"enqueue, to a new queue", 2 + 3, func(t *testing.T, u *jobUser) { u.enqueue(t, "new", "true") }},
	{"enqueue-batch, 25 jobs to one queue that is there", 1 + 3, func(t *testing.T, u *jobUser) {
		u.run(t, "enqueue-batch", jobBatch(t, u.user, "batch", 25, 1)).requireCode(t, 0)
	}},
	{"enqueue-batch, 24 jobs to three new queues", 3 + 3 + 3*3, func(t *testing.T, u *jobUser) {
		u.run(t, "enqueue-batch", jobBatch(t, u.user, "newbatch", 24, 3)).requireCode(t, 0)
	}},
	{"worker, a round of three empty queues", 3 + 3, func(t *testing.T, u *jobUser) { u.drain(t, 0, "empty0", "empty1", "empty2") }},
	{"worker, the same of `'empty*'`", 1 + 3, func(t *testing.T, u *jobUser) { u.drain(t, 0, "empty*") }},
	{"worker --active-only, the same", 1 + 3, func(t *testing.T, u *jobUser) { u.drain(t, 0, "--active-only", "empty*") }},
	// One to list queues and three to look into them, before each job and at the end; and two a job.
	{"worker --active-only, three short jobs in one of three queues", 4*(1+3) + 3*2, func(t *testing.T, u *jobUser) { u.drain(t, 0, "--active-only", "some*", "--wait-time", "5") }},
	// One to find the queue, a receive for each job and one that finds nothing, and 1 a job.
	{"worker, three short jobs and an empty round", 1 + 4 + 3, func(t *testing.T, u *jobUser) { u.drain(t, 0, "short") }},
	{"worker, a job of 25 seconds and an empty round", 1 + 2 + 2, func(t *testing.T, u *jobUser) { u.drain(t, 0, "long", "--kill-after", "60") }},
}

// prepare makes what the rows need, past the counter.
func prepareRequests(t *testing.T, u *jobUser) {
	t.Helper()
	u.enqueue(t, "there", "true")
	for range 3 {
		u.enqueue(t, "short", "true")
		u.enqueue(t, "some0", "true")
	}
	u.enqueue(t, "long", "sleep", "25") // more is asked for after 15 seconds, and not again
	for _, q := range []string{"batch0", "empty0", "empty1", "empty2", "some1", "some2"} {
		u.enqueue(t, q, "true")
		u.drain(t, 0, q)
	}
}

// No operation takes more requests than qdone says of its own, and the table in the
// documentation has what was counted.
func TestJobRequestsAreNoMoreThanQdones(t *testing.T) {
	t.Parallel()
	direct := elasticmq.URL(t)
	u := newJobUser(t, direct)
	prepareRequests(t, u)
	doc, err := os.ReadFile("../docs/jobs/queue.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range requestRows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := counter.New(t, direct)
			through := *u
			through.user = &user{dir: t.TempDir(), env: append(slices.Clone(u.env), "AWS_ENDPOINT_URL="+c.URL)}
			row.do(t, &through)
			n, of := total(nil, c.Requests())
			t.Logf("%d requests (%s), qdone says %d", n, of, row.qdone)
			if n > row.qdone {
				t.Errorf("%d requests (%s), and qdone says %d", n, of, row.qdone)
			}
			if want := fmt.Sprintf("| %s | %d | %d |", row.name, row.qdone, n); !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(want)).Match(doc) {
				t.Errorf("docs/jobs/queue.md has no row %s", want)
			}
		})
	}
}

// Nothing is asked in vain: a worker that waits makes one request of each queue a round,
// however long it does.
func TestListeningCostsNoMoreThanReceives(t *testing.T) {
	t.Parallel()
	direct := elasticmq.URL(t)
	u := newJobUser(t, direct)
	for _, q := range []string{"a", "b"} {
		u.enqueue(t, q, "true")
		u.drain(t, 0, q)
	}
	c := counter.New(t, direct)
	u.env = append(u.env, "AWS_ENDPOINT_URL="+c.URL)
	p := u.start(t, "worker", "a", "b", "--wait-time", "1")
	go func() { // the counter tells nobody
		for tick := time.NewTicker(50 * time.Millisecond); c.Requests()["ReceiveMessage"] < 7 && p.running(); {
			<-tick.C
		}
		_ = p.cmd.Process.Signal(terminate)
	}()
	p.wait(t).requireCode(t, 0)
	got := c.Requests()
	if got["GetQueueUrl"] != 2 || got["ReceiveMessage"] < 7 || len(got) != 2 {
		t.Errorf("requests: %v", got)
	}
}

// A batch fills its requests by bytes, too: a mebibyte and no more.
func TestJobBatchesFillRequests(t *testing.T) {
	t.Parallel()
	direct := elasticmq.URL(t)
	u := newJobUser(t, direct)
	u.enqueue(t, "big", "true")
	var b strings.Builder
	const jobs, size = 9, 300_000
	for range jobs {
		b.WriteString("big echo " + strings.Repeat("x", size) + "\n")
	}
	if err := os.WriteFile(u.path("batch"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	c := counter.New(t, direct)
	u.env = append(u.env, "AWS_ENDPOINT_URL="+c.URL)
	u.run(t, "enqueue-batch", "batch").requireCode(t, 0)
	if n := c.Requests()["SendMessageBatch"]; n != jobs/3 {
		t.Errorf("%d requests for %s jobs of %d bytes, want %d", n, strconv.Itoa(jobs), size, jobs/3)
	}
}
