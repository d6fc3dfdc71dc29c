package stack

import (
	"maps"
	"strconv"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"

	"github.com/ramify/ramify/infra/knob"
)

// metric is what measures the fleet and, as its governor, scales it.
type metric struct {
	role     awsiam.Role
	function awslambda.Function
	logs     awslogs.LogGroup
}

// functionTimeout is more than a look of a minute: it ends by itself before the
// next begins.
const functionTimeout = 75 * time.Second

func (f *fleet) makeMetric() {
	m := &f.metric
	m.logs = f.makeLogs("MetricLogs")
	m.role = f.makeRole("MetricRole", awsiam.NewServicePrincipal(str("lambda.amazonaws.com"), nil), "Of the function that measures the fleet.")
	allow(m.role, "Logs", []string{*m.logs.LogGroupArn()}, "logs:CreateLogStream", "logs:PutLogEvents")
	allow(m.role, "Queue", []string{*f.data.queue.QueueArn()}, "sqs:GetQueueAttributes")
	allow(m.role, "Ledger", f.ledgerARNs(), "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query")
	f.allowLease()
	service := []string{*f.service.service.ServiceArn()}
	allow(m.role, "Service", service, "ecs:DescribeServices")
	if f.knobs.Scaling == knob.Governor {
		f.allowCount(service)
	}
	allow(m.role, "Age", []string{"*"}, "cloudwatch:GetMetricStatistics")
	m.role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: str("Metrics"), Actions: strs("cloudwatch:PutMetricData"), Resources: strs("*"),
		Conditions: &map[string]any{"StringEquals": map[string]any{"cloudwatch:namespace": Namespace}},
	}))

	variables := map[string]string{
		"RAMIFY_QUEUE":       *f.data.queue.QueueUrl(),
		"RAMIFY_LEDGER":      "dynamodb:" + *f.data.table.TableName(),
		"RAMIFY_CLUSTER":     *f.service.cluster.ClusterName(),
		"RAMIFY_SERVICE":     *f.service.service.ServiceName(),
		"RAMIFY_FLEET":       f.knobs.Stack,
		"RAMIFY_MIN":         strconv.Itoa(f.knobs.Min),
		"RAMIFY_MAX":         strconv.Itoa(f.knobs.Max),
		"RAMIFY_CONCURRENCY": strconv.Itoa(f.knobs.Concurrency),
		"RAMIFY_SCALING":     f.knobs.Scaling,
		"RAMIFY_TARGET":      f.knobs.Target.String(),
		"RAMIFY_LATENCY":     f.knobs.Latency.String(),
	}
	maps.Copy(variables, f.price())
	m.function = awslambda.NewFunction(f.stack, str("Metric"), &awslambda.FunctionProps{
		Description:  str("Measures the fleet once a minute, and while it works every ten seconds."),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: f.functionArch(),
		Handler:      str("bootstrap"),
		Code:         awslambda.Code_FromAsset(str(f.knobs.Function), nil),
		Role:         m.role,
		LogGroup:     m.logs,
		MemorySize:   num(256),
		Timeout:      awscdk.Duration_Seconds(num(functionTimeout.Seconds())),
		// The next minute looks anyway, and knows better. No reserved concurrency:
		// small accounts have none to reserve, and looks that overlap do no harm.
		RetryAttempts: num(0), MaxEventAge: awscdk.Duration_Seconds(num(60)),
		Environment: environment(variables),
	})
	rule := awsevents.NewCfnRule(f.stack, str("Schedule"), &awsevents.CfnRuleProps{
		Description:        str("The look of each minute."),
		ScheduleExpression: str("rate(1 minute)"),
		Targets:            []any{&awsevents.CfnRule_TargetProperty{Id: str("metric"), Arn: m.function.FunctionArn()}},
	})
	awslambda.NewCfnPermission(f.stack, str("ScheduleInvokes"), &awslambda.CfnPermissionProps{
		Action: str("lambda:InvokeFunction"), FunctionName: m.function.FunctionArn(),
		Principal: "events.amazonaws.com", SourceArn: rule.AttrArn(),
	})
}

// allowCount lets a look set how many tasks there are. Of what else UpdateService can
// change, IAM can hold it to the fleet's own tasks, and to no shell in them.
//
// Source: Service Authorization Reference, "Actions, resources, and condition keys for
// Amazon Elastic Container Service" (ecs:task-definition, ecs:enable-execute-command);
// requests that name neither have neither key.
func (f *fleet) allowCount(service []string) {
	tasks := *f.stack.FormatArn(&awscdk.ArnComponents{
		Service: str("ecs"), Resource: str("task-definition"), ResourceName: str(*f.service.task.Family() + ":*"),
	})
	f.metric.role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: str("DesiredCount"), Actions: strs("ecs:UpdateService"), Resources: strs(service...),
		Conditions: &map[string]any{
			"ArnLikeIfExists":      map[string]any{"ecs:task-definition": tasks},
			"StringEqualsIfExists": map[string]any{"ecs:enable-execute-command": "false"},
		},
	}))
}

// allowLease lets a look be the one that decides, and write nothing else to the
// ledger.
//
// Source: Amazon DynamoDB Developer Guide, "Using IAM policy conditions for
// fine-grained access control".
func (f *fleet) allowLease() {
	if f.knobs.Scaling != knob.Governor {
		return
	}
	f.metric.role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: str("Lease"), Actions: strs("dynamodb:UpdateItem"), Resources: &[]*string{f.data.table.TableArn()},
		Conditions: &map[string]any{"ForAllValues:StringEquals": map[string]any{"dynamodb:LeadingKeys": []string{"L#metric:" + f.knobs.Stack}}},
	}))
}

func (f *fleet) functionArch() awslambda.Architecture {
	if f.knobs.Arch == "arm64" {
		return awslambda.Architecture_ARM_64()
	}
	return awslambda.Architecture_X86_64()
}
