package main

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/emulator/ministack"
	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/metricfn"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// deployed is a fleet on servers, and the environment of its function.
type deployed struct {
	cfg     aws.Config
	env     map[string]string
	sqs     *sqs.Client
	ecs     *ecs.Client
	metrics *cloudwatch.Client
}

var fleets atomic.Int64

func deploy(t testing.TB, change map[string]string) *deployed {
	t.Helper()
	url, name := ministack.URL(t), fmt.Sprintf("lambda-%d", fleets.Add(1))
	d := &deployed{cfg: aws.Config{Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("lambda", "secret", "")}}
	d.sqs, d.ecs, d.metrics = sqs.NewFromConfig(d.cfg), ecs.NewFromConfig(d.cfg), cloudwatch.NewFromConfig(d.cfg)
	queue, err := d.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	require.NoError(t, err)
	require.NoError(t, dynamodb.Create(t.Context(), d.cfg, dynamodb.Table{Name: name}))
	_, err = d.ecs.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: &name})
	require.NoError(t, err)
	_, err = d.ecs.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: &name, ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("task"), Image: aws.String("none")}},
	})
	require.NoError(t, err)
	_, err = d.ecs.CreateService(t.Context(), &ecs.CreateServiceInput{Cluster: &name, ServiceName: &name, TaskDefinition: &name, DesiredCount: aws.Int32(0)})
	require.NoError(t, err)
	d.env = map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "lambda", "AWS_SECRET_ACCESS_KEY": "secret",
		"RAMIFY_FLEET": name, "RAMIFY_QUEUE": *queue.QueueUrl, "RAMIFY_LEDGER": "dynamodb:" + name, "RAMIFY_CLUSTER": name, "RAMIFY_SERVICE": name,
	}
	maps.Copy(d.env, change)
	d.greatest(t, "Unread") // the server's first answer takes long, and a part of a look has seconds
	return d
}

func (d *deployed) send(t testing.TB) {
	t.Helper()
	_, err := d.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(d.env["RAMIFY_QUEUE"]), MessageBody: aws.String("one")})
	require.NoError(t, err)
}

func (d *deployed) desired(t testing.TB) int32 {
	t.Helper()
	out, err := d.ecs.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String(d.env["RAMIFY_CLUSTER"]), Services: []string{d.env["RAMIFY_SERVICE"]}})
	require.NoError(t, err)
	return out.Services[0].DesiredCount
}

// greatest reads a metric of the fleet back; not ok where there is none.
func (d *deployed) greatest(t testing.TB, name string) (float64, bool) {
	t.Helper()
	from, to := time.Now().Add(-5*time.Minute), time.Now().Add(time.Minute)
	out, err := d.metrics.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String(metricfn.Namespace), MetricName: &name, StartTime: &from, EndTime: &to, Period: aws.Int32(3600),
		Statistics: []cwtypes.Statistic{cwtypes.StatisticMaximum},
		Dimensions: []cwtypes.Dimension{{Name: aws.String(metricfn.DimensionFleet), Value: aws.String(d.env["RAMIFY_FLEET"])}},
	})
	require.NoError(t, err)
	if len(out.Datapoints) == 0 {
		return 0, false
	}
	return *out.Datapoints[0].Maximum, true
}

func TestTheFunctionOfAnIdleFleet(t *testing.T) {
	d := deploy(t, nil)
	l := start(t, d.env)
	for range 2 {
		o := l.invoke(t, 5*time.Minute)
		assert.Equal(t, answer{Looks: 1, Decision: "desired 0: nothing is outstanding"}, o.answered(t))
		assert.Less(t, o.took, 50*time.Second, "it does not stay")
	}
	for _, name := range []string{"Unread", "BacklogPerTask", "BacklogSeconds", "Asleep", "Running", "Desired", "OldestAge", "SettledPerSecond", "LookErrors"} {
		v, there := d.greatest(t, name)
		assert.True(t, there, name)
		assert.Zero(t, v, name)
	}
}

func TestTheFunctionWakesAFleet(t *testing.T) {
	d := deploy(t, nil)
	d.send(t)
	l := start(t, d.env)
	a := l.invoke(t, 12*time.Second).answered(t) // no time for a second look
	assert.Equal(t, 1, a.Looks)
	assert.Equal(t, 1, a.Changes)
	assert.Zero(t, a.Failures)
	assert.EqualValues(t, 1, d.desired(t))
	v, _ := d.greatest(t, "BacklogPerTask")
	assert.InDelta(t, 1, v, 0)
	v, there := d.greatest(t, "Asleep")
	assert.True(t, there)
	assert.InDelta(t, 0, v, 0, "the alarm need not wake it, too")
	var line map[string]any
	require.NotEmpty(t, l.logged())
	require.NoError(t, json.Unmarshal([]byte(l.logged()[0]), &line), "logs are JSON")
	assert.Equal(t, "desired count changed", line["msg"])

	d.env["RAMIFY_SCALING"] = "target-tracking"
	_, err := d.ecs.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: aws.String(d.env["RAMIFY_CLUSTER"]), Service: aws.String(d.env["RAMIFY_SERVICE"]), DesiredCount: aws.Int32(0)})
	require.NoError(t, err)
	a = start(t, d.env).invoke(t, 12*time.Second).answered(t)
	assert.Zero(t, a.Changes, "others decide")
	v, _ = d.greatest(t, "Asleep")
	assert.InDelta(t, 1, v, 0, "the alarm is to wake it")
	assert.Zero(t, d.desired(t))
}

func TestTwoFunctionsAtOnce(t *testing.T) {
	d := deploy(t, map[string]string{"RAMIFY_MIN": "3"})
	var both sync.WaitGroup
	var answers [2]outcome
	for i := range answers {
		l := start(t, d.env)
		both.Go(func() { answers[i] = l.invoke(t, 12*time.Second) })
	}
	both.Wait()
	for _, o := range answers {
		assert.Zero(t, o.answered(t).Failures)
	}
	assert.EqualValues(t, 3, d.desired(t))
}

func TestWhereNothingCanBePublishedTheInvocationFails(t *testing.T) {
	d := deploy(t, map[string]string{"AWS_ENDPOINT_URL_CLOUDWATCH": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"})
	d.send(t)
	o := start(t, d.env).invoke(t, 12*time.Second)
	assert.True(t, o.failed)
	assert.Contains(t, string(o.body), "cloudwatch:PutMetricData of fleet")
	assert.EqualValues(t, 1, d.desired(t), "what is known is decided on")
}

// ECS asks for fewer requests, or the ledger is away: what is known is published, and
// how many parts failed.
func TestPartsThatAreAway(t *testing.T) {
	throttled := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
	}))
	defer throttled.Close()
	for _, c := range []struct {
		service, url   string
		part, says     string
		known, unknown []string
		desired        int32
	}{
		{
			"ECS", throttled.URL, "service", "ecs:DescribeServices of service {service} in cluster {service}: AWS asks for fewer requests (ThrottlingException)",
			[]string{"Unread", "SettledPerSecond"}, []string{"Running", "Desired", "BacklogPerTask", "BacklogSeconds", "Asleep", "Idle"}, 0,
		},
		{
			"DYNAMODB", "http://127.0.0.1:1", "ledger", "connection refused",
			[]string{"Unread", "Running", "BacklogPerTask"}, []string{"SettledPerSecond", "SecondsPerMessage", "BacklogSeconds", "Failures"}, 1,
		},
	} {
		t.Run(c.service, func(t *testing.T) {
			d := deploy(t, map[string]string{"AWS_MAX_ATTEMPTS": "1"})
			d.env["AWS_ENDPOINT_URL_"+c.service] = c.url
			d.send(t)
			l := start(t, d.env)
			a := l.invoke(t, 12*time.Second).answered(t)
			assert.Equal(t, 1, a.Failures)
			for _, name := range c.known {
				_, there := d.greatest(t, name)
				assert.True(t, there, name)
			}
			for _, name := range c.unknown {
				_, there := d.greatest(t, name)
				assert.False(t, there, name)
			}
			v, there := d.greatest(t, "LookErrors")
			assert.True(t, there)
			assert.InDelta(t, 1, v, 0)
			assert.Equal(t, c.desired, d.desired(t))
			said := strings.Join(l.logged(), "\n")
			assert.Contains(t, said, `"part":"`+c.part+`"`)
			assert.Contains(t, said, strings.ReplaceAll(c.says, "{service}", d.env["RAMIFY_SERVICE"]))
		})
	}
}

// What is deployed runs on a machine without anything else on it, of either kind.
func TestBothArchitectures(t *testing.T) {
	for arch, want := range map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64} {
		t.Run(arch, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "bootstrap")
			require.NoError(t, build(out, "GOOS=linux", "GOARCH="+arch))
			f, err := elf.Open(out)
			require.NoError(t, err)
			defer f.Close()
			assert.Equal(t, want, f.Machine)
			for _, p := range f.Progs {
				assert.NotEqual(t, elf.PT_INTERP, p.Type, "it is static")
			}
			about, err := os.Stat(out)
			require.NoError(t, err)
			assert.Less(t, about.Size(), int64(20<<20), "bytes to fetch at a cold start")
		})
	}
}

func TestConfigurationIsCheckedAtTheStart(t *testing.T) {
	good := map[string]string{
		"AWS_REGION": "us-east-1", "RAMIFY_FLEET": "f", "RAMIFY_QUEUE": "https://sqs.us-east-1.amazonaws.com/1/q", "RAMIFY_LEDGER": "dynamodb:table",
		"RAMIFY_CLUSTER": "c", "RAMIFY_SERVICE": "s",
	}
	for name, value := range map[string]string{
		"RAMIFY_FLEET": "", "RAMIFY_QUEUE": "", "RAMIFY_LEDGER": "redis:x", "RAMIFY_SERVICE": "", "RAMIFY_SCALING": "cpu", "RAMIFY_MAX": "0", "RAMIFY_SPOT": "2", "RAMIFY_LATENCY": "soon",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := maps.Clone(good)
			env[name] = value
			l := start(t, env)
			select {
			case <-l.ended:
			case <-time.After(time.Minute):
				require.Fail(t, "it has started")
			}
			assert.Equal(t, 1, l.cmd.ProcessState.ExitCode())
			require.Len(t, l.logged(), 1)
			var line map[string]any
			require.NoError(t, json.Unmarshal([]byte(l.logged()[0]), &line))
			assert.Contains(t, line["error"], fmt.Sprintf("%s is %q, want ", name, value))
		})
	}
}

// BenchmarkLambdaCold is one start of the function and its first look at an idle
// fleet: init-ms until it asks for an invocation, first-ms of that,
// and the most memory that it took (on Linux).
func BenchmarkLambdaCold(b *testing.B) {
	d := deploy(b, nil)
	start(b, d.env).invoke(b, time.Minute)
	var initial, first time.Duration
	var memory float64
	for b.Loop() {
		l := start(b, d.env)
		<-l.ready
		initial += time.Since(l.started)
		o := l.invoke(b, time.Minute)
		o.answered(b)
		first += o.took
		memory = max(memory, l.memory())
		_ = l.cmd.Process.Kill()
		<-l.ended
	}
	n := float64(b.N)
	b.ReportMetric(float64(initial.Microseconds())/1e3/n, "init-ms")
	b.ReportMetric(float64(first.Microseconds())/1e3/n, "first-ms")
	b.ReportMetric(memory/1024, "peak-MiB")
}

// BenchmarkLambdaWarm is one look of a function that runs, at an idle fleet.
func BenchmarkLambdaWarm(b *testing.B) {
	d := deploy(b, nil)
	l := start(b, d.env)
	l.invoke(b, time.Minute)
	var took time.Duration
	for b.Loop() {
		o := l.invoke(b, time.Minute)
		o.answered(b)
		took += o.took
	}
	b.ReportMetric(float64(took.Microseconds())/1e3/float64(b.N), "look-ms")
}
