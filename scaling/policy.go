package scaling

import "time"

// What stands beside the governor, or in its place: policies of Application Auto
// Scaling, and the alarms that invoke them. The template makes them as they are
// said here, and plan plays them: no other place has their figures.

// Spot is the percent of tasks on Fargate Spot, where nobody said another one.
const Spot = 80

// Track is a policy that follows a metric of the fleet. A cooldown of zero is none.
//
// Source: Application Auto Scaling API Reference,
// "TargetTrackingScalingPolicyConfiguration".
type Track struct {
	ID          string // in the template
	Metric      string // its average over a minute
	Target      float64
	OutCooldown time.Duration
	InCooldown  time.Duration
	In          bool // it takes tasks away, too
}

const inCooldown = time.Minute

// Net is the policy under the governor: it scales out where nobody else does, and is
// slower. It takes nothing away: two that do would fight. Its metric counts tasks that
// are being launched: while the governor launches many, the few that run look as if
// they needed long.
func Net(k Knobs) Track {
	return Track{ID: "Net", Metric: MetricBacklogSecondsSoon, Target: k.Acceptable.Seconds(), InCooldown: inCooldown}
}

// Tracks are the policies without a governor. They follow metric, BacklogPerTask or
// BacklogSeconds; message is how long a message holds a slot, of which only
// BacklogPerTask's target knows nothing by itself. Of several policies the one that
// wants most wins: beside BacklogPerTask, which sees nothing in flight, another one
// keeps the last task while it is busy.
//
// Source: Application Auto Scaling User Guide, "Target tracking scaling policies".
func Tracks(k Knobs, metric string, message time.Duration) []Track {
	seconds := Track{ID: "Track", Metric: MetricBacklogSeconds, Target: k.Acceptable.Seconds(), InCooldown: inCooldown, In: true}
	if metric == MetricBacklogSeconds {
		return []Track{seconds}
	}
	perTask := seconds
	perTask.Metric, perTask.Target = MetricBacklogPerTask, PerTask(k, message)
	seconds.ID = "TrackBusy"
	return []Track{perTask, seconds}
}

// PerTask is the backlog of a task, in messages, that is worked off in the acceptable
// latency: the target of BacklogPerTask.
//
// Source: Amazon EC2 Auto Scaling User Guide, "Scaling policy based on Amazon SQS"
// (acceptable latency ÷ time of a message), times the slots of a task.
func PerTask(k Knobs, message time.Duration) float64 {
	return k.Acceptable.Seconds() / message.Seconds() * float64(k.Concurrency)
}

// Step is a policy with the alarm that invokes it, when it goes off and once a minute
// while it lasts: the metric is 1 in each of the last Periods. A period without data
// is none such.
//
// Source: Application Auto Scaling API Reference, "StepScalingPolicyConfiguration";
// Amazon CloudWatch User Guide, "Using Amazon CloudWatch alarms".
type Step struct {
	ID, Alarm string // in the template
	Metric    string // 0 or 1
	Least     bool   // the least of a period counts; otherwise the greatest
	Period    time.Duration
	Periods   int
	Exact     bool // ExactCapacity; otherwise ChangeInCapacity
	By        int
	Cooldown  time.Duration
}

// Wake starts a task where none is desired: target tracking starts nothing for a
// backlog that is less than its target. One more task, not exactly one: what an alarm
// does is done again while it lasts.
func Wake() Step {
	return Step{ID: "WakeUp", Alarm: "Wake", Metric: MetricAsleep, Period: 10 * time.Second, Periods: 1, By: 1, Cooldown: time.Minute}
}

// Sleep goes back to the minimum after five minutes in which there was never anything
// to do: the queue's counts may be late.
func Sleep(k Knobs) Step {
	return Step{
		ID: "GoToSleep", Alarm: "Sleep", Metric: MetricIdle, Least: true, Period: time.Minute, Periods: 5,
		Exact: true, By: k.Min, Cooldown: time.Minute,
	}
}
