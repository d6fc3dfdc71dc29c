package integration

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/ramify/ramify/internal/emulator/counter"
	"github.com/ramify/ramify/internal/emulator/ministack"
)

// used has CloudWatch say that a queue was used, as SQS would: no emulator does.
func (u *jobUser) used(t *testing.T, endpoint, queue, metric string, ago time.Duration) {
	t.Helper()
	client := cloudwatch.NewFromConfig(aws.Config{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	_, err := client.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
		Namespace: aws.String("AWS/SQS"),
		MetricData: []types.MetricDatum{{
			MetricName: &metric, Value: aws.Float64(3), Timestamp: aws.Time(time.Now().Add(-ago)),
			Dimensions: []types.Dimension{{Name: aws.String("QueueName"), Value: aws.String(u.prefix + queue)}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sweep runs idle-queues and returns the names it prints.
func (u *jobUser) sweep(t *testing.T, args ...string) ([]string, result) {
	t.Helper()
	r := u.run(t, append([]string{"idle-queues"}, args...)...)
	r.requireCode(t, 0)
	return strings.Fields(r.stdout), r
}

// Queues are idle if nothing is in them, and nothing was; CloudWatch is asked no further
// than to the first sign of life, and not at all where SQS has said it.
func TestIdleQueues(t *testing.T) {
	t.Parallel()
	direct := ministack.URL(t)
	u := newJobUser(t, direct)
	for _, q := range []string{"full", "sent", "taken", "idle", "moved", "broken", "old"} {
		u.enqueue(t, q, "true")
	}
	for _, q := range []string{"sent", "taken", "idle", "moved", "old"} {
		u.drain(t, 0, q)
	}
	// The failed queue lives: by a job in it, and by one that was.
	u.enqueue(t, "broken", "false")
	u.drain(t, 3, "broken")
	u.used(t, direct, "sent", "NumberOfMessagesSent", 10*time.Minute)
	u.used(t, direct, "taken", "NumberOfMessagesDeleted", 50*time.Minute)
	u.used(t, direct, "moved_failed", "ApproximateNumberOfMessagesVisible", 30*time.Minute)
	u.used(t, direct, "old", "NumberOfMessagesSent", 30*time.Hour)

	for _, c := range []struct {
		queue           string
		sqs, cloudwatch int // requests
		idle            bool
	}{
		{"full", 3, 0, false}, // its URL, its failed queue's, and what is in it
		{"broken", 4, 0, false},
		{"sent", 4, 1, false},
		{"taken", 4, 3, false},
		{"moved", 4, 8, false},
		{"idle", 4, 8, true},
		{"old", 4, 8, true},
	} {
		t.Run(c.queue, func(t *testing.T) {
			n := counter.New(t, direct)
			through := *u
			through.user = &user{dir: u.dir, env: append(slices.Clone(u.env), "AWS_ENDPOINT_URL="+n.URL)}
			got, r := through.sweep(t, c.queue, "--json")
			var is struct {
				Idle bool
				Why  string
			}
			var calls struct{ SQSCalls, CloudWatchCalls int }
			lines := strings.SplitN(r.stdout, "\n", 2)
			if json.Unmarshal([]byte(lines[0]), &is) != nil || json.Unmarshal([]byte(lines[1]), &calls) != nil {
				t.Fatalf("printed %q", got)
			}
			if is.Idle != c.idle || is.Idle == (is.Why != "") {
				t.Errorf("got %+v", is)
			}
			requests, _ := total(nil, n.Requests())
			if calls.SQSCalls != c.sqs || calls.CloudWatchCalls != c.cloudwatch || requests != c.sqs+c.cloudwatch {
				t.Errorf("it says %+v, and made %v; want %d and %d", calls, n.Requests(), c.sqs, c.cloudwatch)
			}
		})
	}

	got, r := u.sweep(t, "*")
	if want := []string{"idle", "old"}; !slices.Equal(got, want) {
		t.Errorf("idle are %v, want %v\n%s", got, want, r.stderr)
	}
	// A queue each, and its failed queue where that is empty; 8 a pair at most.
	if !strings.Contains(r.stderr, "Used 14 SQS and 28 CloudWatch API calls.") {
		t.Errorf("it says %s", r.stderr)
	}
	if got, _ := u.sweep(t, "*", "--idle-for", "48h"); !slices.Equal(got, []string{"idle"}) {
		t.Errorf("got %v", got)
	}
}

// What is idle is deleted with its failed queue, and nothing else.
func TestIdleQueuesAreDeleted(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"ministack": ministack.URL(t), "local": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newJobUser(t, url)
			idleFor := "5"
			if url == "" {
				idleFor = "0"
			}
			for _, q := range []string{"idle", "full", "broken"} {
				u.enqueue(t, q, "false")
			}
			u.drain(t, 3, "broken")
			u.drain(t, 3, "idle")
			u.drain(t, 3, "idle_failed") // it stays there
			if got, _ := u.sweep(t, "*", "--delete", "--idle-for", idleFor); len(got) > 0 {
				t.Fatalf("deleted %v, whose failed queues live", got)
			}
			u.enqueue(t, "gone", "true")
			u.drain(t, 0, "gone")
			if got, r := u.sweep(t, "*", "--delete", "--idle-for", idleFor); !slices.Equal(got, []string{"gone"}) || !strings.Contains(r.stderr, "Deleted gone and gone_failed.") {
				t.Errorf("deleted %v: %s", got, r.stderr)
			}
			if got, _ := u.sweep(t, "gone*", "--idle-for", idleFor); len(got) > 0 {
				t.Errorf("there is %v", got)
			}
			// Left behind without its queue, a failed queue is found as well; alone, where
			// it is said that they are two.
			u.enqueue(t, "lone_failed", "true")
			u.drain(t, 0, "lone_failed")
			if got, _ := u.sweep(t, "lone*", "--delete", "--idle-for", idleFor); !slices.Equal(got, []string{"lone_failed"}) {
				t.Errorf("deleted %v", got)
			}
			u.enqueue(t, "two", "true")
			u.drain(t, 0, "two")
			got, _ := u.sweep(t, "two*", "--unpair", "--include-failed", "--delete", "--idle-for", idleFor)
			if !slices.Equal(got, []string{"two", "two_failed"}) {
				t.Errorf("deleted %v", got)
			}
			if e := u.enqueue(t, "new", "true"); !e.QueueMade {
				t.Errorf("got %+v", e)
			}
		})
	}
}

// Beside a real qdone: no more requests, and the same answer.
func TestIdleQueuesBesideQdone(t *testing.T) {
	t.Parallel()
	q, direct := installQdone(t), ministack.URL(t)
	u := compat(t, direct)
	u.made(t, "idle", "sent", "taken")
	u.enqueue(t, "full", "true")
	u.used(t, direct, "sent", "NumberOfMessagesSent", 10*time.Minute)
	u.used(t, direct, "taken", "NumberOfMessagesDeleted", 10*time.Minute)
	count := func(run func(u *jobUser) result) (map[string]int, []string) {
		c := counter.NewFacing(t, direct)
		through := *u
		through.user = &user{dir: t.TempDir(), env: append(slices.Clone(u.env), "AWS_ENDPOINT_URL="+c.URL)}
		r := run(&through)
		r.requireCode(t, 0)
		return c.Requests(), strings.Fields(r.stdout)
	}
	ours, our := count(func(u *jobUser) result { return u.run(t, "idle-queues", "*") })
	theirs, their := count(func(u *jobUser) result { return q.run(t, u, "idle-queues", "*") })
	slices.Sort(their)
	t.Logf("ours %v, qdone %v", ours, theirs)
	if !slices.Equal(our, their) {
		t.Errorf("idle are %v, and to qdone %v", our, their)
	}
	if ours["GetMetricStatistics"] > theirs["GetMetricStatistics"] || ours["ListQueues"] > theirs["ListQueues"] {
		t.Errorf("requests: %v, and qdone's %v", ours, theirs)
	}
}

// Policies of qdone's are not needed to be the same: what CloudWatch refuses is said.
func TestIdleQueuesWithoutCloudWatch(t *testing.T) {
	t.Parallel()
	u := newJobUser(t, ministack.URL(t))
	u.enqueue(t, "q", "true")
	u.drain(t, 0, "q")
	u.env = append(u.env, "AWS_ENDPOINT_URL_CLOUDWATCH=http://127.0.0.1:1", "AWS_MAX_ATTEMPTS=1")
	r := u.run(t, "idle-queues", "q", "--delete")
	if r.code != 2 || !strings.Contains(r.stderr, "GetMetricStatistics") || r.stdout != "" {
		t.Errorf("%d %s%s", r.code, r.stdout, r.stderr)
	}
	if _, err := os.Stat(u.dir); err != nil {
		t.Fatal(err)
	}
}
