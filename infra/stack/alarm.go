package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"
)

// watch is an alarm on a metric of the fleet, or on an expression of several.
type watch struct {
	metric    string
	namespace string            // default Namespace
	of        map[string]string // dimensions; default the fleet
	statistic string

	expression string            // instead of a metric
	metrics    map[string]string // of the expression, by their names in it

	op              operator
	threshold       float64
	period, periods int // seconds; how many in a row
	missing         missing
	does            []any
	says            string
}

type operator string

const (
	atLeast operator = "GreaterThanOrEqualToThreshold"
	over    operator = "GreaterThanThreshold"
	under   operator = "LessThanThreshold"
)

// missing is what a period without data says.
type missing string

const (
	quiet  missing = "notBreaching"
	alarms missing = "breaching"
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
				Stat: str(w.statistic), Period: num(float64(w.period)),
				Metric: &awscloudwatch.CfnAlarm_MetricProperty{
					Namespace: str(Namespace), MetricName: str(w.metrics[name]), Dimensions: dimensions(map[string]string{"Fleet": f.knobs.Stack}),
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
			metric: "OldestAge", statistic: "Maximum", op: over, threshold: f.knobs.AlarmAge.Seconds(), periods: 5, missing: quiet,
			says: "A message waits for long: more tasks (max), or a run that is paused.",
		},
		"NoProgress": {
			expression: "IF(outstanding > 0 AND settled <= 0, 1, 0)", metrics: map[string]string{"outstanding": "Outstanding", "settled": "SettledPerSecond"},
			statistic: "Maximum", op: atLeast, threshold: 1, periods: 10, missing: quiet,
			says: "There is a backlog, and nothing has settled for ten minutes: look at the tasks' logs.",
		},
		"InFlight": {
			metric: "InFlight", statistic: "Maximum", op: atLeast, threshold: maxInFlight, periods: 1, missing: quiet,
			says: "SQS lets 120,000 messages be in flight, and then nothing more be received: fewer tasks or less concurrency.",
		},
		"Measure": {
			metric: "Outstanding", statistic: "SampleCount", op: under, threshold: 1, periods: 5, missing: alarms,
			says: "The fleet is not measured: nothing scales it. Look at the function's logs.",
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
