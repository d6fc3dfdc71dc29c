package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/internal/emulator/chaos"
	"github.com/ramify/ramify/internal/emulator/dynamodblocal"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/internal/emulator/ministack"
)

// night is a flow: parts that are fetched by many, summed up each, and loaded when
// all are there; then two servers are told, and when both are, somebody.
const night = `
jobs:
  night: {queue: flow, params: {day: }, needs: parts, on_success: load, join: reload, run: &log [sh, -c, 'echo "$(date +%s%N) $WORKER $RAMIFY_JOB $*" >> "$LOG"', sh, "{{day}}"], inherit: &see [WORKER, LOG]}
  parts: {queue: flow, params: {day: }, shell: true, run: 'for i in $(seq PARTS); do echo "{\"child\": {\"job\": \"fetch\", \"params\": {\"day\": \"$RAMIFY_PARAM_day\", \"part\": $i}}}" >&"$RAMIFY_FD"; done'}
  fetch: {queue: flow-io, params: {day: , part: }, run: [sh, -c, 'echo "$(date +%s%N) $WORKER fetch $1" >> "$LOG"; test "$1" != 3 || test -e "$LOG.ok"', sh, "{{part}}"], inherit: *see, retries: 0, on_success: sum, on_failure: mourn}
  sum: {queue: flow, params: {part: }, run: [sh, -c, 'echo "$(date +%s%N) $WORKER sum $1" >> "$LOG"', sh, "{{part}}"], inherit: *see}
  load: {queue: flow-io, params: {day: }, run: *log, inherit: *see}
  reload: {queue: [flow-web1, flow-web2], params: {day: }, run: *log, inherit: *see, on_success: done}
  done: {queue: flow, params: {day: }, run: *log, inherit: *see}
  mourn: {queue: flow, params: {part: }, run: [sh, -c, 'echo "$(date +%s%N) $WORKER mourn $1 $RAMIFY_ERROR" >> "$LOG"', sh, "{{part}}"], inherit: *see}
`

// flowLog is what jobs have written.
type flowLog struct {
	first, last map[string]int64  // moments, by job and part
	worker      map[string]string // who ran it; "a,b" of several
}

func readFlowLog(t *testing.T, path string) flowLog {
	t.Helper()
	l := flowLog{map[string]int64{}, map[string]int64{}, map[string]string{}}
	for line := range strings.Lines(string(readFile(t, path))) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 5)
		at, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		what := f[2] + " " + f[3]
		if l.first[what] == 0 {
			l.first[what] = at
		}
		l.last[what] = at
		if who := strings.Split(l.worker[what], ","); !slices.Contains(who, f[1]) {
			l.worker[what] = strings.TrimPrefix(strings.Join(append(who, f[1]), ","), ",")
		}
	}
	return l
}

// requireAfter fails the test where a job began before another had first been run.
func (l flowLog) requireAfter(t *testing.T, what string, before ...string) {
	t.Helper()
	if l.first[what] == 0 {
		t.Errorf("%s was not run", what)
	}
	for _, b := range before {
		if l.first[b] == 0 || l.first[b] >= l.first[what] {
			t.Errorf("%s began at %d, and %s at %d", what, l.first[what], b, l.first[b])
		}
	}
}

// requireNight fails the test unless all of the flow was run, in its order.
func (l flowLog) requireNight(t *testing.T, parts int) {
	t.Helper()
	var sums []string
	for i := range parts {
		sum := fmt.Sprintf("sum %d", i+1)
		sums = append(sums, sum)
		l.requireAfter(t, sum, fmt.Sprintf("fetch %d", i+1))
	}
	l.requireAfter(t, "night d", sums...)
	l.requireAfter(t, "load d", "night d")
	l.requireAfter(t, "reload d", "load d")
	l.requireAfter(t, "done d", "reload d")
	if len(l.first) != 2*parts+4+min(1, len(l.worker["mourn 3"])) {
		t.Errorf("run was %v", l.first)
	}
}

// nightNodes are the nodes of the flow: of night those that wait for needs and for
// joins and its own, parts, of each part two, load, of reload three, done.
func nightNodes(parts int) int64 { return int64(3 + 1 + 2*parts + 1 + 3 + 1) }

// outcomeLines are outcomes by job and part; the same may come twice.
func outcomeLines(t *testing.T, text string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(text) {
		var o struct {
			Event, ID, Run, Job, Queue string
			Params                     map[string]string
			Epoch                      int
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		what := fmt.Sprintf("%s %s%s %s %d", o.Job, o.Params["part"], o.Queue, o.Event, o.Epoch)
		if id := all[what]; id != "" && id != o.ID {
			t.Errorf("%s has ids %s and %s", what, id, o.ID)
		}
		all[what] = o.ID
	}
	return all
}

// A flow on this machine comes to its end however often it is killed, each step after
// those that it waits for; what failed is mended and gone on with, and each outcome
// is told.
func TestFlowKilled(t *testing.T) {
	t.Parallel()
	const parts = 6
	u := newUser(t, "")
	u.env = append(u.env, "PATH="+os.Getenv("PATH"), "WORKER=me", "LOG="+u.path("log"))
	if err := os.WriteFile(u.path("jobs.yaml"), []byte(strings.ReplaceAll(night, "PARTS", strconv.Itoa(parts))), 0o600); err != nil {
		t.Fatal(err)
	}
	k := newKiller(t, 400*time.Millisecond)
	v := victim{user: u, name: "n", out: "none", command: []string{"jobs", "run", "night", "day=d", "--run", "n", "--results", "told"}, args: []string{"--json", "--concurrency", "3"}}
	r := v.toTheEnd(t, k, 12)
	r.requireCode(t, 3)
	// The part that failed, an alert in its place, and nothing that waits for it; with
	// an outcome of each program.
	want := int64(2+parts*2-1) + int64(1+parts*2-1+1)
	if s := parseSummary(t, r.stdout); s.Failed != 1 || s.Nodes != want {
		t.Errorf("got %+v, want %d nodes", s, want)
	}
	if said := u.run(t, "failed", "n").stdout; !strings.Contains(said, "fetch day=d part=3") || !strings.Contains(said, "run job fetch: exit code 1") {
		t.Errorf("said %s", said)
	}
	if l := readFlowLog(t, u.path("log")); l.first["night d"] != 0 || l.first["mourn 3"] == 0 {
		t.Errorf("run was %v", l.first)
	}

	if err := os.WriteFile(u.path("log.ok"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	v.command = []string{"redrive", "n"}
	r = v.toTheEnd(t, k, 20)
	r.requireCode(t, 0)
	want = nightNodes(parts) + 1 + int64(parts*2+6+2) // the alert; outcomes: of parts, the alert, night, load, two reloads and done; and the failed one
	if s := parseSummary(t, r.stdout); s.Failed != 0 || s.Nodes != want {
		t.Errorf("got %+v, want %d nodes", s, want)
	}
	readFlowLog(t, u.path("log")).requireNight(t, parts)
	t.Logf("killed %d times", k.kills)

	told := u.run(t, "results", "told", "--local")
	told.requireCode(t, 0)
	got := outcomeLines(t, told.stdout)
	if len(got) != parts*2+6+2 {
		t.Errorf("told was %v", got)
	}
	if failed, mended := got["fetch 3 JOB_FAILED 0"], got["fetch 3 JOB_SUCCEEDED 1"]; failed == "" || failed != mended {
		t.Errorf("of part 3 was told %q, then %q", failed, mended)
	}
	if again := u.run(t, "results", "told", "--local"); again.code != 0 || again.stdout != "" {
		t.Errorf("again: %d, %s, %s", again.code, again.stdout, again.stderr)
	}
}

// flowCrew is a fleet with a worker for each queue.
type flowCrew struct {
	*crew
	queues []string
}

func newFlowCrew(t *testing.T, jobs string, env ...string) *flowCrew {
	t.Helper()
	c := &flowCrew{crew: newCrew(t, "").with(append([]string{
		"PATH=" + os.Getenv("PATH"), "RAMIFY_SIGNING_KEY=" + signingKey, "RAMIFY_CONCURRENCY=3", "RAMIFY_POLL_RATE=600", "RAMIFY_VISIBILITY=4s",
	}, env...)...)}
	c.env = append(c.env, "LOG="+c.path("log"), "RAMIFY_JOBS="+c.path("jobs.yaml"))
	for _, q := range []string{"flow", "flow-io", "flow-web1", "flow-web2"} {
		c.queues = append(c.queues, c.name+"-"+q)
		jobs = strings.ReplaceAll(jobs, "queue: "+q+",", "queue: "+c.name+"-"+q+",")
		jobs = strings.ReplaceAll(jobs, "["+q+", flow-web2]", "["+c.name+"-"+q+", "+c.name+"-flow-web2]")
	}
	if err := os.WriteFile(c.path("jobs.yaml"), []byte(jobs), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// setupAll makes the queues.
func (c *flowCrew) setupAll(t *testing.T) {
	t.Helper()
	for _, q := range c.queues {
		c.with("RAMIFY_QUEUE="+q).run(t, "setup").requireCode(t, 0)
	}
}

// worker starts a task on a queue.
func (c *flowCrew) worker(t *testing.T, queue string) *process {
	t.Helper()
	return c.with("RAMIFY_QUEUE="+queue, "WORKER="+strings.TrimPrefix(queue, c.name+"-")).start(t, "task")
}

// A flow over four queues, a worker on each, comes to its end though requests are lost
// and come twice, messages too, and workers are killed: each job on its own queue.
func TestFlowFleet(t *testing.T) {
	const parts = 5
	for _, name := range []string{"kind", "harsh", "ministack"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newFlowCrew(t, strings.ReplaceAll(night, "PARTS", strconv.Itoa(parts)))
			if name == "ministack" { // another SQS, another DynamoDB
				c.env = append(c.env, "AWS_ENDPOINT_URL_SQS="+ministack.URL(t), "AWS_ENDPOINT_URL_DYNAMODB="+ministack.URL(t))
			}
			c.setupAll(t)
			k := newKiller(t, 3*time.Second)
			kills := 0
			if name == "harsh" {
				kills = 12
				c.env = append(c.env,
					"AWS_ENDPOINT_URL_SQS="+chaos.New(t, elasticmq.URL(t), k.rand.Uint64(), chaos.Harsh).URL,
					"AWS_ENDPOINT_URL_DYNAMODB="+chaos.New(t, dynamodblocal.URL(t), k.rand.Uint64(), chaos.Harsh).URL)
			}
			workers := map[string]*process{}
			for _, q := range c.queues {
				workers[q] = c.worker(t, q)
			}
			first := c.with("RAMIFY_QUEUE=" + c.queues[0])
			run := "n-" + c.name // names of queues and runs are the server's for all tests
			told := "told-" + c.name
			begin := first.start(t, "jobs", "run", "night", "day=d", "--run", run, "--results", told, "--retries", "9", "--watch", "--json")
			follow := first.start(t, "results", told, "--follow")
			strike := func(end *process) {
				for i := 0; end.running(); i++ {
					q := c.queues[i%len(c.queues)]
					if i < kills && k.strike(t, workers[q]) {
						workers[q] = c.worker(t, q)
						continue
					}
					select {
					case <-end.done:
					case <-time.After(100 * time.Millisecond):
					}
				}
			}
			strike(begin)
			r := begin.wait(t)
			r.requireCode(t, 3)
			want := int64(2+parts*2-1) + int64(1+parts*2-1+1)
			if s := parseSummary(t, r.stdout); s.Failed != 1 || s.Nodes != want {
				t.Errorf("got %+v, want %d nodes", s, want)
			}
			if err := os.WriteFile(c.path("log.ok"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			first.run(t, "redrive", run).requireCode(t, 0)
			end := first.start(t, "watch", run)
			kills *= 2
			strike(end)
			end.wait(t).requireCode(t, 0)
			s := first.awaitFleet(t, run, "finished")
			if want := nightNodes(parts) + 1 + int64(parts*2+6+2); s.Failed != 0 || s.Nodes != want {
				t.Errorf("got %+v, want %d nodes", s, want)
			}
			l := readFlowLog(t, c.path("log"))
			l.requireNight(t, parts)
			for what, want := range map[string]string{
				"night d": "flow", "fetch 1": "flow-io", "fetch 3": "flow-io", "sum 1": "flow", "sum 3": "flow",
				"load d": "flow-io", "done d": "flow", "mourn 3": "flow",
			} {
				if l.worker[what] != want {
					t.Errorf("%s was run by %q, want %q", what, l.worker[what], want)
				}
			}
			if who := l.worker["reload d"]; who != "flow-web1,flow-web2" && who != "flow-web2,flow-web1" {
				t.Errorf("reload was run by %q", who)
			}
			for over := time.Now().Add(deadline); ; time.Sleep(100 * time.Millisecond) {
				got := outcomeLines(t, whole(follow.stdout.String()))
				if len(got) == parts*2+6+2 {
					break
				}
				if time.Now().After(over) {
					t.Fatalf("told was %v\n%s", got, follow.stderr)
				}
			}
			follow.signal(t, interrupt)
			follow.wait(t).requireCode(t, 0)
			for _, p := range workers {
				p.signal(t, terminate)
			}
			for _, p := range workers {
				p.wait(t).requireCode(t, 0)
			}
			t.Logf("%d workers killed", k.kills)
		})
	}
}

// whole is a text without a line that is not at its end.
func whole(text string) string { return text[:strings.LastIndexByte(text, '\n')+1] }

// Chains need no ledger.
func TestFlowBare(t *testing.T) {
	t.Parallel()
	c := newFlowCrew(t, `
jobs:
  a: {queue: flow, params: {day: }, run: &log [sh, -c, 'echo "$(date +%s%N) $WORKER $RAMIFY_JOB $*" >> "$LOG"', sh, "{{day}}"], inherit: &see [WORKER, LOG], on_success: b}
  b: {queue: flow-io, params: {day: }, run: *log, inherit: *see, on_success: c}
  c: {queue: flow, params: {day: }, run: [sh, -c, 'echo "$(date +%s%N) $WORKER c $1" >> "$LOG"; exit 1', sh, "{{day}}"], retries: 1, inherit: *see, on_failure: d}
  d: {queue: flow-io, params: {day: }, run: *log, inherit: *see}
  e: {queue: flow, needs: f}
  f: {queue: flow, on_success: g}
  g: {queue: flow-io, run: ["true"]}
`, "RAMIFY_LEDGER=none")
	c.setupAll(t)
	first := c.with("RAMIFY_QUEUE=" + c.queues[0])
	first.requireRefused(t, 1, "job e comes to e, which waits for others, and without a ledger nobody would know", "jobs", "run", "e")
	a, b := c.worker(t, c.queues[0]), c.worker(t, c.queues[1])
	first.run(t, "jobs", "run", "a", "day=d").requireCode(t, 0)
	for over := time.Now().Add(deadline); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(c.path("log")); err == nil {
			if l := readFlowLog(t, c.path("log")); l.first["d d"] != 0 {
				l.requireAfter(t, "b d", "a d")
				l.requireAfter(t, "c d", "b d")
				l.requireAfter(t, "d d", "c d")
				if l.worker["b d"] != "flow-io" || l.worker["c d"] != "flow" || l.last["c d"] == l.first["c d"] {
					t.Errorf("run was %v, %v", l.worker, l.first)
				}
				break
			}
		}
		if time.Now().After(over) {
			t.Fatalf("it does not end\n%s\n%s", a.stderr, b.stderr)
		}
	}
}

func TestFlowUsage(t *testing.T) {
	t.Parallel()
	c := newFlowCrew(t, night)
	first := c.with("RAMIFY_QUEUE=" + c.queues[0])
	first.run(t, "setup").requireCode(t, 0)
	for _, test := range []struct {
		want string
		args []string
	}{
		{`target "job:nihgt": job is "nihgt", want one of `, []string{"nihgt"}},
		{`target "job:night": params.day is "", want a value`, []string{"night"}},
		{`parameter "day", want PARAM=VALUE`, []string{"night", "day"}},
		{`parameter "day=2", want PARAM=VALUE, each once`, []string{"night", "day=1", "day=2"}},
		{`--results`, []string{"night", "day=1", "--results", "a b"}},
	} {
		first.requireRefused(t, 1, test.want, append([]string{"jobs", "run"}, test.args...)...)
	}
	first.requireRefused(t, 2, "`ramify setup --queue "+c.name+"-flow-io` makes it", "jobs", "run", "night", "day=1")
	nowhere := c.with("RAMIFY_JOBS=")
	nowhere.dir = t.TempDir()
	nowhere.requireRefused(t, 1, "there is no jobs.yaml here: name the file that says what job night is by --jobs", "jobs", "run", "night", "--ledger", "none", "day=1")
	first.requireRefused(t, 1, "queue nothing-"+c.name+" is not there: no outcome was sent to it yet", "results", "nothing-"+c.name)
	if err := os.WriteFile(c.path("cycle.yaml"), []byte("jobs:\n  a: {run: [x], on_success: b}\n  b: {run: [x], on_failure: a}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first.requireRefused(t, 1, `cycle.yaml:3: job b: on_failure is "a", want a job that does not lead back here: a → b → a`, "jobs", "check", "cycle.yaml")
}
