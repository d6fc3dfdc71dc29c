package stack_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/infra/knob"
	"github.com/ramify/ramify/scaling"
	"github.com/ramify/ramify/schedule"
)

var absent = assertions.Match_Absent()

func TestQueues(t *testing.T) {
	tm := synth(t, nil)
	const days14 = 14 * 24 * 3600
	tm.count("AWS::SQS::Queue", 2)
	tm.has("AWS::SQS::Queue", tree{
		"MessageRetentionPeriod": days14, "SqsManagedSseEnabled": true, "ReceiveMessageWaitTimeSeconds": 20, "VisibilityTimeout": 60,
		"RedrivePolicy": tree{"maxReceiveCount": 100},
	})
	tm.has("AWS::SQS::Queue", tree{"MessageRetentionPeriod": days14, "SqsManagedSseEnabled": true, "RedrivePolicy": absent})
	tm.count("AWS::SQS::QueuePolicy", 2)
	for _, p := range tm.resources("AWS::SQS::QueuePolicy") {
		denied(t, p)
	}
}

// denied requires that what comes without TLS is refused.
func denied(t *testing.T, policy tree) {
	t.Helper()
	for _, s := range at(policy, "PolicyDocument", "Statement").([]any) {
		s := s.(tree)
		if s["Effect"] == "Deny" {
			assert.Equal(t, tree{"Bool": tree{"aws:SecureTransport": "false"}}, s["Condition"])
			return
		}
	}
	t.Error("there is no Deny in the policy")
}

func TestLedger(t *testing.T) {
	tm := synth(t, nil)
	tm.has("AWS::DynamoDB::Table", tree{
		"BillingMode":             "PAY_PER_REQUEST",
		"KeySchema":               []any{tree{"AttributeName": "pk", "KeyType": "HASH"}},
		"TimeToLiveSpecification": tree{"AttributeName": "ttl", "Enabled": true},
		"GlobalSecondaryIndexes": []any{tree{
			"IndexName":  "listing",
			"KeySchema":  []any{tree{"AttributeName": "ls", "KeyType": "HASH"}, tree{"AttributeName": "at", "KeyType": "RANGE"}},
			"Projection": tree{"ProjectionType": "KEYS_ONLY"},
		}},
		"PointInTimeRecoverySpecification": absent,
	})
	synth(t, set{"recovery": "true"}).has("AWS::DynamoDB::Table", tree{
		"PointInTimeRecoverySpecification": tree{"PointInTimeRecoveryEnabled": true},
	})
}

func TestResults(t *testing.T) {
	tm := synth(t, nil)
	tm.count("AWS::S3::Bucket", 1)
	tm.has("AWS::S3::Bucket", tree{
		"PublicAccessBlockConfiguration": tree{"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true},
		"VersioningConfiguration":        tree{"Status": "Enabled"},
		"LifecycleConfiguration": tree{"Rules": []any{
			tree{"Id": "parts", "Prefix": "results/.parts/", "ExpirationInDays": 90, "Status": "Enabled"},
			tree{"Id": "uploads", "Prefix": "results/", "AbortIncompleteMultipartUpload": tree{"DaysAfterInitiation": 7}, "Status": "Enabled"},
			tree{"Id": "overwritten", "NoncurrentVersionExpiration": tree{"NoncurrentDays": 30}, "ExpiredObjectDeleteMarker": true, "Status": "Enabled"},
		}},
	})
	denied(t, tm.only("AWS::S3::BucketPolicy"))
}

// What keyring reads: the JSON object of a name and 48 bytes in base64.
func TestSigningKey(t *testing.T) {
	synth(t, nil).has("AWS::SecretsManager::Secret", tree{"GenerateSecretString": tree{
		"SecretStringTemplate": `{"id":"k1"}`, "GenerateStringKey": "key", "PasswordLength": 64, "ExcludePunctuation": true, "IncludeSpace": false,
	}})
}

func TestNetwork(t *testing.T) {
	tm := synth(t, nil)
	for kind, n := range map[string]int{"AWS::EC2::NatGateway": 0, "AWS::EC2::EIP": 0, "AWS::EC2::VPCEndpoint": 2, "AWS::EC2::Subnet": 2} {
		tm.count(kind, n)
	}
	tm.has("AWS::EC2::SecurityGroup", tree{
		"SecurityGroupIngress": absent,
		"SecurityGroupEgress":  []any{tree{"CidrIp": "0.0.0.0/0", "FromPort": 443, "ToPort": 443, "IpProtocol": "tcp"}},
	})
	tm.count("AWS::EC2::SecurityGroupIngress", 0)

	tm = synth(t, variants["in a network"])
	tm.count("AWS::EC2::VPC", 0)
	tm.has("AWS::EC2::SecurityGroup", tree{"VpcId": "vpc-0123456789abcdef0"})
	tm.has("AWS::ECS::Service", tree{"NetworkConfiguration": tree{"AwsvpcConfiguration": tree{
		"AssignPublicIp": "DISABLED", "Subnets": []any{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1"},
	}}})
}

func TestService(t *testing.T) {
	tm := synth(t, nil)
	tm.has("AWS::ECS::Service", tree{
		"DesiredCount": absent, "LaunchType": absent,
		"CapacityProviderStrategy":    []any{tree{"CapacityProvider": "FARGATE_SPOT", "Weight": 4}, tree{"CapacityProvider": "FARGATE", "Weight": 1, "Base": 1}},
		"AvailabilityZoneRebalancing": "DISABLED",
		"DeploymentConfiguration": tree{
			"DeploymentCircuitBreaker": tree{"Enable": true, "Rollback": true}, "MinimumHealthyPercent": 0, "MaximumPercent": 110,
		},
	})
	tm.has("AWS::ECS::TaskDefinition", tree{
		"Cpu": "1024", "Memory": "2048", "NetworkMode": "awsvpc", "Volumes": []any{tree{"Name": "tmp", "Host": absent}},
		"RuntimePlatform": tree{"CpuArchitecture": "ARM64"},
		"ContainerDefinitions": []any{tree{
			"Image": anImage, "Command": []any{"task"}, "User": "65532:65532", "ReadonlyRootFilesystem": true, "PortMappings": absent,
			"MountPoints": []any{tree{"ContainerPath": "/tmp", "ReadOnly": false, "SourceVolume": "tmp"}},
			"HealthCheck": tree{"Command": []any{"CMD", "/ramify", "health"}},
		}},
	})
	for spot, want := range map[string][]any{
		"0":   {tree{"CapacityProvider": "FARGATE", "Weight": 1, "Base": absent}},
		"100": {tree{"CapacityProvider": "FARGATE_SPOT", "Weight": 1, "Base": absent}},
		"33":  {tree{"CapacityProvider": "FARGATE_SPOT", "Weight": 33}, tree{"CapacityProvider": "FARGATE", "Weight": 67, "Base": 1}},
	} {
		synth(t, set{"spot": spot}).has("AWS::ECS::Service", tree{"CapacityProviderStrategy": want})
	}
}

// TestStop: what is under way has its grace, then results have it again, and what is
// left of the stop timeout is for the rest.
func TestStop(t *testing.T) {
	c := at(synth(t, nil).only("AWS::ECS::TaskDefinition"), "ContainerDefinitions", 0)
	grace, err := time.ParseDuration(variable(t, c, "RAMIFY_GRACE"))
	require.NoError(t, err)
	stop := at(c, "StopTimeout").(float64)
	assert.InDelta(t, 10, stop-2*grace.Seconds(), 1e-9)
	assert.LessOrEqual(t, stop, 120., "the most that Fargate gives")
}

func variable(t *testing.T, container any, name string) string {
	t.Helper()
	for _, v := range at(container, "Environment").([]any) {
		if at(v, "Name") == name {
			return fmt.Sprint(at(v, "Value"))
		}
	}
	t.Fatalf("the container has no %s", name)
	return ""
}

func TestFunction(t *testing.T) {
	tm := synth(t, set{"min": "2", "max": "50"})
	tm.has("AWS::Lambda::Function", tree{
		"Runtime": "provided.al2023", "Architectures": []any{"arm64"}, "Handler": "bootstrap", "Timeout": 75,
		"ReservedConcurrentExecutions": absent, "VpcConfig": absent,
		"Environment": tree{"Variables": tree{
			"RAMIFY_FLEET": "ramify", "RAMIFY_MIN": "2", "RAMIFY_MAX": "50", "RAMIFY_CONCURRENCY": "32", "RAMIFY_SCALING": "governor",
			"RAMIFY_TARGET": "15s", "RAMIFY_LATENCY": "2m0s", "RAMIFY_SPOT": "0.8", "RAMIFY_ARCH": "arm64",
			"RAMIFY_DISK": "20", "RAMIFY_PUBLIC_IP": "true",
		}},
	})
	require.Equal(t, time.Minute, scaling.Idle, "an idle fleet is looked at as often as the schedule says")
	tm.has("AWS::Events::Rule", tree{"ScheduleExpression": "rate(1 minute)", "State": absent})
	tm.has("AWS::Lambda::Permission", tree{"Principal": "events.amazonaws.com", "SourceArn": tree{"Fn::GetAtt": []any{"Schedule", "Arn"}}})
	tm.has("AWS::Lambda::EventInvokeConfig", tree{"MaximumRetryAttempts": 0})
}

func TestScaling(t *testing.T) {
	tracking := func(metric string, target float64, disabled bool) tree {
		return tree{"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": tree{
			"CustomizedMetricSpecification": tree{
				"Namespace": "Ramify", "MetricName": metric, "Statistic": "Average", "Dimensions": []any{tree{"Name": "Fleet", "Value": "ramify"}},
			},
			"TargetValue": target, "ScaleOutCooldown": 0, "ScaleInCooldown": 60, "DisableScaleIn": disabled,
		}}
	}
	cases := []struct {
		name  string
		knobs set
		want  []tree
	}{
		{"governor", set{"min": "1", "max": "50"}, []tree{tracking("BacklogSecondsSoon", 120, true)}},
		// 120 s ÷ 0.1 s × 32
		{"on the backlog of a task", set{"min": "1", "max": "50", "scaling": knob.TargetTracking}, []tree{tracking("BacklogPerTask", 38400, false), tracking("BacklogSeconds", 120, false)}},
		{"on seconds", set{"min": "1", "max": "50", "scaling": knob.TargetTracking, "track": knob.BacklogSeconds, "latency": "30s"}, []tree{tracking("BacklogSeconds", 30, false)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tm := synth(t, c.knobs)
			tm.has("AWS::ApplicationAutoScaling::ScalableTarget", tree{
				"MinCapacity": 1, "MaxCapacity": 50, "ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
			})
			for _, want := range c.want {
				tm.has("AWS::ApplicationAutoScaling::ScalingPolicy", want)
			}
			tm.count("AWS::ApplicationAutoScaling::ScalingPolicy", len(c.want)+2)
			for name, step := range map[string]tree{
				"WakeUp":    {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": []any{tree{"ScalingAdjustment": 1, "MetricIntervalLowerBound": 0}}},
				"GoToSleep": {"AdjustmentType": "ExactCapacity", "StepAdjustments": []any{tree{"ScalingAdjustment": 1, "MetricIntervalLowerBound": 0}}},
			} {
				tm.has("AWS::ApplicationAutoScaling::ScalingPolicy", tree{"PolicyName": "ramify-" + name, "StepScalingPolicyConfiguration": step})
			}
			tm.has("AWS::CloudWatch::Alarm", tree{
				"AlarmName": "ramify-Wake", "MetricName": "Asleep", "Statistic": "Maximum", "Period": 10, "EvaluationPeriods": 1, "Threshold": 1,
				"TreatMissingData": "notBreaching", "AlarmActions": []any{tree{"Ref": "WakeUp"}},
			})
			tm.has("AWS::CloudWatch::Alarm", tree{
				"AlarmName": "ramify-Sleep", "MetricName": "Idle", "Statistic": "Minimum", "Period": 60, "EvaluationPeriods": 5, "DatapointsToAlarm": 5,
				"Threshold": 1, "TreatMissingData": "notBreaching", "AlarmActions": []any{tree{"Ref": "GoToSleep"}},
			})
			governs := strings.Contains(fmt.Sprint(tm.resources("AWS::IAM::Policy")), "ecs:UpdateService")
			assert.Equal(t, c.name == "governor", governs, "only a governor may change the desired count")
		})
	}
}

func TestAlarms(t *testing.T) {
	const topic = "arn:aws:sns:eu-central-1:123456789012:alarms"
	tm := synth(t, set{"alarm-topic": topic})
	want := []string{"Failures", "DeadLetters", "OldestAge", "NoProgress", "Short", "InFlight", "Measure", "Function", "LookErrors"}
	for _, name := range want {
		tm.has("AWS::CloudWatch::Alarm", tree{"AlarmName": "ramify-" + name + "Alarm", "AlarmActions": []any{topic}})
	}
	tm.count("AWS::CloudWatch::Alarm", len(want)+2)
	tm.has("AWS::CloudWatch::Alarm", tree{"MetricName": "InFlight", "Threshold": 110_000})
	tm.has("AWS::CloudWatch::Alarm", tree{"Namespace": "AWS/Lambda", "MetricName": "Errors", "EvaluationPeriods": 5})
	// Before the first look there is no data. That must be no alarm, nor what an alarm
	// of this kind does: it begins as it is without data, and comes back to it later.
	tm.has("AWS::CloudWatch::Alarm", tree{
		"MetricName": "Outstanding", "Statistic": "SampleCount", "TreatMissingData": "missing", "InsufficientDataActions": []any{topic},
	})
	for name, a := range tm.resources("AWS::CloudWatch::Alarm") {
		assert.NotEqual(t, "breaching", a["TreatMissingData"], name)
	}
	// What waits for people who have paused it is no lack of progress.
	queries(t, tm, "NoProgress", 10, map[string]string{"BacklogSeconds": "Minimum", "SettledPerSecond": "Maximum"})
	// A fleet that grows is not short: its least desired count ran at some time of the minute.
	queries(t, tm, "Short", 15, map[string]string{"Desired": "Minimum", "Running": "Maximum"})
	tm = synth(t, nil)
	for name, a := range tm.resources("AWS::CloudWatch::Alarm") {
		if a["MetricName"] != "Asleep" && a["MetricName"] != "Idle" {
			assert.NotContains(t, a, "AlarmActions", name)
			assert.NotContains(t, a, "InsufficientDataActions", name)
		}
	}
}

// queries requires that an alarm looks at these metrics of the fleet, by statistic.
func queries(t *testing.T, tm template, alarm string, minutes float64, want map[string]string) {
	t.Helper()
	a := tm.resources("AWS::CloudWatch::Alarm")[alarm+"Alarm"]
	assert.InDelta(t, minutes, a["EvaluationPeriods"], 0)
	assert.Equal(t, "notBreaching", a["TreatMissingData"])
	got := map[string]string{}
	for _, q := range a["Metrics"].([]any) {
		stat, is := q.(tree)["MetricStat"].(tree)
		if !is {
			continue
		}
		assert.InDelta(t, 60, stat["Period"], 0)
		assert.Equal(t, []any{tree{"Name": "Fleet", "Value": "ramify"}}, at(stat, "Metric", "Dimensions"))
		got[at(stat, "Metric", "MetricName").(string)] = stat["Stat"].(string)
	}
	assert.Equal(t, want, got)
}

// TestAlarmsAreDocumented: whoever is woken up finds what to do.
func TestAlarmsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/deploy.md")
	require.NoError(t, err)
	for _, a := range synth(t, nil).resources("AWS::CloudWatch::Alarm") {
		assert.Contains(t, string(doc), "`"+strings.TrimPrefix(a["AlarmName"].(string), "ramify-")+"`")
	}
}

func TestDashboard(t *testing.T) {
	body := fmt.Sprint(synth(t, nil).only("AWS::CloudWatch::Dashboard")["DashboardBody"])
	for _, shown := range []string{
		"FractionDone", `MetricName=\"Nodes\" Fleet=\"ramify\"', 'Sum', 60)`, "nodes / 60", "Unread", "InFlight", "Delayed", "Running", "Pending", "Desired", "BacklogPerTask", "BacklogSeconds",
		"Failures", "OldestAge", "ApproximateNumberOfMessagesVisible", "Cost", `"value":38400`, `"value":120`,
	} {
		assert.Contains(t, body, shown)
	}
	assert.NotContains(t, body, "SOURCE", "logs are charged by what is read")
	c := at(synth(t, nil).only("AWS::ECS::TaskDefinition"), "ContainerDefinitions", 0)
	assert.Equal(t, "ramify", variable(t, c, "RAMIFY_FLEET"), "what tasks log is found by the fleet")
}

// TestLeastPrivilege: a permission names its resource, but for those that AWS gives
// none to.
func TestLeastPrivilege(t *testing.T) {
	nameless := []string{"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData", "cloudwatch:GetMetricStatistics"}
	// Statements that name a bucket or the cluster, and of what is in it all.
	within := []any{"ResultObjects", "ReadObjects", "WriteObjects", "ScaleInProtection", "Replaced"}
	eachVariant(t, func(t *testing.T, knobs set) {
		tm := synth(t, knobs)
		policies := tm.resources("AWS::IAM::Policy")
		roles := 3
		if knobs["cron"] != "" {
			roles++
		}
		require.Len(t, policies, roles)
		for name, p := range policies {
			for _, s := range at(p, "PolicyDocument", "Statement").([]any) {
				actions := list(at(s, "Action"))
				for _, a := range actions {
					assert.NotContains(t, a, "*", "%s: %v", name, s)
				}
				if all := fmt.Sprint(at(s, "Resource")); strings.Contains(strings.ReplaceAll(all, ":s3:::*", ""), "*") && !slices.Contains(list(at(s, "Resource")), any("*")) {
					assert.Contains(t, within, at(s, "Sid"), all)
				}
				if slices.Contains(list(at(s, "Resource")), any("*")) {
					for _, a := range actions {
						assert.Contains(t, nameless, a, name)
					}
				}
			}
		}
	})
	// The function counts messages of the one queue, and reads none.
	for _, s := range at(synth(t, nil).policy("MetricRole"), "PolicyDocument", "Statement").([]any) {
		if at(s, "Sid") == "Queue" {
			assert.Equal(t, "sqs:GetQueueAttributes", at(s, "Action"))
			assert.Equal(t, tree{"Fn::GetAtt": []any{"Queue4A7E3555", "Arn"}}, at(s, "Resource"))
		}
	}
	// It sets how many tasks there are, of the fleet's own kind.
	var said []string
	for _, s := range at(synth(t, nil).policy("MetricRole"), "PolicyDocument", "Statement").([]any) {
		if at(s, "Sid") == "DesiredCount" {
			said = append(said, fmt.Sprint(at(s, "Condition")))
		}
	}
	require.Len(t, said, 1)
	assert.Contains(t, said[0], "ArnLikeIfExists")
	assert.Contains(t, said[0], ":task-definition/ramifyTask177D283B:*")
	assert.Contains(t, said[0], "ecs:enable-execute-command:false")
	for _, s := range at(synth(t, nil).policy("TaskRole"), "PolicyDocument", "Statement").([]any) {
		if at(s, "Sid") == "Results" {
			assert.Equal(t, tree{"StringLikeIfExists": tree{"s3:prefix": "results/*"}}, at(s, "Condition"), "of the bucket only results")
		}
	}
	// ECS takes the tasks' roles for this account alone.
	trusting := 0
	for name, role := range synth(t, nil).resources("AWS::IAM::Role") {
		if trust := fmt.Sprint(at(role, "AssumeRolePolicyDocument")); strings.Contains(trust, "ecs-tasks.amazonaws.com") {
			trusting++
			assert.Contains(t, trust, "StringEquals:map[aws:SourceAccount:map[Ref:AWS::AccountId]]", name)
		}
	}
	assert.Equal(t, 2, trusting)
	// Of the tasks' permissions, those on buckets are all that a knob widens.
	read := fmt.Sprint(synth(t, set{"read": "a-bucket"}).resources("AWS::IAM::Policy"))
	assert.Contains(t, read, ":s3:::a-bucket/*")
	assert.NotContains(t, fmt.Sprint(synth(t, nil).resources("AWS::IAM::Policy")), ":s3:::")
}

// TestSchedules: each schedule of the file starts a task that starts the tick, and no
// more than that is allowed.
func TestSchedules(t *testing.T) {
	synth(t, nil).count("AWS::Scheduler::Schedule", 0)
	tm := synth(t, set{"cron": "testdata/cron.yaml"})
	tm.count("AWS::Scheduler::Schedule", 3)
	for expression, want := range map[string]tree{
		"cron(30 2 * * ? *)":  {"ScheduleExpressionTimezone": "Europe/Berlin", "Target": tree{"RetryPolicy": absent}},
		"cron(0 12 13 * ? *)": {"ScheduleExpressionTimezone": "UTC", "Target": tree{"RetryPolicy": tree{"MaximumEventAgeInSeconds": 60}}},
		"cron(0 12 ? * 6 *)":  {"ScheduleExpressionTimezone": "UTC"},
	} {
		want["ScheduleExpression"], want["FlexibleTimeWindow"] = expression, tree{"Mode": "OFF"}
		tm.has("AWS::Scheduler::Schedule", want)
	}
	for _, s := range tm.resources("AWS::Scheduler::Schedule") {
		p := at(s, "Target", "EcsParameters")
		assert.Equal(t, [...]any{"FARGATE", 1.}, [...]any{at(p, "LaunchType"), at(p, "TaskCount")})
		assert.Equal(t, "ENABLED", at(p, "NetworkConfiguration", "AwsvpcConfiguration", "AssignPublicIp"))
		assert.Len(t, at(p, "NetworkConfiguration", "AwsvpcConfiguration", "Subnets"), 2)
		var input struct {
			ContainerOverrides []struct {
				Name    string
				Command []string
			}
		}
		require.NoError(t, json.Unmarshal([]byte(at(s, "Target", "Input").(string)), &input))
		require.Len(t, input.ContainerOverrides, 1)
		c := input.ContainerOverrides[0]
		require.Len(t, c.Command, 6)
		f, err := schedule.ParseFile("command", []byte(c.Command[1]))
		require.NoError(t, err)
		assert.Equal(t, []string{"task", "cron", "--fire", f.Schedules[0].Name, "--at", "<aws.scheduler.scheduled-time>"}, append([]string{c.Name, c.Command[0]}, c.Command[2:]...))
	}
	policy := fmt.Sprint(at(tm.policy("ScheduleRole"), "PolicyDocument", "Statement"))
	assert.Contains(t, policy, "iam:PassedToService:ecs-tasks.amazonaws.com")
	assert.Contains(t, policy, "ecs:cluster")
}

// TestKeys: keys are used for S3 in their region only, and to write only where a bucket
// may be written to.
func TestKeys(t *testing.T) {
	const other = "arn:aws:kms:us-east-1:210987654321:key/mrk-1234abcd12ab34cd56ef1234567890ab"
	keys := func(knobs set) (found []tree) {
		for _, s := range at(synth(t, knobs).policy("TaskRole"), "PolicyDocument", "Statement").([]any) {
			if s := s.(tree); strings.Contains(fmt.Sprint(s["Action"]), "kms:") {
				found = append(found, s)
			}
		}
		return found
	}
	assert.Empty(t, keys(set{"read": "a-bucket"}))
	through := func(region string) tree {
		return tree{"StringEquals": tree{"kms:ViaService": tree{"Fn::Join": []any{"", []any{"s3." + region + ".", tree{"Ref": "AWS::URLSuffix"}}}}}}
	}
	assert.Equal(t, []tree{
		{"Sid": "Keyseucentral1", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": aKey, "Condition": through("eu-central-1")},
		{"Sid": "Keysuseast1", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": other, "Condition": through("us-east-1")},
	}, keys(set{"read": "a-bucket", "kms-keys": other + "," + aKey}))
	assert.Equal(t, []any{"kms:Decrypt", "kms:GenerateDataKey"}, keys(set{"write": "a-bucket", "kms-keys": aKey})[0]["Action"])
}

// TestOtherQueues: tasks may send to the queues that are named, and to no others.
func TestOtherQueues(t *testing.T) {
	others := func(knobs set) (found []any) {
		for _, s := range at(synth(t, knobs).policy("TaskRole"), "PolicyDocument", "Statement").([]any) {
			if s := s.(tree); s["Sid"] == "OtherQueues" {
				found = append(found, s["Action"], fmt.Sprint(s["Resource"]))
			}
		}
		return found
	}
	assert.Empty(t, others(nil))
	found := others(set{"queues": "outcomes"})
	require.Len(t, found, 2)
	assert.Equal(t, []any{"sqs:CreateQueue", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"}, found[0])
	assert.Contains(t, found[1], ":outcomes")
}

func list(v any) []any {
	if l, is := v.([]any); is {
		return l
	}
	return []any{v}
}

// TestOutputs: `ramify --stack` finds a fleet by them.
func TestOutputs(t *testing.T) {
	outputs := at(synth(t, nil).json(), "Outputs").(tree)
	var names []string
	for name := range outputs {
		names = append(names, name)
	}
	assert.ElementsMatch(t, []string{
		"RamifyQueue", "RamifyDeadLetters", "RamifyLedger", "RamifyOut", "RamifySigningKey", "RamifyCluster", "RamifyService", "RamifyConcurrency", "RamifyRegion",
		"RamifyMetricLogs", "RamifyMin", "RamifyMax", "RamifyTarget", "RamifyLatency",
		"RamifyCPU", "RamifyMemory", "RamifyDisk", "RamifyArch", "RamifySpot", "RamifyPublicIP",
	}, names)
	// They are as the knobs say, in the words in which commands read them.
	outputs = at(synth(t, set{"max": "33", "latency": "5m", "target": "20s", "cpu": "2048", "memory": "4096", "spot": "50"}).json(), "Outputs").(tree)
	for name, want := range map[string]string{
		"RamifyMin": "0", "RamifyMax": "33", "RamifyLatency": "5m0s", "RamifyTarget": "20s", "RamifyCPU": "2048", "RamifyMemory": "4096", "RamifySpot": "0.5",
		"RamifyPublicIP": "true",
	} {
		assert.Equal(t, want, at(outputs, name, "Value"), name)
	}
}

// TestDestroy: nothing stays that was not asked to.
func TestDestroy(t *testing.T) {
	for retain, want := range map[string][]string{"": nil, "bucket": {"AWS::S3::Bucket", "AWS::S3::BucketPolicy"}, "bucket,table": {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::S3::BucketPolicy"}} {
		var stay []string
		tm := synth(t, set{"retain": retain})
		for _, r := range at(tm.json(), "Resources").(tree) {
			if r := r.(tree); r["DeletionPolicy"] == "Retain" {
				stay = append(stay, r["Type"].(string))
			}
		}
		assert.ElementsMatch(t, want, stay, "retain=%s", retain)
		emptied := 1
		if strings.Contains(retain, "bucket") {
			emptied = 0
		}
		tm.count("Custom::S3AutoDeleteObjects", emptied)
	}
	eachVariant(t, func(t *testing.T, knobs set) {
		tm := synth(t, knobs)
		all := at(tm.json(), "Resources").(tree)
		for name, r := range all {
			switch r := r.(tree); r["Type"] {
			case "AWS::Lambda::Function":
				// Lambda makes a group for a function that has none, and nobody deletes it.
				group, is := at(r, "Properties", "LoggingConfig", "LogGroup", "Ref").(string)
				require.True(t, is, name)
				assert.Equal(t, "AWS::Logs::LogGroup", at(all, group, "Type"), name)
			case "AWS::Logs::LogGroup":
				assert.Equal(t, "Delete", r["DeletionPolicy"], name)
				assert.InDelta(t, 30, at(r, "Properties", "RetentionInDays"), 0, name)
			case "AWS::IAM::Role", "AWS::IAM::Policy":
				assert.NotContains(t, fmt.Sprint(r), "logs:CreateLogGroup", name)
				assert.NotContains(t, at(r, "Properties"), "ManagedPolicyArns", name)
			}
		}
		// No task writes any more when the bucket is emptied: the service goes first.
		for name, r := range all {
			if r.(tree)["Type"] == "Custom::S3AutoDeleteObjects" {
				assert.Contains(t, serviceDependsOn(all), name)
			}
		}
	})
}

func serviceDependsOn(all tree) []any {
	for _, r := range all {
		if r := r.(tree); r["Type"] == "AWS::ECS::Service" {
			return r["DependsOn"].([]any)
		}
	}
	return nil
}

// TestKnobs: a knob that changes nothing is none.
func TestKnobs(t *testing.T) {
	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "bootstrap"), []byte("another stub"), 0o755))
	values := set{
		"stack": "other", "image": "registry.example/ramify:2", "function": other, "arch": "x86_64",
		"min": "1", "max": "7", "concurrency": "8", "scaling": knob.TargetTracking, "target": "30s", "latency": "1m",
		"cpu": "2048", "memory": "4096", "disk": "50", "spot": "50",
		"visibility": "90s", "max-receives": "50", "read": "a-bucket", "write": "b-bucket", "cron": "testdata/cron.yaml", "queues": "outcomes,night-io",
		"parts-days": "30", "log-days": "7", "retain": "table", "recovery": "true",
		"alarm-topic": "arn:aws:sns:eu-central-1:123456789012:alarms", "alarm-age": "2h",
		"public-ip": "false",
	}
	together := map[string]set{ // that have a meaning beside others only
		"cpu":      {"cpu": "2048", "memory": "4096"},
		"kms-keys": {"read": "a-bucket", "kms-keys": aKey},
		"track":    {"scaling": knob.TargetTracking, "track": knob.BacklogSeconds},
		"message":  {"scaling": knob.TargetTracking, "message": "1s"},
		"vpc":      {"vpc": "vpc-0123456789abcdef0", "subnets": "subnet-0123456789abcdef0"},
		"subnets":  {"vpc": "vpc-0123456789abcdef0", "subnets": "subnet-0123456789abcdef1"},
	}
	without := map[string]set{
		"cpu": {"memory": "4096"}, "kms-keys": {"read": "a-bucket"}, "track": {"scaling": knob.TargetTracking}, "message": {"scaling": knob.TargetTracking},
		"subnets": together["vpc"],
	}
	one, two := synth(t, nil).json(), synth(t, nil).json()
	require.Equal(t, one, two, "the same knobs make the same template")
	for _, k := range knob.All() {
		t.Run(k.Name, func(t *testing.T) {
			given, is := together[k.Name]
			if !is {
				require.Contains(t, values, k.Name, "give the new knob a value that is not its default")
				given = set{k.Name: values[k.Name]}
			}
			assert.NotEqual(t, synth(t, without[k.Name]).json(), synth(t, given).json())
		})
	}
}
