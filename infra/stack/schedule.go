package stack

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"

	"github.com/ramify/ramify/schedule"
)

// scheduledTime is filled in by EventBridge Scheduler: the tick, whenever it is invoked.
//
// Source: Amazon EventBridge Scheduler User Guide, "Adding context attributes".
const scheduledTime = "<aws.scheduler.scheduled-time>"

// shortest is the least age, in seconds, at which an invocation is given up.
const shortest = 60

// makeSchedules makes what starts the ticks of the knob cron: a schedule starts a
// task, which starts the run that has the tick in its name, unless there is one. So
// an invocation that comes twice, as Scheduler allows itself, starts one run, and
// nothing waits between the ticks.
func (f *fleet) makeSchedules() {
	if len(f.knobs.Cron) == 0 {
		return
	}
	role := f.makeRole("ScheduleRole", f.only("scheduler.amazonaws.com"), "Of EventBridge Scheduler: starts a task at each tick.")
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: str("Start"), Actions: strs("ecs:RunTask"), Resources: strs(*f.service.task.TaskDefinitionArn()),
		Conditions: &map[string]any{"ArnEquals": map[string]any{"ecs:cluster": *f.service.cluster.ClusterArn()}},
	}))
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: str("Pass"), Actions: strs("iam:PassRole"), Resources: strs(*f.service.tasks.RoleArn(), *f.service.starts.RoleArn()),
		Conditions: &map[string]any{"StringEquals": map[string]any{"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
	}))
	for _, s := range f.knobs.Cron {
		for i, expression := range s.When.EventBridge() {
			f.makeSchedule(s, "Schedule-"+s.Name+"-"+strconv.Itoa(i+1), expression, role)
		}
	}
}

func (f *fleet) makeSchedule(s *schedule.Schedule, id, expression string, role awsiam.Role) {
	public := "DISABLED"
	if f.knobs.PublicIP {
		public = "ENABLED"
	}
	target := &awsscheduler.CfnSchedule_TargetProperty{
		Arn: f.service.cluster.ClusterArn(), RoleArn: role.RoleArn(), Input: str(invocation(s)),
		EcsParameters: &awsscheduler.CfnSchedule_EcsParametersProperty{
			TaskDefinitionArn: f.service.task.TaskDefinitionArn(), LaunchType: str("FARGATE"), TaskCount: num(1), PlatformVersion: str("1.4.0"),
			NetworkConfiguration: &awsscheduler.CfnSchedule_NetworkConfigurationProperty{AwsvpcConfiguration: &awsscheduler.CfnSchedule_AwsVpcConfigurationProperty{
				Subnets: f.network.vpc.SelectSubnets(f.network.subnets).SubnetIds, SecurityGroups: strs(*f.network.group.SecurityGroupId()), AssignPublicIp: str(public),
			}},
		},
	}
	if s.Missed == schedule.Skip { // as of what starts late here; others Scheduler tries for a day
		target.RetryPolicy = &awsscheduler.CfnSchedule_RetryPolicyProperty{MaximumEventAgeInSeconds: num(shortest)}
	}
	made := awsscheduler.NewCfnSchedule(f.stack, str(id), &awsscheduler.CfnScheduleProps{
		Description:        str("Schedule " + s.Name + " of cron.yaml."),
		ScheduleExpression: str(expression), ScheduleExpressionTimezone: str(s.When.Zone().String()),
		FlexibleTimeWindow: &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: str("OFF")},
		Target:             target,
	})
	made.Node().AddDependency(role) // and its policy
	dependent(made)
}

// invocation is what the task is to do: all it needs to know stands in its command.
func invocation(s *schedule.Schedule) string {
	file, err := json.Marshal(s)
	if err != nil {
		panic(err) // texts alone
	}
	var input strings.Builder
	e := json.NewEncoder(&input)
	e.SetEscapeHTML(false) // the tick is filled in by its brackets
	err = e.Encode(map[string]any{"containerOverrides": []any{map[string]any{
		"name": container, "command": []string{"cron", string(file), "--fire", s.Name, "--at", scheduledTime},
	}}})
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(input.String())
}
