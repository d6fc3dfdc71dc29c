package integration

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ramify/ramify/internal/emulator"
	"github.com/ramify/ramify/internal/emulator/counter"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/internal/emulator/ministack"
)

// qdoneRelease is the release that ours is compared with.
const qdoneRelease = "qdone-1.7.1"

// qdoneEndpoint has qdone's SDK, which knows no variable for it, ask where it is told.
const qdoneEndpoint = `const AWS = require(process.env.QDONE_SDK)
AWS.config.update({ sqs: { endpoint: process.env.AWS_ENDPOINT_URL }, cloudwatch: { endpoint: process.env.AWS_ENDPOINT_URL } })
`

// qdone is a real qdone: from the archive that RAMIFY_TEST_QDONE names or that is beside
// this checkout's folder, and otherwise from the registry of npm.
type qdone struct{ dir string }

func installQdone(t *testing.T) *qdone {
	t.Helper()
	archive := os.Getenv("RAMIFY_TEST_QDONE")
	if beside, err := filepath.Abs("../../shared/peers/" + qdoneRelease + ".tar.gz"); archive == "" && err == nil {
		if _, err := os.Stat(beside); err == nil {
			archive = beside
		}
	}
	const need = "Node.js with npm, and tar"
	dir, err := emulator.Installed(qdoneRelease, func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "endpoint.js"), []byte(qdoneEndpoint), 0o600); err != nil {
			return err
		}
		if archive == "" {
			return emulator.Run(dir, need, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", strings.Replace(qdoneRelease, "-", "@", 1))
		}
		if err := emulator.Run(dir, need, "tar", "xzf", archive); err != nil {
			return err
		}
		return emulator.Run(filepath.Join(dir, qdoneRelease), need, "npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts")
	})
	if err != nil {
		t.Skipf("no real qdone here, only the fixtures of one are tried: name its archive by RAMIFY_TEST_QDONE: %v", err)
	}
	for _, at := range []string{filepath.Join(dir, qdoneRelease), filepath.Join(dir, "node_modules", "qdone")} {
		if _, err := os.Stat(filepath.Join(at, "qdone")); err == nil {
			return &qdone{at}
		}
	}
	t.Fatalf("no qdone in %s", dir)
	return nil
}

// run runs qdone for a user.
func (q *qdone) run(t *testing.T, u *jobUser, args ...string) result {
	t.Helper()
	sdk := filepath.Join(q.dir, "node_modules", "aws-sdk")
	if _, err := os.Stat(sdk); err != nil {
		sdk = filepath.Join(filepath.Dir(q.dir), "aws-sdk")
	}
	preload := filepath.Join(u.dir, "endpoint.js")
	if err := os.WriteFile(preload, []byte(qdoneEndpoint), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &process{
		cmd:    exec.Command("node", append([]string{"--no-deprecation", "-r", preload, filepath.Join(q.dir, "qdone"), args[0], "--prefix", u.prefix}, args[1:]...)...),
		stdout: newTranscript(), stderr: newTranscript(), done: make(chan struct{}),
	}
	p.cmd.Env, p.cmd.Dir = append(slices.Clone(u.env), "QDONE_SDK="+sdk, "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE=1"), u.dir
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.begin(t)
	return p.wait(t)
}

// compat is a user of ours who works with qdone's jobs.
func compat(t *testing.T, endpoint string) *jobUser {
	t.Helper()
	u := newJobUser(t, endpoint, "RAMIFY_COMPAT=qdone")
	u.env = slices.DeleteFunc(u.env, func(v string) bool { return strings.HasPrefix(v, "RAMIFY_SIGNING_KEY=") })
	return u
}

// made has queues made by us: no emulator takes the policy that qdone makes its own with.
func (u *jobUser) made(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		u.enqueue(t, name, "true")
		u.drain(t, 0, name)
	}
}

func onQdoneServers(t *testing.T, test func(t *testing.T, q *qdone, url string)) {
	t.Parallel()
	for name, url := range map[string]func(testing.TB) string{"elasticmq": elasticmq.URL, "ministack": ministack.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, installQdone(t), url(t))
		})
	}
}

// Jobs of a real qdone are run by us.
func TestQdonesJobsAreRun(t *testing.T) {
	onQdoneServers(t, func(t *testing.T, q *qdone, url string) {
		u := compat(t, url)
		u.made(t, "q", "b1", "b2")
		q.run(t, u, "enqueue", "q", `echo "hello  world" | tr a-z A-Z`).requireCode(t, 0)
		q.run(t, u, "enqueue", "q", "sh -c 'echo no >&2; exit 3'").requireCode(t, 0)
		if err := os.WriteFile(u.path("batch"), []byte("b1 echo one\nb2   echo two  \nb1 echo three\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		q.run(t, u, "enqueue-batch", "batch").requireCode(t, 0)
		var out []string
		all := append(u.drain(t, 0, "q"), u.drain(t, 0, "b*")...)
		for _, e := range only(all, "JOB_SUCCEEDED") {
			out = append(out, e.Stdout)
		}
		slices.Sort(out)
		if !slices.Equal(out, []string{"HELLO  WORLD\n", "one\n", "three\n", "two\n"}) {
			t.Errorf("ran %q", out)
		}
		if failed := only(all, "JOB_FAILED"); len(failed) != 1 || *failed[0].ExitCode != 3 || failed[0].Command != "sh -c 'echo no >&2; exit 3'" {
			t.Errorf("failed %+v", failed)
		}
	})
}

// Our jobs are run by a real qdone.
func TestQdoneRunsJobs(t *testing.T) {
	onQdoneServers(t, func(t *testing.T, q *qdone, url string) {
		u := compat(t, url)
		u.enqueue(t, "q", "echo single > a; echo '<&>' >> a")
		if err := os.WriteFile(u.path("batch"), []byte("q echo one > b\nq  echo two > c && true\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		u.run(t, "enqueue-batch", "batch").requireCode(t, 0)
		q.run(t, u, "worker", "q", "--drain", "--wait-time", "1").requireCode(t, 0)
		for name, want := range map[string]string{"a": "single\n<&>\n", "b": "one\n", "c": "two\n"} {
			if got, err := os.ReadFile(u.path(name)); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		// What fails is in the failed queue that we have made, once the lease is over.
		u.enqueue(t, "q", "exit 5")
		q.run(t, u, "worker", "q", "--drain", "--wait-time", "1").requireCode(t, 0)
		failed := only(u.drain(t, 0, "q", "q_failed"), "JOB_FAILED")
		for over := time.Now().Add(deadline); len(failed) == 0 && time.Now().Before(over); {
			failed = only(u.drain(t, 0, "q", "q_failed"), "JOB_FAILED")
		}
		if len(failed) != 1 || failed[0].Queue != "q_failed" {
			t.Errorf("failed: %+v", failed)
		}
	})
}

// The line that is printed of a job that failed has qdone's fields, with its values.
func TestFailedLikeQdone(t *testing.T) {
	t.Parallel()
	q, u := installQdone(t), compat(t, elasticmq.URL(t))
	const command = "sh -c 'exit 7'"
	u.enqueue(t, "theirs", command)
	u.enqueue(t, "ours", command)
	fields := func(r result) map[string]any {
		t.Helper()
		for line := range strings.Lines(r.stdout) {
			var f map[string]any
			if json.Unmarshal([]byte(line), &f) == nil && f["event"] == "JOB_FAILED" {
				return f
			}
		}
		t.Fatalf("nothing failed: %s%s", r.stdout, r.stderr)
		return nil
	}
	theirs := fields(q.run(t, u, "worker", "theirs", "--drain", "--wait-time", "1"))
	ours := fields(u.run(t, "worker", "ours", "--drain", "--wait-time", "1"))
	for name, want := range theirs {
		got, is := ours[name]
		switch {
		case !is:
			t.Errorf("no field %s; theirs is %v", name, want)
		case name != "job" && name != "timestamp" && name != "errorMessage" && got != want:
			t.Errorf("%s is %v, and theirs %v", name, got, want)
		}
	}
}

// Side by side with a real qdone, no operation takes more requests.
func TestRequestsBesideQdone(t *testing.T) {
	t.Parallel()
	q, direct := installQdone(t), elasticmq.URL(t)
	u := compat(t, direct)
	u.made(t, "there", "empty0", "empty1", "empty2", "batch0", "batch1", "batch2", "oursome1", "oursome2", "theirsome1", "theirsome2")
	for _, mine := range []string{"our", "their"} {
		for range 3 {
			u.enqueue(t, mine+"short", "true")
			u.enqueue(t, mine+"some0", "true")
		}
		u.enqueue(t, mine+"long", "sleep 25")
	}
	batch := jobBatch(t, u.user, "batch", 25, 3)
	for _, op := range []struct {
		name string
		args func(mine string) []string
	}{
		{"enqueue", func(string) []string { return []string{"enqueue", "there", "true"} }},
		{"enqueue-batch", func(string) []string { return []string{"enqueue-batch", batch} }},
		{"empty round", func(string) []string {
			return []string{"worker", "empty0", "empty1", "empty2", "--drain", "--wait-time", "1"}
		}},
		{"empty round of *", func(string) []string { return []string{"worker", "empty*", "--drain", "--wait-time", "1"} }},
		{"active only", func(string) []string {
			return []string{"worker", "empty*", "--active-only", "--drain", "--wait-time", "1"}
		}},
		{"short jobs", func(mine string) []string { return []string{"worker", mine + "short", "--drain", "--wait-time", "1"} }},
		{"active only, short jobs", func(mine string) []string {
			return []string{"worker", mine + "some*", "--active-only", "--drain", "--wait-time", "5"}
		}},
		{"25 seconds", func(mine string) []string {
			return []string{"worker", mine + "long", "--drain", "--wait-time", "1", "--kill-after", "60"}
		}},
	} {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			count := func(run func(u *jobUser) result) (int, string) {
				c := counter.NewFacing(t, direct)
				through := *u
				through.user = &user{dir: t.TempDir(), env: append(slices.Clone(u.env), "AWS_ENDPOINT_URL="+c.URL)}
				run(&through).requireCode(t, 0)
				return total(nil, c.Requests())
			}
			theirs, of := count(func(u *jobUser) result { return q.run(t, u, op.args("their")...) })
			ours, ourOf := count(func(u *jobUser) result { return u.run(t, op.args("our")...) })
			t.Logf("ours %d (%s), qdone %d (%s)", ours, ourOf, theirs, of)
			if ours > theirs {
				t.Errorf("%d requests (%s), qdone makes %d (%s)", ours, ourOf, theirs, of)
			}
		})
	}
}

// qdoneMessage is what a real qdone sends, as it is kept in testdata/qdone.
type qdoneMessage struct {
	About      string            `json:"about"`
	Command    string            `json:"command"` // as it was typed
	Body       string            `json:"body"`
	Attributes map[string]string `json:"attributes"`
}

const qdoneFixtures = "testdata/qdone/sent.json"

// What a real qdone sends is what the fixtures say.
func TestQdoneSendsTheFixtures(t *testing.T) {
	t.Parallel()
	q, url := installQdone(t), elasticmq.URL(t)
	u := compat(t, url)
	u.made(t, "q")
	client := sqs.NewFromConfig(aws.Config{Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	found, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(u.prefix + "q")})
	if err != nil {
		t.Fatal(err)
	}
	fixtures := readQdone(t)
	for i, f := range fixtures {
		if strings.Contains(f.About, "batch") {
			if err := os.WriteFile(u.path("batch"), []byte("q "+f.Command+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			q.run(t, u, "enqueue-batch", "batch").requireCode(t, 0)
		} else {
			q.run(t, u, "enqueue", "q", f.Command).requireCode(t, 0)
		}
		got, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: found.QueueUrl, WaitTimeSeconds: 10, MessageAttributeNames: []string{"All"}})
		if err != nil || len(got.Messages) != 1 {
			t.Fatalf("%d: %v, %v", i, got, err)
		}
		if m := got.Messages[0]; *m.Body != f.Body || len(m.MessageAttributes) != len(f.Attributes) {
			t.Errorf("%s: sent %q with %v, the fixture is %q", f.About, *m.Body, m.MessageAttributes, f.Body)
		}
	}
}

func readQdone(t *testing.T) (all []qdoneMessage) {
	t.Helper()
	text, err := os.ReadFile(qdoneFixtures)
	if err = errors.Join(err, json.Unmarshal(text, &all)); err != nil || len(all) == 0 {
		t.Fatalf("%d fixtures: %v", len(all), err)
	}
	return all
}

// What qdone sends is run, from the fixtures, where there is no qdone.
func TestQdoneFixturesAreRun(t *testing.T) {
	t.Parallel()
	url := elasticmq.URL(t)
	u := compat(t, url)
	u.made(t, "q")
	client := sqs.NewFromConfig(aws.Config{Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	found, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(u.prefix + "q")})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, f := range readQdone(t) {
		if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: found.QueueUrl, MessageBody: &f.Body}); err != nil {
			t.Fatal(err)
		}
		want[f.Body] = true
	}
	all := u.drain(t, 0, "q")
	for _, e := range all {
		delete(want, e.Command)
	}
	if len(want) > 0 || len(only(all, "JOB_REFUSED")) > 0 {
		t.Errorf("not run: %v of %+v", want, all)
	}
	// Without the name of qdone nothing of it is executed.
	u.enqueue(t, "q", "touch executed")
	strict := newJobUser(t, url, "RAMIFY_PREFIX="+u.prefix)
	if refused := only(strict.drain(t, 3, "q"), "JOB_REFUSED"); len(refused) != 1 {
		t.Errorf("got %+v", refused)
	}
	if _, err := os.Stat(strict.path("executed")); err == nil {
		t.Error("it was executed")
	}
}
