package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// What is wrong with the configuration is said in one line: the variable, its
// value and what is wanted.
func TestTaskConfiguration(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	fine := []string{
		"RAMIFY_QUEUE=q", "RAMIFY_LEDGER=dynamodb:table", "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=" + secretText,
		"AWS_ENDPOINT_URL=http://127.0.0.1:1",
	}
	for _, test := range []struct{ set, want string }{
		{"RAMIFY_QUEUE=", "it is not said which queue is the fleet's: set --queue or RAMIFY_QUEUE to its name or URL, or --stack"},
		{"RAMIFY_QUEUE=a b", `RAMIFY_QUEUE: queue "a b" is no name of a queue (1 to 80 letters, digits, - and _) and no URL of one`},
		{"RAMIFY_QUEUE=jobs.fifo", `RAMIFY_QUEUE: queue "jobs.fifo" is a FIFO queue, {any}`},
		{"RAMIFY_LEDGER=", "it is not said where the fleet's ledger is: set --ledger or RAMIFY_LEDGER, want dynamodb:TABLE, or none, or --stack"},
		{"RAMIFY_LEDGER=redis:x", `RAMIFY_LEDGER is "redis:x", want dynamodb:TABLE, or none`},
		{"RAMIFY_LEDGER=dynamodb:a b", `RAMIFY_LEDGER is "dynamodb:a b", but a table's name has 3 to 255 letters, digits, '.', '_' and '-'`},
		{"RAMIFY_CONCURRENCY=many", `RAMIFY_CONCURRENCY is "many", want a number from 1 to 10000`},
		{"RAMIFY_CONCURRENCY=0", `RAMIFY_CONCURRENCY is "0", want a number from 1 to 10000`},
		{"RAMIFY_VISIBILITY=13h", `RAMIFY_VISIBILITY is "13h", want a time from 2s to 12h0m0s, such as 90s`},
		{"RAMIFY_RETRIES=-1", `RAMIFY_RETRIES is "-1", want a number from 0 to 1000`},
		{"RAMIFY_INLINE=x", `RAMIFY_INLINE is "x", want a number from 0 to 1000000`},
		{"RAMIFY_GRACE=soon", `RAMIFY_GRACE is "soon", want a time from 0s to 1h0m0s, such as 90s`},
		{"RAMIFY_KINDS=s3.crawl,mine", `RAMIFY_KINDS is "s3.crawl,mine", want some of {any}s3.crawl, {any}`},
		{"RAMIFY_POLL_RATE=0", `RAMIFY_POLL_RATE is "0", want a number from 1 to 6000`},
		{"RAMIFY_HEALTH=8080", `RAMIFY_HEALTH is "8080", want HOST:PORT, such as 127.0.0.1:8080`},
		{"RAMIFY_METRICS=statsd", `RAMIFY_METRICS is "statsd", want emf or none`},
		{"RAMIFY_SWEEP=daily", `RAMIFY_SWEEP is "daily", want a time from 1s to 1h0m0s, such as 90s, or off`},
		{"RAMIFY_NO_PROGRESS=1s", `RAMIFY_NO_PROGRESS is "1s", want a time from 10s to 24h0m0s, such as 90s`},
	} {
		c := &crew{user: &user{dir: u.dir, env: append(append(append([]string{}, u.env...), fine...), test.set)}}
		r := c.run(t, "task")
		r.requireCode(t, 1)
		requireText(t, r.stderr, "ramify: "+test.want+"\n")
	}
	// A key that is no key: what it is, is said nowhere.
	c := &crew{user: &user{dir: u.dir, env: append(append([]string{}, u.env...), append(fine, "RAMIFY_SIGNING_KEY=k:"+secretText)...)}}
	r := c.run(t, "task")
	if r.code != 1 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "RAMIFY_SIGNING_KEY") || strings.Contains(r.stderr, secretText) {
		t.Errorf("code %d, %s", r.code, r.stderr)
	}
	// Nobody answers.
	c = &crew{user: &user{dir: u.dir, env: append(append([]string{}, u.env...), fine...)}}
	r = c.run(t, "task")
	r.requireCode(t, 2)
	requireText(t, r.stderr, "ramify: open queue q: nobody answers at http://127.0.0.1:{any} ({any}): check AWS_ENDPOINT_URL{any}\n")
}

// What is not there is named, with the way out.
func TestTaskFindsNothing(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "")
	r := c.run(t, "task")
	r.requireCode(t, 2)
	requireText(t, r.stderr, "ramify: open queue: sqs:GetQueueUrl on queue "+c.name+": no such queue ({any}): make it by `ramify setup`, or see that name, region and account are right\n")
	c.setup(t)
	r = c.with("RAMIFY_LEDGER=dynamodb:not-there").run(t, "task")
	r.requireCode(t, 2)
	if !strings.Contains(r.stderr, "DynamoDB table not-there") || !strings.Contains(r.stderr, "make it with `ramify setup`") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("said %s", r.stderr)
	}
	// Its dead-letter queue is a queue, too, but not one of a fleet.
	for _, command := range []string{"task", "seed " + `{"kind":"synthetic","id":"0"}`} {
		r = c.with("RAMIFY_QUEUE="+c.name+"-dead").run(t, strings.Fields(command)...)
		r.requireCode(t, 2)
		requireText(t, r.stderr, "ramify: open queue: queue "+c.name+"-dead has no dead-letter queue{any}`ramify setup`\n")
	}
}

// Told to stop, a task ends what is under way within its grace and gives back the
// rest at once; told twice, it ends.
func TestTaskDrains(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "").with("RAMIFY_VISIBILITY=10m", "RAMIFY_CONCURRENCY=2", "RAMIFY_GRACE=1h").setup(t)
	c.run(t, "seed", treeOf(20, 1, `,"work":"1500ms"`), "--run", "r", "--inline", "0").requireCode(t, 0)
	p := c.work(t)
	c.awaitSummary(t, "r", "with nodes", func(s summary) bool { return s.Nodes > 2 })
	p.signal(t, terminate)
	end := p.wait(t) // not for an hour
	end.requireCode(t, 0)
	if !strings.Contains(end.stderr, `"msg":"draining"`) || !strings.HasSuffix(strings.TrimSpace(end.stderr), "}") {
		t.Errorf("said %s", end.stderr)
	}
	// The visibility timeout is ten minutes: what the first task had would be hidden.
	q := c.with("RAMIFY_CONCURRENCY=20").work(t)
	if s := c.awaitFleet(t, "r", "finished"); s.Nodes != 21 || s.Retries != 0 {
		t.Errorf("got %+v", s)
	}
	q.signal(t, terminate)
	q.wait(t).requireCode(t, 0)
}

// A second signal does not wait for the grace.
func TestTaskToldTwice(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "").with("RAMIFY_CONCURRENCY=2", "RAMIFY_GRACE=1h").setup(t)
	c.run(t, "seed", treeOf(1, 0, `,"work":"1h"`), "--run", "long").requireCode(t, 0)
	p := c.work(t)
	c.awaitText(t, "of 2 slots, 1 worker", "status", "long")
	p.signal(t, terminate)
	p.stderr.await(t, "draining")
	p.signal(t, terminate)
	if end := p.wait(t); end.code == 0 {
		t.Errorf("code %d", end.code)
	}
}

// agent plays the ECS agent: it says which task this is, and remembers whether it
// was to be protected.
type agent struct {
	*news
	mu    sync.Mutex
	asked []bool
}

func (a *agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/task") {
		_, _ = io.WriteString(w, `{"TaskARN":"arn:aws:ecs:us-east-1:1:task/c/0123456789abcdef","Cluster":"c","Family":"ramify","Revision":"7"}`)
		return
	}
	var in struct{ ProtectionEnabled bool }
	_ = json.NewDecoder(r.Body).Decode(&in)
	a.mu.Lock()
	a.asked = append(a.asked, in.ProtectionEnabled)
	a.mu.Unlock()
	a.tell()
	_ = json.NewEncoder(w).Encode(map[string]any{"protection": in})
}

func (a *agent) count(on bool) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, asked := range a.asked {
		if asked == on {
			n++
		}
	}
	return n
}

// In ECS a task is named after itself, and protected while it works, and no
// longer. It answers health checks, and its metrics and logs tell no secret.
func TestTaskInECS(t *testing.T) {
	t.Parallel()
	a := &agent{news: newNews()}
	server := httptest.NewServer(a)
	defer server.Close()
	key := "k1:" + strings.Repeat("c2VjcmV0", 6)
	c := newCrew(t, "").with("ECS_CONTAINER_METADATA_URI_V4="+server.URL, "ECS_AGENT_URI="+server.URL, "RAMIFY_SIGNING_KEY="+key, "RAMIFY_HEALTH=127.0.0.1:0", "RAMIFY_FLEET=prod").setup(t)
	p := c.start(t, "task", "-v")
	p.stderr.await(t, "task begins")
	var said struct{ Worker, Health string }
	for line := range strings.Lines(p.stderr.String()) {
		if strings.Contains(line, "task begins") {
			if err := json.Unmarshal([]byte(line), &said); err != nil {
				t.Fatal(err)
			}
		}
	}
	if said.Worker != "0123456789abcdef" {
		t.Errorf("worker %q", said.Worker)
	}
	r := c.with("RAMIFY_HEALTH="+said.Health).run(t, "health")
	r.requireCode(t, 0)
	if n := a.count(true); n != 0 {
		t.Errorf("protected %d times before there is work", n)
	}
	// What is not signed is not executed, and what is, is.
	c.with("RAMIFY_SIGNING_KEY=").run(t, "seed", treeOf(2, 1, ""), "--run", "forged").requireCode(t, 0)
	c.run(t, "seed", treeOf(2, 1, ""), "--run", "r").requireCode(t, 0)
	c.awaitFleet(t, "r", "finished")
	if s := c.awaitFleet(t, "forged", "running"); s.Nodes != 0 {
		t.Errorf("executed what is not signed: %+v", s)
	}
	a.until(t, "protection to be switched on and off", func() bool { return a.count(true) >= 1 && a.count(false) >= 1 })
	p.signal(t, terminate)
	end := p.wait(t)
	end.requireCode(t, 0)
	for _, secret := range []string{key, strings.TrimPrefix(key, "k1:"), secretText} {
		if strings.Contains(end.stderr+end.stdout, secret) {
			t.Error("a secret is in the logs")
		}
	}
	if plain(t, end.stderr) != "" {
		t.Errorf("not JSON: %s", end.stderr)
	}
	var metric struct {
		Fleet, Run, Kind string
		Nodes            int
		AWS              struct{ CloudWatchMetrics []any } `json:"_aws"`
	}
	nodes := 0 // a minute may have ended between them
	for line := range strings.Lines(end.stdout) {
		if err := json.Unmarshal([]byte(line), &metric); err != nil || len(metric.AWS.CloudWatchMetrics) == 0 {
			t.Fatalf("metrics %s: %v", line, err)
		}
		if metric.Fleet == "prod" && metric.Run == "r" && metric.Kind == "synthetic" {
			nodes += metric.Nodes
		}
	}
	if nodes != 3 {
		t.Errorf("metrics of %d nodes, want 3: %s", nodes, end.stdout)
	}
}
