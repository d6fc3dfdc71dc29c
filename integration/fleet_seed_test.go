package integration

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"github.com/ramify/ramify/internal/emulator/ministack"
)

// archive serves some keys below data/, which leaves room for results beside them.
func archive(t *testing.T, n int) *server {
	t.Helper()
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("data/%02d/%05d", i%20, i)
	}
	return serveFake(t, keys)
}

// A crawl by two tasks leaves an inventory in a bucket, and status prints the
// object with which the run ended.
func TestFleetCrawl(t *testing.T) {
	t.Parallel()
	const n = 3000
	c := newCrew(t, archive(t, n).url).setup(t)
	a, b := c.work(t), c.work(t)
	r := c.run(t, "seed", "s3://bucket/data/", "--run", "r", "--out", "s3://bucket/out", "--node", "prefix", "--inline", "0", "--watch", "--json")
	r.requireCode(t, 0)
	sum := parseSummary(t, r.stdout)
	if sum.State != "finished" || sum.Totals.Objects != n || sum.Totals.Prefixes == nil || *sum.Totals.Prefixes != 20 || sum.Nodes != 21 || sum.Out != "s3://bucket/out/r/manifest.json" {
		t.Errorf("got %+v", sum)
	}
	again := parseSummary(t, c.run(t, "status", "r", "--json").stdout)
	// What tasks tell every few seconds may have come in since.
	again.Requests, again.Retries, again.Seconds = sum.Requests, sum.Retries, sum.Seconds
	if !reflect.DeepEqual(again, sum) {
		t.Errorf("status %+v, and it ended with %+v", again, sum)
	}
	// The inventory has each object once.
	r = c.run(t, "run", "inventory:s3://bucket/out/r/manifest.json", "--run", "check", "--json")
	r.requireCode(t, 0)
	if made := parseSummary(t, r.stdout); made.Totals != sum.Totals && (made.Totals.Objects != n || made.Totals.Bytes != sum.Totals.Bytes) {
		t.Errorf("the inventory has %+v, the run %+v", made.Totals, sum.Totals)
	}
	for _, p := range []*process{a, b} {
		p.signal(t, terminate)
		p.wait(t).requireCode(t, 0)
	}
}

// One machine can leave its results in a bucket, too.
func TestRunIntoABucket(t *testing.T) {
	t.Parallel()
	u := newUser(t, archive(t, 500).url)
	r := u.run(t, "run", "s3://bucket/data/", "--run", "r", "--out", "s3://bucket/out/", "--json")
	r.requireCode(t, 0)
	sum := parseSummary(t, r.stdout)
	if sum.Totals.Objects != 500 || *sum.Totals.Prefixes != 20 || sum.Out != "s3://bucket/out/r/manifest.json" {
		t.Errorf("got %+v", sum)
	}
	r = u.run(t, "run", "inventory:s3://bucket/out/r/", "--run", "check", "--json")
	r.requireCode(t, 0)
	if made := parseSummary(t, r.stdout); made.Totals.Objects != 500 || made.Totals.Bytes != sum.Totals.Bytes {
		t.Errorf("the inventory has %+v", made.Totals)
	}
}

// What a fleet cannot do is refused before there is a run.
func TestSeedRefuses(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	c := &crew{user: &user{dir: u.dir, env: append(u.env, "RAMIFY_QUEUE=q", "RAMIFY_LEDGER=dynamodb:table", "AWS_REGION=us-east-1")}}
	const node = `{"kind":"synthetic","id":"0"}`
	for _, test := range []struct {
		args string
		want string
	}{
		{"prefixes:list", `target "prefixes:list" is a list, and lists are for runs on this machine yet: {any}`},
		{"file:list", `target "file:list" is a list, and lists are for runs on this machine yet: {any}`},
		{"inventory:folder", `target "inventory:folder" is a folder of this machine, {any}`},
		{node + " --out -", `--out is "-", but the tasks of a fleet write from other machines: {any}`},
		{node + " --out results", `--out is "results", but the tasks of a fleet write from other machines: {any}`},
		{node + " --out s3://", `--out is "s3://", which names no bucket; want s3://bucket/prefix`},
		{node + " --out https://sqs", `--out is "https://sqs", which is not the URL of a queue; {any}`},
		{node + " --run a/b", `--run: {any}`},
		{node + " --concurrency 20000", `--concurrency is 20000, want 1 to 10000`},
		{node + " --ledger none --retries 2", `--retries is "2", but without a ledger nothing is kept with a run: {any}`},
		{node + " --ledger none --out s3://bucket", `--out is "s3://bucket", but without a ledger nothing is kept with a run: {any}`},
		{node + " --ledger none --watch", `--watch is set, but without a ledger nobody knows how far a run is; {any}`},
		{`{"kind":"mine","id":"0"}`, `kind "mine" is not known; want {any}`},
	} {
		r := c.run(t, append([]string{"seed"}, strings.Fields(test.args)...)...)
		r.requireCode(t, 1)
		requireText(t, r.stderr, "ramify: "+test.want+"\n")
	}
}

// The bare pattern: a tree is walked by a queue alone, and nobody knows of it.
func TestFleetWithoutALedger(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "").with("RAMIFY_LEDGER=none", "RAMIFY_VISIBILITY=1m") // what is seen again is done, and counted, again
	c.run(t, "setup").requireCode(t, 0)
	c.run(t, "seed", treeOf(4, 2, ""), "--run", "r").requireCode(t, 0)
	r := c.run(t, "task", "--until-empty", "--inline", "0")
	r.requireCode(t, 0)
	if !strings.Contains(r.stderr, "there is no ledger: ") {
		t.Errorf("said %s", r.stderr)
	}
	nodes := 0
	for line := range strings.Lines(r.stdout) {
		var metric struct{ Nodes int }
		if err := json.Unmarshal([]byte(line), &metric); err != nil {
			t.Fatal(err)
		}
		nodes += metric.Nodes
	}
	if nodes != 1+4+16 {
		t.Errorf("%d nodes", nodes)
	}
	for _, command := range []string{"status", "watch", "failed", "pause", "resume", "redrive", "cancel"} {
		r := c.run(t, command, "r")
		r.requireCode(t, 1)
		requireText(t, r.stderr, "ramify: RAMIFY_LEDGER is none: nothing is known about runs there, they can neither be watched nor steered; the commands about runs want dynamodb:TABLE\n")
	}
	r = c.run(t, "task", "--out", "s3://bucket")
	r.requireCode(t, 1)
	requireText(t, r.stderr, `ramify: --out is "s3://bucket", but without a ledger nobody knows which results count: {any}`+"\n")
}

const fleetTemplate = `{"Resources":{
  "Queue":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":"%[1]s-made"}}},
 "Outputs":{"RamifyQueue":{"Value":"%[1]s"},"RamifyLedger":{"Value":"dynamodb:%[1]s"}%[2]s}}`

// A stack says where the fleet is.
func TestStack(t *testing.T) {
	t.Parallel()
	url := ministack.URL(t)
	stacks := cloudformation.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("cli", secretText, ""),
	})
	c := newCrew(t, "")
	var env []string
	for _, v := range c.env { // the stack says it
		if !strings.HasPrefix(v, "RAMIFY_QUEUE=") && !strings.HasPrefix(v, "RAMIFY_LEDGER=") {
			env = append(env, v)
		}
	}
	c.setup(t)
	for name, more := range map[string]string{c.name: "", c.name + "-out": `,"RamifyOut":{"Value":"s3://bucket/out"}`} {
		body := fmt.Sprintf(fleetTemplate, c.name, more)
		if _, err := stacks.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String(name), TemplateBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
	s := &crew{user: &user{dir: c.dir, env: append(env, "AWS_ENDPOINT_URL_CLOUDFORMATION="+url)}, name: c.name}
	r := s.run(t, "seed", treeOf(2, 1, ""), "--run", "r", "--stack", c.name, "--json")
	r.requireCode(t, 0)
	requireText(t, r.stdout, `{"run":"r","target":"synthetic 0","queue":"`+c.name+`","ledger":"dynamodb:`+c.name+`","out":""}`+"\n")
	r = s.run(t, "pause", "r", "--stack", c.name)
	r.requireCode(t, 0)
	requireText(t, r.stdout, "run r is paused: `ramify resume r --stack "+c.name+"` lets it go on\n")
	r = s.run(t, "seed", treeOf(2, 1, ""), "--run", "s", "--stack", c.name+"-out", "--no-check", "--json")
	r.requireCode(t, 0)
	if !strings.Contains(r.stdout, `"out":"s3://bucket/out"`) {
		t.Errorf("seeded %s", r.stdout)
	}
	r = s.run(t, "status", "--stack", "no-such-stack")
	r.requireCode(t, 2)
	requireText(t, r.stderr, "ramify: describe stack no-such-stack: there is no such stack here; check --stack, AWS_REGION and AWS_PROFILE\n")
}
