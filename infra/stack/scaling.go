package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapplicationautoscaling"

	"github.com/ramify/ramify/infra/knob"
)

// makeScaling has Application Auto Scaling scale the service. In governor mode it
// is the net under the governor: it scales if nobody else does, and is slower.
//
// Source: Application Auto Scaling User Guide, "Target tracking scaling policies",
// and Amazon EC2 Auto Scaling User Guide, "Scaling policy based on Amazon SQS".
func (f *fleet) makeScaling() {
	target := awsapplicationautoscaling.NewCfnScalableTarget(f.stack, str("TasksRange"), &awsapplicationautoscaling.CfnScalableTargetProps{
		ServiceNamespace: str("ecs"), ScalableDimension: str("ecs:service:DesiredCount"),
		ResourceId:  "service/" + *f.service.cluster.ClusterName() + "/" + *f.service.service.ServiceName(),
		MinCapacity: num(float64(f.knobs.Min)), MaxCapacity: num(float64(f.knobs.Max)),
	})
	latency := f.knobs.Latency.Seconds()
	switch {
	case f.knobs.Scaling == knob.Governor:
		// The governor takes tasks away; two that do would fight.
		f.track(target, "Net", knob.BacklogSeconds, latency, false)
	case f.knobs.Track == knob.BacklogPerTask:
		f.track(target, "Track", knob.BacklogPerTask, f.knobs.BacklogTarget(), true)
		// Of several policies the one that wants most wins. This one counts what is in
		// flight, too: the last task stays while it is busy and nothing is unread.
		f.track(target, "TrackBusy", knob.BacklogSeconds, latency, true)
	default:
		f.track(target, "Track", knob.BacklogSeconds, latency, true)
	}

	// Target tracking starts nothing for a backlog that is less than its target. One
	// more task, not exactly one: the alarm acts once a minute while it lasts.
	wake := f.step(target, "WakeUp", "ChangeInCapacity", 1)
	f.alarm("Wake", watch{
		metric: "Asleep", statistic: "Maximum", op: atLeast, threshold: 1, period: 10, periods: 1, missing: quiet,
		does: []any{wake}, says: "Something is outstanding and no task is desired.",
	})
	// Five minutes, in which it was never otherwise: SQS's counts may be late.
	sleep := f.step(target, "GoToSleep", "ExactCapacity", float64(f.knobs.Min))
	f.alarm("Sleep", watch{
		metric: "Idle", statistic: "Minimum", op: atLeast, threshold: 1, period: 60, periods: 5, missing: quiet,
		does: []any{sleep}, says: "Nothing has been outstanding for five minutes. No reason to worry.",
	})
}

// track follows a metric of the fleet.
func (f *fleet) track(target awsapplicationautoscaling.CfnScalableTarget, id, metric string, value float64, in bool) {
	awsapplicationautoscaling.NewCfnScalingPolicy(f.stack, str(id), &awsapplicationautoscaling.CfnScalingPolicyProps{
		PolicyName: str(f.knobs.Stack + "-" + id), PolicyType: str("TargetTrackingScaling"), ScalingTargetId: target.Ref(),
		TargetTrackingScalingPolicyConfiguration: &awsapplicationautoscaling.CfnScalingPolicy_TargetTrackingScalingPolicyConfigurationProperty{
			CustomizedMetricSpecification: &awsapplicationautoscaling.CfnScalingPolicy_CustomizedMetricSpecificationProperty{
				Namespace: str(Namespace), MetricName: str(metric), Statistic: str("Average"),
				Dimensions: []any{&awsapplicationautoscaling.CfnScalingPolicy_MetricDimensionProperty{Name: str("Fleet"), Value: str(f.knobs.Stack)}},
			},
			TargetValue: num(value), ScaleOutCooldown: num(0), ScaleInCooldown: num(60), DisableScaleIn: yes(!in),
		},
	})
}

// step is a policy for an alarm; its ARN is what the alarm does.
func (f *fleet) step(target awsapplicationautoscaling.CfnScalableTarget, id, adjustment string, by float64) *string {
	return awsapplicationautoscaling.NewCfnScalingPolicy(f.stack, str(id), &awsapplicationautoscaling.CfnScalingPolicyProps{
		PolicyName: str(f.knobs.Stack + "-" + id), PolicyType: str("StepScaling"), ScalingTargetId: target.Ref(),
		StepScalingPolicyConfiguration: &awsapplicationautoscaling.CfnScalingPolicy_StepScalingPolicyConfigurationProperty{
			AdjustmentType: str(adjustment), Cooldown: num(60), MetricAggregationType: str("Maximum"),
			StepAdjustments: []any{&awsapplicationautoscaling.CfnScalingPolicy_StepAdjustmentProperty{ScalingAdjustment: num(by), MetricIntervalLowerBound: num(0)}},
		},
	}).Ref()
}
