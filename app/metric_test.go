package app

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/emulator/ministack"
	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/metricfn"
	queuesqs "github.com/ramify/ramify/queue/sqs"
)

// says runs a command and returns its exit code and what it printed.
func says(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	var texts [2]string
	var files [2]*os.File
	for i := range files {
		f, err := os.Create(filepath.Join(t.TempDir(), fmt.Sprint(i)))
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		files[i] = f
	}
	code = realMain(args, streams{out: files[0], err: files[1]})
	for i, f := range files {
		_, err := f.Seek(0, io.SeekStart)
		require.NoError(t, err)
		text, err := io.ReadAll(f)
		require.NoError(t, err)
		texts[i] = string(text)
	}
	return code, texts[0], texts[1]
}

// stacks numbers them: the emulator keeps them for as long as the tests run, -count and all.
var stacks atomic.Int64

// stacked makes a stack whose outputs name a fleet with one message and no task, and
// has the environment lead to it.
func stacked(t *testing.T) (cfg aws.Config, stack string) {
	t.Helper()
	url := ministack.URL(t)
	stack = fmt.Sprintf("%s-%d", strings.ToLower(t.Name()), stacks.Add(1))
	cfg = aws.Config{Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("metric", "secret", "")}
	for k, v := range map[string]string{"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "metric", "AWS_SECRET_ACCESS_KEY": "secret"} {
		t.Setenv(k, v)
	}
	ctx := t.Context()
	q, err := queuesqs.Create(ctx, cfg, stack, queuesqs.Settings{})
	require.NoError(t, err)
	_, err = sqs.NewFromConfig(cfg).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &q.URL, MessageBody: aws.String("one")})
	require.NoError(t, err)
	require.NoError(t, dynamodb.Create(ctx, cfg, dynamodb.Table{Name: stack}))
	e := ecs.NewFromConfig(cfg)
	_, err = e.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: &stack})
	require.NoError(t, err)
	_, err = e.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: &stack, ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("task"), Image: aws.String("none")}},
	})
	require.NoError(t, err)
	_, err = e.CreateService(ctx, &ecs.CreateServiceInput{Cluster: &stack, ServiceName: &stack, TaskDefinition: &stack, DesiredCount: aws.Int32(0)})
	require.NoError(t, err)
	outputs := map[string]any{}
	for k, v := range map[string]string{"RamifyQueue": q.URL, "RamifyLedger": "dynamodb:" + stack, "RamifyCluster": stack, "RamifyService": stack, "RamifyConcurrency": "8"} {
		outputs[k] = map[string]string{"Value": v}
	}
	template, err := json.Marshal(map[string]any{
		"Resources": map[string]any{"Other": map[string]any{"Type": "AWS::SQS::Queue"}},
		"Outputs":   outputs,
	})
	require.NoError(t, err)
	_, err = cloudformation.NewFromConfig(cfg).CreateStack(ctx, &cloudformation.CreateStackInput{StackName: &stack, TemplateBody: aws.String(string(template))})
	require.NoError(t, err)
	return cfg, stack
}

func TestMetricOnce(t *testing.T) {
	cfg, stack := stacked(t)
	desired := func() int32 {
		out, err := ecs.NewFromConfig(cfg).DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: &stack, Services: []string{stack}})
		require.NoError(t, err)
		return out.Services[0].DesiredCount
	}
	code, out, said := says(t, "metric", "--once", "--json", "--stack", stack)
	require.Equal(t, exitDone, code, said)
	var line lookLine
	require.NoError(t, json.Unmarshal([]byte(out), &line), out)
	assert.Equal(t, stack, line.Fleet)
	assert.InDelta(t, 1, line.Metrics["BacklogPerTask"], 0)
	assert.InDelta(t, 1, line.Metrics["Asleep"], 0)
	assert.InDelta(t, 0.1/8, line.Metrics["BacklogSeconds"], 1e-9, "a message of 0.1 s, and the stack's tasks do 8 at a time")
	assert.InDelta(t, 0, line.Metrics["Running"], 0)
	assert.Contains(t, line.Metrics, "SettledPerSecond", "zeros are published")
	assert.Equal(t, new(1), line.Desired)
	assert.False(t, line.Applied)
	assert.Zero(t, desired(), "it was not told to govern")
	listed, err := cloudwatch.NewFromConfig(cfg).ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{
		Namespace: aws.String(metricfn.Namespace), Dimensions: []types.DimensionFilter{{Name: aws.String(metricfn.DimensionFleet), Value: &stack}},
	})
	require.NoError(t, err)
	assert.Len(t, listed.Metrics, len(line.Metrics)+2, "and LookErrors and Failures")

	code, out, said = says(t, "metric", "--once", "--stack", stack, "--governor", "--min", "0", "--max", "5")
	require.Equal(t, exitDone, code, said)
	assert.Contains(t, out, "desired 1: messages are outstanding, but no run goes on, which it now is")
	assert.EqualValues(t, 1, desired())
}

func TestMetricOfAPartThatFails(t *testing.T) {
	_, stack := stacked(t)
	code, out, said := says(t, "metric", "--once", "--stack", stack, "--service", "nobody")
	assert.Equal(t, exitFailures, code)
	assert.Contains(t, out, "Unread")
	assert.NotContains(t, out, "BacklogPerTask", "nobody knows it")
	assert.Contains(t, out, "none: queue or service is not known")
	assert.Contains(t, said, "ramify: look at service: ecs:DescribeServices of service nobody in cluster "+stack+": it is not there")
	_, out, _ = says(t, "metric", "--once", "--json", "--stack", stack, "--service", "nobody")
	assert.NotContains(t, out, `"desired"`, "none is not 0")
}

// Without a stack, what a task does at a time is what one does that is told nothing.
func TestMetricTakesATaskAsItIs(t *testing.T) {
	field, there := reflect.TypeFor[taskCmd]().FieldByName("Concurrency")
	require.True(t, there)
	c := metricCmd{Fleet: "f"}
	f := &fleet{fleetFlags: fleetFlags{Queue: "q", Ledger: "none"}, cluster: "c", service: "s"}
	s, err := c.settings(f)
	require.NoError(t, err)
	assert.Equal(t, field.Tag.Get("default"), strconv.Itoa(s.Knobs.Concurrency))

	f.knobs = map[string]string{"concurrency": "8"}
	s, err = c.settings(f)
	require.NoError(t, err)
	assert.Equal(t, 8, s.Knobs.Concurrency, "the stack knows better")
	c.Concurrency = "9"
	s, err = c.settings(f)
	require.NoError(t, err)
	assert.Equal(t, 9, s.Knobs.Concurrency, "and who says so, best")
}

func TestMetricUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "it is not said what --fleet is"},
		{[]string{"--fleet", "f"}, "it is not said what --queue is"},
		{[]string{"--fleet", "f", "--queue", "q", "--ledger", "l"}, `--ledger is "l", want dynamodb:TABLE, or none`},
		{[]string{"--fleet", "f", "--queue", "q", "--ledger", "none", "--cluster", "c"}, "it is not said what --service is"},
		{[]string{"--fleet", "f", "--queue", "q", "--ledger", "none", "--cluster", "c", "--service", "s", "--task-price", "much"}, `--task-price is "much", want a number`},
		{[]string{"--fleet", "f", "--queue", "q", "--ledger", "none", "--cluster", "c", "--service", "s", "--governor"}, "--governor needs --min and --max"},
	} {
		code, _, said := says(t, append([]string{"metric", "--once"}, c.args...)...)
		assert.Equal(t, exitUsage, code, said)
		assert.Contains(t, said, c.want)
	}
}

// Who posts to a stack's fleet that sleeps wakes it, and leaves one alone that works.
func TestPostingWakesTheFleetOfAStack(t *testing.T) {
	cfg, stack := stacked(t)
	client := ecs.NewFromConfig(cfg)
	desired := func() int32 {
		out, err := client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: &stack, Services: []string{stack}})
		require.NoError(t, err)
		return out.Services[0].DesiredCount
	}
	set := func(n int32) {
		_, err := client.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: &stack, Service: &stack, DesiredCount: &n})
		require.NoError(t, err)
	}
	const node = `{"kind":"synthetic","id":"0"}`
	code, _, said := says(t, "seed", node, "--run", "a", "--stack", stack)
	require.Equal(t, exitDone, code, said)
	assert.EqualValues(t, 1, desired())
	set(4)
	code, _, said = says(t, "seed", node, "--run", "b", "--stack", stack)
	require.Equal(t, exitDone, code, said)
	assert.EqualValues(t, 4, desired())
	set(0)
	code, _, said = says(t, "pause", "b", "--stack", stack)
	require.Equal(t, exitDone, code, said)
	assert.Zero(t, desired())
	code, _, said = says(t, "resume", "b", "--stack", stack)
	require.Equal(t, exitDone, code, said)
	assert.EqualValues(t, 1, desired())

	_, err := client.DeleteService(t.Context(), &ecs.DeleteServiceInput{Cluster: &stack, Service: &stack, Force: aws.Bool(true)})
	require.NoError(t, err)
	code, _, said = says(t, "seed", node, "--run", "c", "--stack", stack)
	assert.Equal(t, exitDone, code, "the run is there")
	assert.Contains(t, said, "run c\nramify: no task was started at once; one will be within three minutes: ecs:DescribeServices of service")
}
