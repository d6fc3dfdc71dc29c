package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ramify/ramify/internal/emulator/dynamodblocal"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/internal/emulator/ministack"
	"github.com/ramify/ramify/policy"
)

// account is an AWS account of which somebody may do what a policy says: what it does
// not allow is refused, as by AWS, and what was done is known.
type account struct {
	allowed policy.Document

	mu   sync.Mutex
	used map[string]bool // actions
	no   []string        // what was refused
}

const accountID, homeRegion = "123456789012", "us-east-1"

// permit lets a user do what a role of `ramify iam` may, and nothing else, at servers by
// the names of their services.
func permit(t *testing.T, u *user, args ...string) *account {
	t.Helper()
	r := u.run(t, append([]string{"iam", "--account", accountID}, args...)...)
	r.requireCode(t, 0)
	a := &account{used: map[string]bool{}}
	if err := json.Unmarshal([]byte(r.stdout), &a.allowed); err != nil {
		t.Fatal(err)
	}
	return a
}

// front is a server behind the account.
func (a *account) front(t *testing.T, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }, Transport: transport}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		for _, resource := range resourcesOf(r, body) {
			if action := actionOf(r); !a.may(action, resource) {
				w.Header().Set("Content-Type", "application/x-amz-json-1.0")
				w.WriteHeader(http.StatusForbidden)
				fmt.Fprintf(w, `{"__type":"AccessDeniedException","message":"not authorized to perform %s on %s"}`, action, resource)
				return
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.Close()
		transport.CloseIdleConnections()
	})
	return s.URL
}

// actionOf is the action of IAM that a request is: those of a batch are those of one.
//
// Source: Amazon SQS Developer Guide, "Amazon SQS API permissions".
func actionOf(r *http.Request) string {
	target := r.Header.Get("X-Amz-Target")
	name := target[strings.LastIndexByte(target, '.')+1:]
	switch {
	case strings.HasPrefix(target, "AmazonSQS."):
		return "sqs:" + strings.TrimSuffix(name, "Batch")
	case strings.HasPrefix(target, "DynamoDB_"):
		return "dynamodb:" + name
	}
	return "cloudwatch:" + path.Base(r.URL.Path) // by its path, in CBOR
}

// resourcesOf are the ARNs of what a request is about.
func resourcesOf(r *http.Request, body []byte) []string {
	var in struct {
		QueueUrl, QueueName, TableName string // as AWS has them
		RequestItems                   map[string]any
	}
	_ = json.Unmarshal(body, &in) // CBOR is none
	var all []string
	if q := in.QueueName + in.QueueUrl[strings.LastIndexByte(in.QueueUrl, '/')+1:]; q != "" {
		all = append(all, "arn:aws:sqs:"+homeRegion+":"+accountID+":"+q)
	}
	if in.TableName != "" {
		in.RequestItems = map[string]any{in.TableName: nil}
	}
	for table := range in.RequestItems {
		all = append(all, "arn:aws:dynamodb:"+homeRegion+":"+accountID+":table/"+table)
	}
	if len(all) == 0 {
		return []string{"anything"}
	}
	return all
}

func (a *account) may(action, resource string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.allowed.Statement {
		for _, pattern := range s.Resource {
			like, _ := path.Match(strings.ReplaceAll(pattern, "/", ":"), strings.ReplaceAll(resource, "/", ":"))
			if slices.Contains(s.Action, action) && like {
				a.used[action] = true
				return true
			}
		}
	}
	a.no = append(a.no, action+" on "+resource)
	return false
}

// requireAll fails the test where something was refused.
func (a *account) requireAll(t *testing.T) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.no) > 0 {
		t.Errorf("refused: %v", a.no)
	}
}

// requireExact fails the test where something was refused, or is allowed that nobody
// asked for.
func (a *account) requireExact(t *testing.T) {
	t.Helper()
	a.requireAll(t)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.allowed.Statement {
		for _, action := range s.Action {
			if !a.used[action] {
				t.Errorf("%s is allowed, and nobody asked for it", action)
			}
		}
	}
}

// TestIAMOfNamedQueues: with the policy of its role, and no more, each command does all
// that it can do.
func TestIAMOfNamedQueues(t *testing.T) {
	t.Parallel()
	mq := elasticmq.URL(t)
	plain := newJobUser(t, mq)
	for role, test := range map[string]struct {
		args []string
		do   func(t *testing.T, u *jobUser)
	}{
		"enqueue": {nil, func(t *testing.T, u *jobUser) {
			u.enqueue(t, "new", "true")
			u.enqueue(t, "new", "true")
			u.enqueue(t, "--fifo", "ordered", "true")
			u.run(t, "enqueue-batch", jobBatch(t, u.user, "batch", 12, 2)).requireCode(t, 0)
		}},
		"enqueue, to queues that are there": {[]string{"there", "--existing"}, func(t *testing.T, u *jobUser) { u.enqueue(t, "there", "true") }},
		"worker": {[]string{"--results", "told-" + plain.prefix}, func(t *testing.T, u *jobUser) {
			u.drain(t, 3, "--active-only", "work*", "--results", "told-"+plain.prefix)
			u.drain(t, 0, "--kill-after", "60", "long")
			refused := u.env
			u.env = append(slices.Clone(u.env), "RAMIFY_SIGNING_KEY=other:"+strings.Repeat("YWJj", 11))
			u.drain(t, 3, "there") // to whose failed queue it goes
			u.env = refused
		}},
		"idle-queues": {[]string{"--delete"}, func(t *testing.T, u *jobUser) {
			u.run(t, "idle-queues", "--idle-for", "5", "--delete", "idle*").requireCode(t, 0)
			u.run(t, "idle-queues", "--idle-for", "5", "idle").requireCode(t, 0)
		}},
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			u := &jobUser{user: &user{dir: t.TempDir(), env: slices.Clone(plain.env)}, prefix: plain.prefix + string(role[0]) + fmt.Sprint(len(role)) + "_"}
			u.env = append(u.env, "RAMIFY_PREFIX="+u.prefix)
			for _, q := range []string{"there", "work1", "long"} {
				u.enqueue(t, q, "sh", "-c", map[string]string{"work1": "exit 1", "long": "sleep 25"}[q])
			}
			name, _, _ := strings.Cut(role, ",")
			server := mq
			if name == "idle-queues" { // what has metrics, too
				server = ministack.URL(t)
				u.env = append(u.env, "AWS_ENDPOINT_URL="+server)
				u.enqueue(t, "idle", "true")
				u.drain(t, 0, "idle")
			}
			a := permit(t, u.user, append([]string{name}, test.args...)...)
			u.env = append(u.env, "AWS_ENDPOINT_URL="+a.front(t, server))
			test.do(t, u)
			a.requireExact(t)
		})
	}
}

// TestIAMOfAFleet: the same of those that start runs on a fleet.
func TestIAMOfAFleet(t *testing.T) {
	t.Parallel()
	for role, do := range map[string]func(t *testing.T, c *crew, free *user){
		"seed": func(t *testing.T, c *crew, _ *user) { c.run(t, "seed", treeOf(2, 1, "")).requireCode(t, 0) },
		"cron": func(t *testing.T, c *crew, free *user) { firesOnce(t, c, free, 1) },
		"serve": func(t *testing.T, c *crew, _ *user) {
			c.write(t, "jobs.yaml", "jobs: {report: {run: ['true']}}")
			port := freePort(t)
			p := c.serving(t, "ramify serve --jobs jobs.yaml --listen 127.0.0.1:"+port, "serve begins")
			for _, want := range []string{"true", "false"} {
				if answer := c.with("PATH="+os.Getenv("PATH")).typed(t, "curl -sS --fail -X POST -H 'Idempotency-Key: 1' http://127.0.0.1:"+port+"/jobs/report", 0); !strings.Contains(answer, `"begun":`+want) {
					t.Error(answer)
				}
			}
			p.end(t)
		},
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			c := newCrew(t, "").setup(t)
			a := permit(t, c.user, role)
			do(t, c.with("AWS_ENDPOINT_URL_SQS="+a.front(t, elasticmq.URL(t)), "AWS_ENDPOINT_URL_DYNAMODB="+a.front(t, dynamodblocal.URL(t))), c.user)
			a.requireExact(t)
		})
	}
}

// TestIAMOfAFlow: jobs on queues of their own are started, worked on and told of with the
// policies that the file of jobs makes.
func TestIAMOfAFlow(t *testing.T) {
	t.Parallel()
	c := newFlowCrew(t, "jobs:\n  a: {queue: flow, run: ['true'], join: b}\n  b: {queue: flow-io, run: ['false'], retries: 0, on_failure: c}\n  c: {queue: flow, run: ['true']}\n")
	c.setupAll(t)
	told := "told-" + c.name
	behindFront := func(queue, role string, args ...string) (*crew, *account) {
		as := c.with("RAMIFY_QUEUE=" + queue)
		a := permit(t, as.user, append([]string{role}, args...)...)
		return as.with("AWS_ENDPOINT_URL_SQS="+a.front(t, elasticmq.URL(t)), "AWS_ENDPOINT_URL_DYNAMODB="+a.front(t, dynamodblocal.URL(t))), a
	}
	io, ioMay := behindFront(c.queues[1], "task", "--results", told)
	main, mainMay := behindFront(c.queues[0], "task", "--results", told)
	seed, seedMay := behindFront(c.queues[1], "seed")
	ioTask, mainTask := io.start(t, "task"), main.start(t, "task")
	run := "f-" + c.name
	seed.run(t, "jobs", "run", "a", "--run", run, "--results", told).requireCode(t, 0)
	c.run(t, "watch", run).requireCode(t, 0)
	if s := parseSummary(t, c.run(t, "status", run, "--json").stdout); s.State != "finished_with_failures" {
		t.Errorf("run is %s", s.State)
	}
	ioTask.end(t)
	mainTask.end(t)
	seedMay.requireExact(t)
	ioMay.requireAll(t)
	mainMay.requireAll(t)
}

func TestIAMRefusals(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	for args, want := range map[string]string{
		"root":                                   `ramify: role is "root", want one of enqueue, worker, idle-queues, seed, serve, cron, task`,
		"enqueue --account me":                   `ramify: --account is "me", want 12 digits`,
		"enqueue a/b":                            `ramify: queue "a/b": want`,
		"seed":                                   "ramify: it is not said where the fleet's ledger is",
		"seed --queue q --ledger none":           "ramify: --ledger is none, but role seed is of a fleet with one",
		"cron --queue q --ledger dynamodb:aaa q": `ramify: role cron is of a fleet: name its queue by --queue, and not "q"`,
	} {
		r := u.run(t, append([]string{"iam"}, strings.Fields(args)...)...)
		r.requireCode(t, 1)
		if !strings.HasPrefix(r.stderr, want) {
			t.Errorf("%s: %s", args, r.stderr)
		}
	}
}
