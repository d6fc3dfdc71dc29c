package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapplicationautoscaling"

	"github.com/ramify/ramify/infra/knob"
	"github.com/ramify/ramify/scaling"
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
	// What is followed, and what alarms look at, package scaling says: `ramify plan`
	// plays the same.
	k := scaling.Knobs{Min: f.knobs.Min, Concurrency: f.knobs.Concurrency, Acceptable: f.knobs.Latency}
	tracks := []scaling.Track{scaling.Net(k)}
	if f.knobs.Scaling == knob.TargetTracking {
		tracks = scaling.Tracks(k, f.knobs.Track, f.knobs.Message)
	}
	for _, t := range tracks {
		f.track(target, t)
	}
	f.step(target, scaling.Wake(), "Something is to be done and no task is desired.")
	f.step(target, scaling.Sleep(k), "Nothing has been to do for five minutes. No reason to worry.")
}

// track follows a metric of the fleet.
func (f *fleet) track(target awsapplicationautoscaling.CfnScalableTarget, t scaling.Track) {
	awsapplicationautoscaling.NewCfnScalingPolicy(f.stack, str(t.ID), &awsapplicationautoscaling.CfnScalingPolicyProps{
		PolicyName: str(f.knobs.Stack + "-" + t.ID), PolicyType: str("TargetTrackingScaling"), ScalingTargetId: target.Ref(),
		TargetTrackingScalingPolicyConfiguration: &awsapplicationautoscaling.CfnScalingPolicy_TargetTrackingScalingPolicyConfigurationProperty{
			CustomizedMetricSpecification: &awsapplicationautoscaling.CfnScalingPolicy_CustomizedMetricSpecificationProperty{
				Namespace: str(Namespace), MetricName: str(t.Metric), Statistic: str("Average"),
				Dimensions: []any{&awsapplicationautoscaling.CfnScalingPolicy_MetricDimensionProperty{Name: str("Fleet"), Value: str(f.knobs.Stack)}},
			},
			TargetValue: num(t.Target), DisableScaleIn: yes(!t.In),
			ScaleOutCooldown: num(t.OutCooldown.Seconds()), ScaleInCooldown: num(t.InCooldown.Seconds()),
		},
	})
}

// step is a policy and its alarm.
func (f *fleet) step(target awsapplicationautoscaling.CfnScalableTarget, s scaling.Step, says string) {
	adjustment, statistic := "ChangeInCapacity", "Maximum"
	if s.Exact {
		adjustment = "ExactCapacity"
	}
	if s.Least {
		statistic = "Minimum"
	}
	policy := awsapplicationautoscaling.NewCfnScalingPolicy(f.stack, str(s.ID), &awsapplicationautoscaling.CfnScalingPolicyProps{
		PolicyName: str(f.knobs.Stack + "-" + s.ID), PolicyType: str("StepScaling"), ScalingTargetId: target.Ref(),
		StepScalingPolicyConfiguration: &awsapplicationautoscaling.CfnScalingPolicy_StepScalingPolicyConfigurationProperty{
			AdjustmentType: str(adjustment), Cooldown: num(s.Cooldown.Seconds()), MetricAggregationType: str("Maximum"),
			StepAdjustments: []any{&awsapplicationautoscaling.CfnScalingPolicy_StepAdjustmentProperty{
				ScalingAdjustment: num(float64(s.By)), MetricIntervalLowerBound: num(0),
			}},
		},
	})
	f.alarm(s.Alarm, watch{
		metric: s.Metric, statistic: statistic, op: atLeast, threshold: 1, period: int(s.Period.Seconds()), periods: s.Periods, missing: quiet,
		does: []any{policy.Ref()}, says: says,
	})
}
