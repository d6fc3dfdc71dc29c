package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ramify/ramify/integration/program"
	"github.com/ramify/ramify/internal/emulator/dynamodblocal"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
)

// signingKey is the fleets' key as RAMIFY_SIGNING_KEY has it.
const signingKey = "test:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"

// fleetSettings say what a fleet is made of. The zero value is ElasticMQ and
// DynamoDB Local, and a depot that answers at once.
type fleetSettings struct {
	direct        string        // SQS itself, for the test to look; empty: ElasticMQ
	sqs, dynamodb string        // endpoints of tasks and commands; empty: the servers themselves
	s3            string        // endpoint of all; empty: a door of the depot for each task
	latency       time.Duration // of the depot
	env           []string      // beside the usual
}

// fleet is a queue, a table and the tasks that share them.
type fleet struct {
	*user
	name  string
	set   fleetSettings
	depot *depot
	truth truth                                            // of the bucket that is crawled
	made  func(t *testing.T, run string) map[string][]byte // the objects of a run's results, by their keys behind its name

	sqs       *sqs.Client
	main, dlq *string // URLs
	tasks     []*taskProcess
}

// taskProcess is `ramify task`, and the door it asks at.
type taskProcess struct {
	*process
	door *door // nil: it asks elsewhere
}

var fleets atomic.Int64

// newFleet makes a queue and a table by `ramify setup`.
func newFleet(t *testing.T, set fleetSettings) *fleet {
	t.Helper()
	d, err := openDepot()
	if err != nil {
		t.Fatal(err)
	}
	if set.direct == "" {
		set.direct = elasticmq.URL(t)
	}
	if set.sqs == "" {
		set.sqs = set.direct
	}
	if set.dynamodb == "" {
		set.dynamodb = dynamodblocal.URL(t)
	}
	s3 := set.s3
	if s3 == "" {
		s3 = d.open(t, 0).url
	}
	f := &fleet{user: newUser(t, s3), set: set, depot: d, truth: d.truth(), made: d.results}
	f.name = fmt.Sprintf("fleet-%d-%d", os.Getpid(), fleets.Add(1))
	f.env = append(f.env,
		// DynamoDB Local has a database for each.
		"AWS_ACCESS_KEY_ID="+f.key(), "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_ENDPOINT_URL_SQS="+set.sqs, "AWS_ENDPOINT_URL_DYNAMODB="+set.dynamodb,
		"RAMIFY_QUEUE="+f.name, "RAMIFY_LEDGER=dynamodb:"+f.name, "RAMIFY_SIGNING_KEY="+signingKey,
		// What a killed task held is seen again after seconds, not a minute.
		"RAMIFY_VISIBILITY=4s", "RAMIFY_CONCURRENCY=2", "RAMIFY_POLL_RATE=600", "RAMIFY_SWEEP=2s", "RAMIFY_GRACE=10s",
	)
	f.env = append(f.env, set.env...)
	f.run(t, "setup").requireCode(t, 0)
	f.sqs = program.SQS(set.direct)
	f.main, f.dlq = f.queueURL(t, f.name), f.queueURL(t, f.name+"-dead")
	return f
}

// key is the fleet's access key: one a server, since some keep accounts apart by it.
func (f *fleet) key() string { return strings.ReplaceAll(f.name, "-", "") }

func (f *fleet) queueURL(t *testing.T, name string) *string {
	t.Helper()
	out, err := f.sqs.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return out.QueueUrl
}

// grow starts tasks.
func (f *fleet) grow(t *testing.T, n int) {
	t.Helper()
	for range n {
		f.tasks = append(f.tasks, f.task(t))
	}
}

// task starts one task.
func (f *fleet) task(t *testing.T) *taskProcess {
	t.Helper()
	p := &taskProcess{}
	env := slices.Clone(f.env)
	if f.set.s3 == "" {
		p.door = f.depot.open(t, f.set.latency)
		env = append(env, "AWS_ENDPOINT_URL_S3="+p.door.url)
	}
	u := &user{dir: f.dir, env: env} // of two values the last counts
	p.process = u.start(t, "task")
	return p
}

// seed begins a run and follows it to its end.
func (f *fleet) seed(t *testing.T, run, target string, args ...string) *process {
	t.Helper()
	return f.start(t, append([]string{"seed", target, "--run", run, "--watch", "--json"}, args...)...)
}

// crawl begins a run over the depot, a message for each prefix.
func (f *fleet) crawl(t *testing.T, run string, more ...string) *process {
	t.Helper()
	p := f.seed(t, run, "s3://"+bucket+"/", append(more, "--node", "prefix", "--inline", "0", "--out", "s3://"+results, "--format", "csv")...)
	p.stderr.await(t, "run "+run+"\n")
	return p
}

// state is what `ramify status` says of a run.
func (f *fleet) state(t *testing.T, run string) string {
	t.Helper()
	r := f.run(t, "status", run, "--json")
	r.requireCode(t, 0)
	return parseSummary(t, r.stdout).State
}

// patience is how long a whole walk may take on a machine that does much else.
func patience() time.Duration {
	if soak() {
		return 40 * time.Minute
	}
	return 8 * time.Minute
}

// awaitEnd waits for the end of a run, and is told what went on if it does not come.
func (f *fleet) awaitEnd(t *testing.T, p *process) result {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience()):
		t.Fatalf("the run goes on after %v; queue %+v, dead letters %+v\n%s", patience(), f.depth(t, f.main), f.depth(t, f.dlq), f.said())
	}
	return p.wait(t)
}

// said is the end of what each task said.
func (f *fleet) said() string {
	var b strings.Builder
	for i, p := range f.tasks {
		text := p.stderr.String()
		fmt.Fprintf(&b, "task %d: %s\n", i, text[max(len(text)-2000, 0):])
	}
	return b.String()
}

// depth is how many messages a queue has.
type depth struct{ visible, inFlight, delayed int }

func (f *fleet) queue(url *string) *program.Queue { return &program.Queue{Client: f.sqs, URL: *url} }

func (f *fleet) depth(t *testing.T, url *string) depth {
	t.Helper()
	d := f.queue(url).Depth(t)
	return depth{d.Visible, d.InFlight, d.Delayed}
}

// requireDrained waits until nothing is left in the queue: after a run there may
// be messages that killed tasks held, and copies.
func (f *fleet) requireDrained(t *testing.T) {
	t.Helper()
	f.queue(f.main).AwaitEmpty(t, f.said)
}

// drain sends all tasks home: each ends well, and has said nothing but JSON.
func (f *fleet) drain(t *testing.T) {
	t.Helper()
	for _, p := range f.tasks {
		p.signal(t, terminate)
	}
	for _, p := range f.tasks {
		r := p.wait(t)
		r.requireCode(t, 0)
		if text := plain(t, r.stderr); text != "" {
			t.Errorf("a task said %q", shortened(text))
		}
	}
	f.tasks = nil
}

// letter is a message, with its attributes.
type letter struct {
	body  string
	attrs map[string]string
}

// deadLetters takes all messages out of the dead-letter queue, once no task looks
// at them any more.
func (f *fleet) deadLetters(t *testing.T) (letters []letter) {
	t.Helper()
	for _, l := range f.queue(f.dlq).Take(t) {
		letters = append(letters, letter{l.Body, l.Attrs})
	}
	return letters
}

// post puts a message into the queue, as anybody may who is let.
func (f *fleet) post(t *testing.T, l letter) {
	t.Helper()
	f.queue(f.main).Post(t, program.Letter{Body: l.body, Attrs: l.attrs})
}

// requireExact fails the test unless a crawl has ended as it must: exact totals,
// an exact inventory, and nothing left in the queue.
func (f *fleet) requireExact(t *testing.T, run string, end result) {
	t.Helper()
	if end.code != 0 {
		t.Log(f.said())
	}
	end.requireCode(t, 0)
	sum := parseSummary(t, end.stdout)
	f.truth.requireSummary(t, sum)
	if sum.Nodes != f.truth.prefixes+1 {
		t.Errorf("%d nodes, want one for each of %d prefixes and the root", sum.Nodes, f.truth.prefixes)
	}
	f.requireInventory(t, run, f.truth)
	f.requireDrained(t)
}

// requireNoLetters fails the test if there is anything in the dead-letter queue.
func (f *fleet) requireNoLetters(t *testing.T) {
	t.Helper()
	if d := f.depth(t, f.dlq); d != (depth{}) {
		t.Errorf("the dead-letter queue has %+v: %.4000q", d, f.deadLetters(t))
	}
}
