package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/ramify/ramify/scaling"
)

// watch is an alarm on a metric of the fleet, or on an expression of several.
type watch struct {
	metric    string
	namespace string            // default Namespace
	of        map[string]string // dimensions; default the fleet
	statistic string

	expression string          // instead of a metric
	metrics    map[string]stat // of the expression, by their names in it

	op              operator
	threshold       float64
	period, periods int // seconds; how many in a row
	missing         missing
	does            []any
	says            string
}

// stat is a metric of the fleet, and what counts of its values in a period.
type stat struct{ metric, statistic string }

type operator string

const (
	atLeast operator = "GreaterThanOrEqualToThreshold"
	over    operator = "GreaterThanThreshold"
	under   operator = "LessThanThreshold"
)

// missing is what a period without data says.
type missing string

const (
	quiet   missing = "notBreaching"
	unknown missing = "missing" // the state is INSUFFICIENT_DATA, and does what an alarm does
)

// Source: Amazon CloudWatch User Guide, "Using Amazon CloudWatch alarms".
func (f *fleet) alarm(id string, w watch) {
	props := &awscloudwatch.CfnAlarmProps{
		AlarmName: str(f.knobs.Stack + "-" + id), AlarmDescription: str(w.says),
		ComparisonOperator: str(string(w.op)), Threshold: num(w.threshold),
		EvaluationPeriods: num(float64(w.periods)), DatapointsToAlarm: num(float64(w.periods)),
		TreatMissingData: str(string(w.missing)),
	}
	if w.does != nil {
		props.AlarmActions = &w.does
		if w.missing == unknown {
			props.InsufficientDataActions = &w.does
		}
	}
	switch {
	case w.expression != "":
		props.Metrics = f.queries(w)
	default:
		if w.namespace == "" {
			w.namespace, w.of = Namespace, map[string]string{"Fleet": f.knobs.Stack}
		}
		props.Namespace, props.MetricName, props.Statistic = str(w.namespace), str(w.metric), str(w.statistic)
		props.Period, props.Dimensions = num(float64(w.period)), dimensions(w.of)
	}
	awscloudwatch.NewCfnAlarm(f.stack, str(id), props)
}

func (f *fleet) queries(w watch) []any {
	all := []any{&awscloudwatch.CfnAlarm_MetricDataQueryProperty{
		Id: str("answer"), Expression: str(w.expression), Label: str(w.expression), ReturnData: yes(true),
	}}
	for _, name := range sorted(w.metrics) {
		all = append(all, &awscloudwatch.CfnAlarm_MetricDataQueryProperty{
			Id: str(name), ReturnData: yes(false),
			MetricStat: &awscloudwatch.CfnAlarm_MetricStatProperty{
				Stat: str(w.metrics[name].statistic), Period: num(float64(w.period)),
				Metric: &awscloudwatch.CfnAlarm_MetricProperty{
					Namespace: str(Namespace), MetricName: str(w.metrics[name].metric), Dimensions: dimensions(map[string]string{"Fleet": f.knobs.Stack}),
				},
			},
		})
	}
	return all
}

func dimensions(of map[string]string) (all []any) {
	for _, name := range sorted(of) {
		all = append(all, &awscloudwatch.CfnAlarm_DimensionProperty{Name: str(name), Value: jsii.String(of[name])})
	}
	return all
}

// maxInFlight is near the 120,000 at which SQS lets nothing more be received.
const maxInFlight = 110_000

// makeAlarms are those for people.
func (f *fleet) makeAlarms() {
	var does []any
	if f.knobs.AlarmTopic != "" {
		does = []any{f.knobs.AlarmTopic}
	}
	all := map[string]watch{
		"Failures": {
			metric: "Failures", statistic: "Maximum", op: atLeast, threshold: 1, periods: 1, missing: quiet,
			says: "Nodes of live runs were given up: ramify failed RUN says which and why.",
		},
		"DeadLetters": {
			namespace: "AWS/SQS", of: map[string]string{"QueueName": *f.data.dead.QueueName()},
			metric: "ApproximateNumberOfMessagesVisible", statistic: "Maximum", op: atLeast, threshold: 1, periods: 5, missing: quiet,
			says: "Messages that cannot be executed: each says why in its attribute ramify-reason.",
		},
		"OldestAge": {
			metric: scaling.MetricOldestAge, statistic: "Maximum", op: over, threshold: f.knobs.AlarmAge.Seconds(), periods: 5, missing: quiet,
			says: "A message waits for long: more tasks (max), or a run that is paused.",
		},
		// BacklogSeconds, and not what is outstanding: it is 0 where all runs are paused.
		"NoProgress": {
			expression: "IF(backlog > 0 AND settled <= 0, 1, 0)",
			metrics:    map[string]stat{"backlog": {scaling.MetricBacklogSeconds, "Minimum"}, "settled": {scaling.MetricSettledPerSecond, "Maximum"}},
			op:         atLeast, threshold: 1, periods: 10, missing: quiet,
			says: "There is a backlog that nobody has paused, and nothing has settled for ten minutes: look at the tasks' logs.",
		},
		// In each minute fewer ran than were desired at any time of it: a fleet that grows
		// has what it wanted a while ago.
		"Short": {
			expression: "IF(desired - running > 0, 1, 0)",
			metrics:    map[string]stat{"desired": {scaling.MetricDesired, "Minimum"}, "running": {scaling.MetricRunning, "Maximum"}},
			op:         atLeast, threshold: 1, periods: 15, missing: quiet,
			says: "For 15 minutes fewer tasks run than are desired: the service's events say whether the image does not start, Fargate has no capacity on Spot, or the account's quota of vCPUs is used up.",
		},
		"InFlight": {
			metric: scaling.MetricInFlight, statistic: "Maximum", op: atLeast, threshold: maxInFlight, periods: 1, missing: quiet,
			says: "SQS lets 120,000 messages be in flight, and then nothing more be received: fewer tasks or less concurrency.",
		},
		// Not breaching where data is missing: it would be an alarm before the first look.
		// An alarm begins with insufficient data, and does something only when it comes
		// back to it.
		"Measure": {
			metric: scaling.MetricOutstanding, statistic: "SampleCount", op: under, threshold: 1, periods: 5, missing: unknown,
			says: "With insufficient data the fleet is not measured, and nothing scales it: see that the schedule is on, and the function's logs.",
		},
		"Function": {
			namespace: "AWS/Lambda", of: map[string]string{"FunctionName": *f.metric.function.FunctionName()},
			metric: "Errors", statistic: "Maximum", op: atLeast, threshold: 1, periods: 5, missing: quiet,
			says: "The function that measures the fleet fails, and nothing scales it: look at its logs.",
		},
		"LookErrors": {
			metric: "LookErrors", statistic: "Minimum", op: atLeast, threshold: 1, periods: 5, missing: quiet,
			says: "Queue, service or ledger cannot be looked at: look at the function's logs.",
		},
	}
	for _, id := range sorted(all) {
		w := all[id]
		w.period, w.does = 60, does
		f.alarm(id+"Alarm", w)
	}
}
