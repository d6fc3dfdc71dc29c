package integration

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/internal/emulator/dynamodblocal"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/schema"
)

// crew is somebody with a fleet of his own: a queue and a table on the emulators,
// and S3 at an endpoint.
type crew struct {
	*user
	name string // of the queue and the table
}

// newCrew is a crew whose queue and table are yet to be made.
func newCrew(t *testing.T, s3 string) *crew {
	t.Helper()
	u := newUser(t, s3)
	name := fmt.Sprintf("cli-%016x", uint64(schema.NewMID()))
	u.env = append(u.env,
		"AWS_ENDPOINT_URL_SQS="+elasticmq.URL(t), "AWS_ENDPOINT_URL_DYNAMODB="+dynamodblocal.URL(t),
		"AWS_ACCESS_KEY_ID=cli", "AWS_SECRET_ACCESS_KEY="+secretText, "AWS_REGION=us-east-1",
		"RAMIFY_QUEUE="+name, "RAMIFY_LEDGER=dynamodb:"+name, "RAMIFY_VISIBILITY=5s", "RAMIFY_SWEEP=2s",
	)
	return &crew{u, name}
}

// secretText is what must never be read in a log.
const secretText = "thisIsNoLogLine"

// with is the crew with more in its environment.
func (c *crew) with(env ...string) *crew {
	u := *c.user
	u.env = append(slices.Clone(u.env), env...)
	return &crew{&u, c.name}
}

// setup makes queue and table.
func (c *crew) setup(t *testing.T) *crew {
	t.Helper()
	c.run(t, "setup").requireCode(t, 0)
	return c
}

// work starts a task, and waits until it works.
func (c *crew) work(t *testing.T, args ...string) *process {
	t.Helper()
	p := c.start(t, append([]string{"task"}, args...)...)
	p.stderr.await(t, "task begins")
	return p
}

func treeOf(fanout, depth int, more string) string {
	return fmt.Sprintf(`{"kind":"synthetic","id":"0","args":{"fanout":%d,"depth":%d%s}}`, fanout, depth, more)
}

// setup makes what a fleet needs, says how it is found, and can be repeated.
func TestFleetSetup(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "")
	for range 2 {
		r := c.run(t, "setup", "--json")
		r.requireCode(t, 0)
		var made map[string]string
		if err := json.Unmarshal([]byte(r.stdout), &made); err != nil {
			t.Fatal(err)
		}
		if made["queue"] != c.name || made["dead_letters"] != c.name+"-dead" || made["ledger"] != "dynamodb:"+c.name || !strings.HasSuffix(made["queue_url"], "/"+c.name) {
			t.Errorf("made %v", made)
		}
	}
	r := c.run(t, "setup", "--signing-key")
	r.requireCode(t, 0)
	requireText(t, r.stdout, `queue         `+c.name+`  http{any}
dead letters  `+c.name+`-dead  http{any}
ledger        dynamodb:`+c.name+`

Tasks, and commands about runs, find them by:
  export RAMIFY_QUEUE=`+c.name+`
  export RAMIFY_LEDGER=dynamodb:`+c.name+`
  export RAMIFY_SIGNING_KEY={any}:{any}
`)
}

// Two tasks walk a tree together, and its totals are the truth.
func TestFleetWalksATree(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "").setup(t)
	r := c.run(t, "seed", treeOf(10, 2, `,"objects":2,"bytes":10`), "--run", "r", "--inline", "0", "--json")
	r.requireCode(t, 0)
	requireText(t, r.stderr, "run r\n")
	requireText(t, r.stdout, `{"run":"r","target":"synthetic 0","queue":"`+c.name+`","ledger":"dynamodb:`+c.name+`","out":""}`+"\n")
	a, b := c.work(t), c.work(t)
	w := c.run(t, "watch", "r")
	w.requireCode(t, 0)
	lines := strings.Split(strings.TrimSuffix(w.stdout, "\n"), "\n")
	requireText(t, lines[len(lines)-1], "finished 100% {any}")
	sum := c.awaitFleet(t, "r", "finished")
	if sum.Nodes != 111 || sum.Totals.Objects != 222 || sum.Totals.Bytes != 1110 || sum.Failed != 0 {
		t.Errorf("got %+v", sum)
	}
	for _, p := range []*process{a, b} {
		p.signal(t, terminate)
		end := p.wait(t)
		end.requireCode(t, 0)
		if plain(t, end.stderr) != "" {
			t.Errorf("not JSON: %s", end.stderr)
		}
	}
	l := c.run(t, "status")
	l.requireCode(t, 0)
	requireText(t, l.stdout, "run  state     begun (UTC)          target\nr    finished  {any}  synthetic 0\n")
}

// awaitFleet waits until a run is in a state, and returns its summary then.
func (c *crew) awaitFleet(t *testing.T, run, state string) summary {
	t.Helper()
	return c.awaitSummary(t, run, state, func(s summary) bool { return s.State == state })
}

func (c *crew) awaitSummary(t *testing.T, run, what string, ok func(summary) bool) summary {
	t.Helper()
	for over := time.Now().Add(deadline); ; {
		r := c.run(t, "status", run, "--json")
		r.requireCode(t, 0)
		var s summary
		if err := json.Unmarshal([]byte(r.stdout), &s); err != nil {
			t.Fatal(err)
		}
		if ok(s) {
			return s
		}
		if time.Now().After(over) {
			t.Fatalf("waited %v for status %s; it is %+v", deadline, what, s)
		}
	}
}

// awaitText waits until a command prints some text.
func (c *crew) awaitText(t *testing.T, text string, args ...string) {
	t.Helper()
	for over := time.Now().Add(deadline); ; {
		r := c.run(t, args...)
		if strings.Contains(r.stdout, text) {
			return
		}
		if time.Now().After(over) {
			t.Fatalf("waited %v for %q in %s", deadline, text, r.stdout)
		}
	}
}
