package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ramify/ramify/internal/emulator"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
)

// foreignQueue is a queue of somebody's application, which ramify has not made.
type foreignQueue struct {
	*user
	name      string
	sqs       *sqs.Client
	url, dead *string
}

func newForeignQueue(t *testing.T, receives int) *foreignQueue {
	t.Helper()
	endpoint := elasticmq.URL(t)
	q := &foreignQueue{user: newUser(t, ""), name: fmt.Sprintf("app-%d-%d", os.Getpid(), fleets.Add(1))}
	q.env = append(q.env, "PATH="+os.Getenv("PATH"), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=app", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_ENDPOINT_URL_SQS="+endpoint, "RAMIFY_QUEUE="+q.name, "QUEUE="+q.name)
	q.sqs = sqs.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("app", "secret", ""),
	})
	create := func(name string, attrs map[string]string) *string {
		out, err := q.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attrs})
		if err != nil {
			t.Fatal(err)
		}
		return out.QueueUrl
	}
	q.dead = create(q.name+"-failed", nil)
	arn, err := q.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: q.dead, AttributeNames: []types.QueueAttributeName{"QueueArn"}})
	if err != nil {
		t.Fatal(err)
	}
	q.url = create(q.name, map[string]string{
		"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"%d"}`, arn.Attributes["QueueArn"], receives),
	})
	return q
}

func (q *foreignQueue) send(t *testing.T, body string, attrs map[string]types.MessageAttributeValue) (id string) {
	t.Helper()
	out, err := q.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: &body, MessageAttributes: attrs})
	if err != nil {
		t.Fatal(err)
	}
	return *out.MessageId
}

func text(s string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &s}
}

// bodies takes all messages from a queue, waiting for so many.
func (q *foreignQueue) bodies(t *testing.T, url *string, want int) (bodies []string) {
	t.Helper()
	for over := time.Now().Add(deadline); len(bodies) < want && time.Now().Before(over); {
		out, err := q.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20, MaxNumberOfMessages: 10, VisibilityTimeout: 600})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Messages {
			bodies = append(bodies, *m.Body)
		}
	}
	slices.Sort(bodies)
	return bodies
}

// requireCounts fails the test unless the daemon says that it has delivered so many.
func requireCounts(t *testing.T, p *process, delivered, failed int) {
	t.Helper()
	last := p.stderr.String()
	last = last[strings.LastIndex(strings.TrimSpace(last), "\n")+1:]
	var record struct{ Delivered, Failed int }
	if err := json.Unmarshal([]byte(last), &record); err != nil || record.Delivered != delivered || record.Failed != failed {
		t.Errorf("delivered %d, failed %d, want %d and %d (%v) in %s", record.Delivered, record.Failed, delivered, failed, err, last)
	}
}

// What an application sees of each message that somebody has put into its queue.
func TestCompatHeaders(t *testing.T) {
	t.Parallel()
	q := newForeignQueue(t, 5)
	var mu sync.Mutex
	got := map[string][]*http.Request{}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got[string(body)] = append(got[string(body)], r)
		if string(body) == "again" && len(got["again"]) == 1 {
			w.WriteHeader(http.StatusNoContent) // is not 200
		}
	}))
	t.Cleanup(app.Close)
	ids := map[string]string{
		"plain text": q.send(t, "plain text", map[string]types.MessageAttributeValue{
			"origin": text("AEJ\r\nX-Evil: 1"), "number": {DataType: aws.String("Number"), StringValue: aws.String("7")},
			"bytes": {DataType: aws.String("Binary"), BinaryValue: []byte("x")},
		}),
		"again": q.send(t, "again", nil),
		"elasticbeanstalk scheduled job": q.send(t, "elasticbeanstalk scheduled job", map[string]types.MessageAttributeValue{
			"beanstalk.sqsd.task_name": text("audit"), "beanstalk.sqsd.path": text("/audit"), "beanstalk.sqsd.scheduled_time": text("2026-01-02 03:00:00 UTC"),
		}),
	}
	p := q.start(t, "task", "--compat", "sqsd", "--webhook-url", app.URL+"/jobs", "--error-visibility", "1s", "--visibility", "1m", "--until-empty", "--grace", "5s")
	p.wait(t).requireCode(t, 0)
	requireCounts(t, p, 3, 1)
	for body, id := range ids {
		for i, r := range got[body] {
			for name, want := range map[string]string{
				"User-Agent": "aws-sqsd/2.0", "Content-Type": "application/json", "X-Aws-Sqsd-Msgid": id, "X-Aws-Sqsd-Queue": q.name,
				"X-Aws-Sqsd-Receive-Count": fmt.Sprint(i + 1), "X-Ramify-Signature": "",
			} {
				if r.Header.Get(name) != want {
					t.Errorf("%s of %q is %q, want %q", name, body, r.Header.Get(name), want)
				}
			}
			at, err := time.Parse("2006-01-02T15:04:05Z", r.Header.Get("X-Aws-Sqsd-First-Received-At"))
			if err != nil || time.Since(at) > deadline || time.Since(at) < -time.Minute {
				t.Errorf("%q was first received at %v: %v", body, at, err)
			}
			if r.Header.Get("X-Aws-Sqsd-Sender-Id") == "" {
				t.Errorf("%q has no sender: %v", body, r.Header)
			}
		}
	}
	if n := len(got["again"]); n != 2 {
		t.Errorf("what was not answered by 200 was posted %d times", n)
	}
	h := got["plain text"][0].Header
	if got["plain text"][0].URL.Path != "/jobs" || h.Get("X-Aws-Sqsd-Attr-origin") != "AEJ  X-Evil: 1" || h.Get("X-Aws-Sqsd-Attr-number") != "7" ||
		h.Get("X-Aws-Sqsd-Attr-bytes") != "" || h.Get("X-Evil") != "" {
		t.Errorf("got %v", h)
	}
	r := got["elasticbeanstalk scheduled job"][0]
	if r.URL.Path != "/audit" || r.Header.Get("X-Aws-Sqsd-Taskname") != "audit" || r.Header.Get("X-Aws-Sqsd-Scheduled-At") != "2026-01-02 03:00:00 UTC" {
		t.Errorf("got %s %v", r.URL.Path, r.Header)
	}
}

// djangoPython is a Python that has the application's framework.
var djangoPython = sync.OnceValues(func() (string, error) {
	wanted, err := filepath.Abs(filepath.Join("testdata", "django-requirements.txt"))
	if err != nil {
		return "", err
	}
	const need = "Python 3 with venv (Debian: apt-get install python3-venv)"
	dir, err := emulator.Installed("django-eb-sqs-worker-0.5.0", func(dir string) error {
		if err := emulator.Run(dir, need, "python3", "-m", "venv", dir); err != nil {
			return err
		}
		return emulator.Run(dir, need, filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted)
	})
	return filepath.Join(dir, "bin", "python"), err
})

// An application written for Elastic Beanstalk's daemon, by people who do not know of
// us, works unchanged: its web tier sends tasks, its worker tier does them.
func TestCompatWithAnApplicationOfTheDaemons(t *testing.T) {
	t.Parallel()
	python, err := djangoPython()
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs(filepath.Join("testdata", "django_worker.py"))
	if err != nil {
		t.Fatal(err)
	}
	q := newForeignQueue(t, 4)
	port, err := emulator.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	app := fmt.Sprintf("http://127.0.0.1:%d", port)
	// The daemon is there first, and waits.
	p := q.start(t, "task", "--compat", "sqsd", "--webhook-url", app+"/worker/sqs/", "--webhook-health", "/healthy",
		"--error-visibility", "1s", "--visibility", "1m", "--grace", "5m")
	p.stderr.await(t, "daemon begins")
	for task, args := range map[string]string{"note": `{"text": "é"}`, "fail_twice": `{"name": "a"}`, "fail": `{"name": "b"}`} {
		cmd := exec.Command(python, script, "send", task, args)
		cmd.Env = q.env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("send %s: %v\n%s", task, err, out)
		}
	}
	q.send(t, "elasticbeanstalk scheduled job", map[string]types.MessageAttributeValue{
		"beanstalk.sqsd.task_name": text("nightly"), "beanstalk.sqsd.path": text("/worker/sqs/"), "beanstalk.sqsd.scheduled_time": text("2026-01-02 03:00:00 UTC"),
	})
	q.send(t, "no JSON at all", nil)
	notes := q.path("notes")
	serves := &process{cmd: exec.Command(python, script, "serve", fmt.Sprint(port), notes), stdout: newTranscript(), stderr: newTranscript(), done: make(chan struct{})}
	serves.cmd.Env, serves.cmd.Stdout, serves.cmd.Stderr = q.env, serves.stdout, serves.stderr
	serves.begin(t)
	dead := q.bodies(t, q.dead, 2)
	if len(dead) != 2 || dead[0] != "no JSON at all" || !strings.Contains(dead[1], `"task": "fail"`) {
		t.Errorf("dead letters are %q", dead)
	}
	want := []string{"fail b", "fail b", "fail b", "fail b", "fail_twice a", "nightly", "note é"}
	awaitThat(t, "what the application has to do", func() bool {
		data, err := os.ReadFile(notes)
		return err == nil && strings.Count(string(data), "\n") >= len(want)
	})
	p.signal(t, terminate)
	p.wait(t).requireCode(t, 0)
	requireCounts(t, p, 3, 2+4+4)
	data, err := os.ReadFile(notes)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, serves.stderr, p.stderr)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	slices.Sort(lines)
	if !slices.Equal(lines, want) {
		t.Errorf("the application did %q, want %q", lines, want)
	}
}

// What is under way when the daemon is killed is seen again, and done by the next.
func TestCompatKilled(t *testing.T) {
	t.Parallel()
	q := newForeignQueue(t, 10)
	arrived := make(chan struct{}, 10)
	var mu sync.Mutex
	done := map[string]int{}
	hang := true
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		waits := hang
		mu.Unlock()
		if waits {
			arrived <- struct{}{}
			<-r.Context().Done()
			return
		}
		mu.Lock()
		defer mu.Unlock()
		done[string(body)]++
	}))
	t.Cleanup(app.Close)
	for i := range 3 {
		q.send(t, fmt.Sprint("m", i), nil)
	}
	args := []string{"task", "--compat", "sqsd", "--webhook-url", app.URL, "--visibility", "3s", "--until-empty"}
	p := q.start(t, args...)
	for range 3 {
		<-arrived
	}
	p.signal(t, kill)
	<-p.done
	mu.Lock()
	hang = false
	mu.Unlock()
	q.run(t, args...).requireCode(t, 0)
	for i := range 3 {
		if n := done[fmt.Sprint("m", i)]; n < 1 { // a standstill of three seconds, and it is seen again
			t.Errorf("message %d was not done", i)
		}
	}
}

// What is wrong is said before anything is received.
func TestCompatUsage(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	u.env = append(u.env, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "RAMIFY_QUEUE=jobs", "AWS_ENDPOINT_URL_SQS=http://127.0.0.1:1")
	for want, args := range map[string][]string{
		`--compat is "celery", want sqsd`: {"--compat", "celery"},
		"set --webhook-url":               {"--compat", "sqsd"},
		`--webhook-url is "localhost"`:    {"--compat", "sqsd", "--webhook-url", "localhost"},
		`--error-visibility is "x"`:       {"--compat", "sqsd", "--webhook-url", "http://localhost", "--error-visibility", "x"},
		`--webhook-health is "up"`:        {"--compat", "sqsd", "--webhook-url", "http://localhost", "--webhook-health", "up"},
		`--webhook-connections is "0"`:    {"--webhook-url", "http://localhost", "--webhook-connections", "0"},
		`--webhook-kinds is "A"`:          {"--webhook-url", "http://localhost", "--webhook-kinds", "A"},
		`but synthetic is a kind`:         {"--webhook-url", "http://localhost", "--webhook-kinds", "a,synthetic"},
		`it is not said where they are`:   {"--webhook-kinds", "a"},
	} {
		r := u.run(t, append([]string{"task"}, args...)...)
		r.requireCode(t, 1)
		if !strings.Contains(r.stderr, want) {
			t.Errorf("%v says %s, want %s", args, r.stderr, want)
		}
	}
}
