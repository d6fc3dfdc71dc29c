package integration

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// TestDeployedTargetTracking is a simulation of Application Auto Scaling, which no
// emulator has: the test does what its policies and alarms say, by the numbers of the
// template, on the metrics that the deployed function publishes. It leaves out how
// long AWS waits before it acts, which is minutes, and acts on what it sees.
func TestDeployedTargetTracking(t *testing.T) {
	t.Parallel()
	// 2 s ÷ 0.5 s × 4 slots: 16 messages a task.
	d := deploy(t, map[string]string{"max": "3", "concurrency": "4", "scaling": "target-tracking", "latency": "2s", "message": "500ms"})
	s := readScaling(t, d)
	if s.least != 0 || s.most != 3 || len(s.policies) != 2 || len(s.steps) != 2 {
		t.Fatalf("read from the template: %+v", s)
	}
	d.act = func() { s.act(t, d) }
	d.await(t, "the fleet that has nothing to do goes to its minimum", d.quiet)
	seed := d.start(t, "seed", `{"kind": "synthetic", "id": "0", "args": {"fanout": 10, "depth": 3, "work": "500ms"}}`,
		"--stack", d.stack, "--run", "tracked", "--inline", "0", "--watch", "--json")
	d.await(t, "the run ends", func() bool { return !seed.running() })
	end := seed.wait(t)
	end.requireCode(t, 0)
	if sum := parseSummary(t, end.stdout); sum.State != "finished" || sum.Nodes != 1111 {
		t.Errorf("got %+v", sum)
	}
	d.await(t, "the count is back at its minimum", d.quiet)
	if d.peak != 3 {
		t.Errorf("%d tasks at most, want 3", d.peak)
	}
}

// scalingRules are those of a template.
type scalingRules struct {
	least, most int
	policies    []tracked
	steps       []stepped
	next        time.Time
}

// tracked is a target tracking policy.
type tracked struct {
	metric, statistic string
	target            float64
	noScaleIn         bool
}

// stepped is an alarm and what it does.
type stepped struct {
	metric, statistic string
	threshold         float64
	periods           int
	exact             bool // the adjustment is the count, not a difference
	adjustment        int
	next              time.Time // after its cooldown
	cooldown          time.Duration
}

func readScaling(t *testing.T, d *deployed) *scalingRules {
	t.Helper()
	resources := d.template["Resources"].(map[string]any)
	properties := func(name string) map[string]any {
		return resources[name].(map[string]any)["Properties"].(map[string]any)
	}
	s := &scalingRules{}
	for _, r := range resources {
		r := r.(map[string]any)
		p, _ := r["Properties"].(map[string]any)
		switch r["Type"] {
		case "AWS::ApplicationAutoScaling::ScalableTarget":
			s.least, s.most = int(p["MinCapacity"].(float64)), int(p["MaxCapacity"].(float64))
		case "AWS::ApplicationAutoScaling::ScalingPolicy":
			if c, is := p["TargetTrackingScalingPolicyConfiguration"].(map[string]any); is {
				m := c["CustomizedMetricSpecification"].(map[string]any)
				s.policies = append(s.policies, tracked{m["MetricName"].(string), m["Statistic"].(string), c["TargetValue"].(float64), c["DisableScaleIn"] == true})
			}
		case "AWS::CloudWatch::Alarm":
			actions, _ := p["AlarmActions"].([]any)
			for _, a := range actions {
				c := properties(a.(map[string]any)["Ref"].(string))["StepScalingPolicyConfiguration"].(map[string]any)
				if p["ComparisonOperator"] != "GreaterThanOrEqualToThreshold" {
					t.Fatalf("an alarm that scales compares by %v", p["ComparisonOperator"])
				}
				s.steps = append(s.steps, stepped{
					metric: p["MetricName"].(string), statistic: p["Statistic"].(string), threshold: p["Threshold"].(float64),
					periods: int(p["EvaluationPeriods"].(float64)), exact: c["AdjustmentType"] == "ExactCapacity",
					adjustment: int(c["StepAdjustments"].([]any)[0].(map[string]any)["ScalingAdjustment"].(float64)),
					cooldown:   time.Duration(c["Cooldown"].(float64) * float64(time.Second)),
				})
			}
		}
	}
	return s
}

// act is one evaluation: of several target tracking policies the largest count wins,
// and less only if all agree that scale in.
func (s *scalingRules) act(t *testing.T, d *deployed) {
	t.Helper()
	if now := time.Now(); now.Before(s.next) {
		return
	}
	s.next = time.Now().Add(2 * time.Second)
	want := d.now
	if len(d.tasks) > 0 {
		want = s.tracking(t, d)
	}
	for i := range s.steps {
		a := &s.steps[i]
		if time.Now().Before(a.next) || !s.alarmed(t, d, a) {
			continue
		}
		if a.next = time.Now().Add(a.cooldown); a.exact {
			want = a.adjustment
		} else {
			want = max(want, d.now+a.adjustment)
		}
	}
	if want = min(max(want, s.least), s.most); want == d.now {
		return
	}
	n := int32(want)
	_, err := d.ecs.UpdateService(t.Context(), &ecs.UpdateServiceInput{
		Cluster: aws.String(d.out["RamifyCluster"]), Service: aws.String(d.out["RamifyService"]), DesiredCount: &n,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *scalingRules) tracking(t *testing.T, d *deployed) int {
	t.Helper()
	out, in := 0, true
	for _, p := range s.policies {
		values := d.byMinute(t, p.metric, p.statistic)
		if len(values) == 0 { // insufficient data
			return d.now
		}
		n := int(math.Ceil(float64(len(d.tasks)) * values[len(values)-1] / p.target))
		if out = max(out, n); p.noScaleIn {
			in = false
		}
	}
	if out < d.now && !in {
		return d.now
	}
	return out
}

// alarmed: the last periods are all at the threshold or above it.
func (s *scalingRules) alarmed(t *testing.T, d *deployed, a *stepped) bool {
	t.Helper()
	values := d.byMinute(t, a.metric, a.statistic)
	if len(values) < a.periods {
		return false
	}
	return !slices.ContainsFunc(values[len(values)-a.periods:], func(v float64) bool { return v < a.threshold })
}

// byMinute are the values of a metric since the fleet is there, the last the latest.
func (d *deployed) byMinute(t *testing.T, metric, statistic string) (values []float64) {
	t.Helper()
	out, err := d.metrics.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("Ramify"), MetricName: &metric, Dimensions: []cwtypes.Dimension{{Name: aws.String("Fleet"), Value: &d.stack}},
		StartTime: aws.Time(d.begun.Add(-time.Minute)), EndTime: aws.Time(time.Now().Add(time.Minute)), Period: aws.Int32(60),
		Statistics: []cwtypes.Statistic{cwtypes.Statistic(statistic)},
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(out.Datapoints, func(a, b cwtypes.Datapoint) int { return a.Timestamp.Compare(*b.Timestamp) })
	for _, p := range out.Datapoints {
		values = append(values, *cmp.Or(p.Maximum, p.Minimum, p.Average))
	}
	return values
}
