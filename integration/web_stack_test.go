package integration

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ramify/ramify/internal/emulator/ministack"
	"github.com/ramify/ramify/internal/emulator/scaler"
)

// stacked is a crew whose fleet a stack tells of, with a service, a log of decisions and
// metrics. What it is told is in its environment, beside the stack's name.
type stacked struct {
	*crew
	cfg    aws.Config
	scaler *scaler.Scaler
}

// stack makes the stack of a crew that is set up, with these outputs besides.
func (c *crew) stack(t *testing.T, more map[string]string) *stacked {
	t.Helper()
	url := ministack.URL(t)
	s := &stacked{scaler: scaler.Start(t), cfg: aws.Config{
		Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("cli", secretText, ""),
	}}
	env := slices.DeleteFunc(slices.Clone(c.env), func(v string) bool { // the stack says it
		return strings.HasPrefix(v, "RAMIFY_QUEUE=") || strings.HasPrefix(v, "RAMIFY_LEDGER=")
	})
	for _, service := range []string{"CLOUDFORMATION", "ECS", "CLOUDWATCH", "CLOUDWATCH_LOGS"} {
		env = append(env, "AWS_ENDPOINT_URL_"+service+"="+url)
	}
	s.crew = &crew{&user{dir: c.dir, env: append(env, "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING="+s.scaler.URL, "RAMIFY_STACK="+c.name)}, c.name}

	outputs := map[string]map[string]string{}
	for k, v := range map[string]string{
		"RamifyQueue": c.name, "RamifyLedger": "dynamodb:" + c.name, "RamifyCluster": c.name, "RamifyService": c.name, "RamifyMetricLogs": c.name,
	} {
		outputs[k] = map[string]string{"Value": v}
	}
	for k, v := range more {
		outputs[k] = map[string]string{"Value": v}
	}
	body, err := json.Marshal(map[string]any{"Resources": map[string]any{"Other": map[string]string{"Type": "AWS::SQS::Queue"}}, "Outputs": outputs})
	if err != nil {
		t.Fatal(err)
	}
	services, logs, name := ecs.NewFromConfig(s.cfg), cloudwatchlogs.NewFromConfig(s.cfg), &c.name
	for _, make := range []func() error{
		func() error {
			_, err := cloudformation.NewFromConfig(s.cfg).CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: name, TemplateBody: aws.String(string(body))})
			return err
		},
		func() error {
			_, err := services.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: name})
			return err
		},
		func() error {
			_, err := services.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
				Family: name, ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("task"), Image: aws.String("none")}},
			})
			return err
		},
		func() error {
			_, err := services.CreateService(t.Context(), &ecs.CreateServiceInput{Cluster: name, ServiceName: name, TaskDefinition: name, DesiredCount: aws.Int32(3)})
			return err
		},
		func() error {
			_, err := logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name})
			return err
		},
		func() error {
			_, err := logs.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: name, LogStreamName: name})
			return err
		},
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// decide has the governor decide, as the function does: it writes a line, and publishes.
func (s *stacked) decide(t *testing.T, was, now int, reason string) {
	t.Helper()
	at := time.Now()
	line := fmt.Sprintf(`{"time":%q,"level":"INFO","msg":"desired count changed","desired":%d,"was":%d,"wanted":%d,"reason":%q}`, at.Format(time.RFC3339Nano), now, was, now, reason)
	_, err := cloudwatchlogs.NewFromConfig(s.cfg).PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{
		LogGroupName: &s.name, LogStreamName: &s.name, LogEvents: []logstypes.InputLogEvent{{Message: &line, Timestamp: aws.Int64(at.UnixMilli())}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]float64{"Running": float64(was), "Desired": float64(was)} {
		_, err := cloudwatch.NewFromConfig(s.cfg).PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
			Namespace: aws.String("Ramify"), MetricData: []cwtypes.MetricDatum{{
				MetricName: &name, Value: &v, Timestamp: &at, Unit: cwtypes.StandardUnitCount,
				Dimensions: []cwtypes.Dimension{{Name: aws.String("Fleet"), Value: &s.name}},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A page of a stack holds the fleet to what the stack says, and tells who has scaled it; so
// does a report. Results that lie below a prefix, beside another run's, make a tree.
func TestServeAStack(t *testing.T) {
	t.Parallel()
	const n = 400
	c := newCrew(t, archive(t, n).url).setup(t)
	s := c.stack(t, map[string]string{
		"RamifyMin": "1", "RamifyMax": "33", "RamifyLatency": "5m0s", "RamifyTarget": "20s", "RamifyConcurrency": "8", "RamifyCPU": "4096", "RamifyMemory": "8192",
		"RamifyOut": "s3://bucket/deep/results",
	})
	s.run(t, "seed", "s3://bucket/data/", "--run", "r", "--node", "prefix", "--inline", "0").requireCode(t, 0)
	s.run(t, "seed", "s3://bucket/data/03/", "--run", "other", "--node", "prefix", "--inline", "0").requireCode(t, 0)
	s.scaler.Did(scaler.Activity{
		ResourceID: "service/" + s.name + "/" + s.name, Description: "Setting desired count to 1.", StatusCode: "Successful", Start: time.Now(),
		Cause: "monitor alarm " + s.name + "-Wake in state ALARM triggered policy " + s.name + "-WakeUp", StatusMessage: "Successfully set desired count to 1.",
	})
	s.decide(t, 1, 3, "the backlog wants more tasks")

	p := s.start(t, "serve", "--listen", "127.0.0.1:0", "--rate", "0")
	b := browse(t, p)
	b.run = "r"
	var now reading
	b.get(t, "", &now)
	f := now.Fleet
	if f == nil || f.Running != 3 || f.Desired != 3 || f.Unread == 0 || f.Target == nil || *f.Target != 300 || f.Min == nil || *f.Min != 1 || f.Max == nil || *f.Max != 33 {
		t.Fatalf("fleet %+v", f)
	}
	for _, want := range []event{
		{By: "governor", Message: "desired count set to 3, from 1: the backlog wants more tasks"},
		{By: "autoscaling", Message: "Setting desired count to 1: monitor alarm " + s.name + "-Wake in state ALARM triggered policy " + s.name + "-WakeUp"},
	} {
		if !slices.ContainsFunc(f.Events, func(e event) bool { return e.By == want.By && e.Message == want.Message }) {
			t.Errorf("%+v is not in %+v", want, f.Events)
		}
	}
	if !slices.IsSortedFunc(f.Events, func(a, b event) int { return b.At.Compare(a.At) }) {
		t.Errorf("not the newest first: %+v", f.Events)
	}
	for _, m := range f.Missing {
		if m.Part != "age" { // this SQS has no CloudWatch
			t.Errorf("missing: %+v", m)
		}
	}
	var tree prefixTree
	if b.get(t, "/tree", &tree); tree.Complete || tree.Objects != 0 {
		t.Errorf("before anything was done: %+v", tree)
	}

	task := c.work(t) // with its queue in its environment, as one of the stack's
	s.awaitFleet(t, "r", "finished")
	s.awaitFleet(t, "other", "finished")
	b.get(t, "/tree", &tree)
	if tree.check(t); !tree.Complete || tree.Objects != n || tree.Prefixes != 20 {
		t.Errorf("tree %+v", tree)
	}
	b.get(t, "/tree?prefix=data/", &tree)
	if tree.check(t); tree.Objects != n || tree.Prefixes != 20 || len(tree.Children) != 20 || tree.Seconds <= 0 {
		t.Errorf("below data/ %+v", tree)
	}
	for _, c := range tree.Children {
		if c.Objects != n/20 {
			t.Errorf("%s has %d objects, want %d: another run's may be in it", c.Prefix, c.Objects, n/20)
		}
	}
	task.signal(t, terminate)
	task.wait(t).requireCode(t, 0)
	p.signal(t, terminate)
	p.wait(t).requireCode(t, 0)

	r := s.report(t, "r")
	if r.Fleet == nil || len(r.Fleet.Tasks.Points) == 0 || r.Fleet.Task_hours <= 0 || *r.Fleet.Target != 300 || *r.Fleet.Max != 33 || len(r.Fleet.Missing) != 0 {
		t.Fatalf("reported fleet %+v", r.Fleet)
	}
	if last := r.Fleet.Tasks.Points[len(r.Fleet.Tasks.Points)-1]; last[2] != 1 || last[4] != 1 {
		t.Errorf("tasks %v, want one that ran", last)
	}
	by := map[string]int{}
	for _, e := range r.Fleet.Events {
		by[e.By]++
	}
	if by["governor"] != 1 || by["autoscaling"] != 1 {
		t.Errorf("events %+v", r.Fleet.Events)
	}
	s.scaler.Deny()
	r = s.report(t, "r")
	if m := r.Fleet.Missing; len(m) != 1 || m[0].Part != "scaling activities" || !strings.HasSuffix(m[0].Reason, "allow application-autoscaling:DescribeScalingActivities to these credentials") {
		t.Errorf("missing %+v", m)
	}
	watched := s.run(t, "watch", "r")
	watched.requireCode(t, 0)

	// What a stack cannot mean is said by the name of its output.
	broken := newCrew(t, "").setup(t).stack(t, map[string]string{"RamifyLatency": "soon"})
	got := broken.run(t, "serve", "--listen", "127.0.0.1:0")
	got.requireCode(t, 1)
	if want := `ramify: output RamifyLatency of stack ` + broken.name + ` is "soon", want a time, such as 90s`; !strings.Contains(got.stderr, want) {
		t.Errorf("said %s", got.stderr)
	}
}
