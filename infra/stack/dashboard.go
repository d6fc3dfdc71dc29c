package stack

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"

	"github.com/ramify/ramify/scaling"
)

const wide, high = 8, 6 // a third of the page

// makeDashboard shows a run from its beginning to its end.
func (f *fleet) makeDashboard() {
	m := f.figure
	board := awscloudwatch.NewDashboard(f.stack, str("Dashboard"), &awscloudwatch.DashboardProps{
		DashboardName: str(f.knobs.Stack), DefaultInterval: awscdk.Duration_Hours(num(3)),
	})
	board.AddWidgets(
		f.graph("Done, by run", "", f.byRun("FractionDone", "Maximum")),
		f.nodes(),
		f.graph("Backlog", "", m("Unread"), m("InFlight"), m("Delayed")),
	)
	board.AddWidgets(
		f.graph("Tasks", "", m("Running"), m("Pending"), m("Desired"), m("Wanted")),
		f.perTask(),
		f.graph("Messages a second", "", m("SettledPerSecond")),
	)
	board.AddWidgets(
		f.graph("Failures, by run", "", f.byRun("Failures", "Maximum")),
		f.graph("Age of the oldest message", "seconds", m("OldestAge")),
		f.graph("Dead letters", "", awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
			Namespace: str("AWS/SQS"), MetricName: str("ApproximateNumberOfMessagesVisible"), Label: str("DeadLetters"),
			DimensionsMap: &map[string]*string{"QueueName": f.data.dead.QueueName()}, Statistic: str("Maximum"), Period: minute(),
		})),
	)
	board.AddWidgets(
		f.graph("Cost so far, by run", "USD", f.byRun("Cost", "Maximum")),
		f.graph("Time of a message", "seconds", m("SecondsPerMessage")),
		f.graph("Looks that failed", "", m("LookErrors")),
	)
}

func minute() awscdk.Duration { return awscdk.Duration_Minutes(num(1)) }

// figure is a metric of the fleet.
func (f *fleet) figure(name string) awscloudwatch.IMetric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: str(Namespace), MetricName: str(name), Label: str(name),
		DimensionsMap: &map[string]*string{"Fleet": str(f.knobs.Stack)}, Statistic: str("Maximum"), Period: minute(),
	})
}

// byRun is a metric of each run: there are as many lines as runs.
//
// Source: Amazon CloudWatch User Guide, "CloudWatch search expression syntax".
func (f *fleet) byRun(name, statistic string) awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: str(fmt.Sprintf(`SEARCH('{%s,Fleet,Run} MetricName=%q Fleet=%q', '%s', 60)`, Namespace, name, f.knobs.Stack, statistic)),
		Label:      str(""), UsingMetrics: &map[string]awscloudwatch.IMetric{}, Period: minute(),
	})
}

func (f *fleet) graph(title, unit string, metrics ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
		Title: str(title), Left: &metrics, Width: num(wide), Height: num(high), LiveData: yes(true),
		LeftYAxis: axis(unit),
	})
}

func axis(unit string) *awscloudwatch.YAxisProps {
	y := &awscloudwatch.YAxisProps{Min: num(0), ShowUnits: yes(false)}
	if unit != "" {
		y.Label = str(unit)
	}
	return y
}

// perTask is the backlog of a task against what it works off in the acceptable latency,
// which is what target tracking holds it to.
func (f *fleet) perTask() awscloudwatch.IWidget {
	line := func(value float64) *[]*awscloudwatch.HorizontalAnnotation {
		return &[]*awscloudwatch.HorizontalAnnotation{{Value: num(value), Label: str("target")}}
	}
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
		Title: str("Backlog per task"), Width: num(wide), Height: num(high), LiveData: yes(true),
		Left: &[]awscloudwatch.IMetric{f.figure(scaling.MetricBacklogPerTask)}, LeftYAxis: axis("messages"),
		Right: &[]awscloudwatch.IMetric{f.figure(scaling.MetricBacklogSeconds)}, RightYAxis: axis("seconds"),
		LeftAnnotations: line(f.knobs.BacklogTarget()), RightAnnotations: line(f.knobs.Latency.Seconds()),
	})
}

// nodes come from the lines that tasks log, each of which has a minute's.
func (f *fleet) nodes() awscloudwatch.IWidget {
	sum := f.byRun("Nodes", "Sum")
	return f.graph("Nodes a second, by run", "", awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: str("nodes / 60"), Label: str(""), UsingMetrics: &map[string]awscloudwatch.IMetric{"nodes": sum}, Period: minute(),
	}))
}

// sorted has the names of a map: jsii's order would change the template each time.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
