package stack

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"

	"github.com/ramify/ramify/scaling"
)

// stopTimeout is between SIGTERM and SIGKILL: the most that Fargate offers, and
// what Spot warns ahead.
//
// Source: Amazon ECS API Reference, "ContainerDefinition" (stopTimeout).
const stopTimeout = 120 * time.Second

// grace is that of a task: what is under way has it, then results that are being
// made have it once more, and a few seconds are for the rest.
const grace = (stopTimeout - 10*time.Second) / 2

const (
	container = "task"
	health    = "127.0.0.1:8080"
	scratch   = "/tmp" // in the image, as a volume that the user may write to
	user      = "65532:65532"
)

// service is what works.
type service struct {
	cluster awsecs.Cluster
	logs    awslogs.LogGroup
	tasks   awsiam.Role // of the tasks
	starts  awsiam.Role // of ECS, to start them
	task    awsecs.FargateTaskDefinition
	service awsecs.FargateService
}

func (f *fleet) makeService() {
	s := &f.service
	s.logs = f.makeLogs("TaskLogs")
	s.cluster = awsecs.NewCluster(f.stack, str("Cluster"), &awsecs.ClusterProps{Vpc: f.network.vpc})
	providers := awsecs.NewCfnClusterCapacityProviderAssociations(f.stack, str("Capacity"), &awsecs.CfnClusterCapacityProviderAssociationsProps{
		Cluster:                         s.cluster.ClusterName(),
		CapacityProviders:               &[]any{"FARGATE", "FARGATE_SPOT"},
		DefaultCapacityProviderStrategy: []any{},
	})
	f.makeTaskRoles()
	f.makeTask()
	s.service = awsecs.NewFargateService(f.stack, str("Service"), &awsecs.FargateServiceProps{
		Cluster: s.cluster, TaskDefinition: s.task,
		// No desired count: a deployment would reset it.
		CapacityProviderStrategies: f.mix(),
		CircuitBreaker:             &awsecs.DeploymentCircuitBreaker{Enable: yes(true), Rollback: yes(true)},
		// Nobody waits for a task to answer: messages wait for a new one, also in a
		// service of one task, and tasks at work are protected. All tasks together, old
		// and new, are held to what SQS lets be in flight.
		MinHealthyPercent: num(0), MaxHealthyPercent: num(100 + scaling.Surplus),
		// It would stop tasks at work to even out zones, which no task cares about.
		AvailabilityZoneRebalancing: awsecs.AvailabilityZoneRebalancing_DISABLED,
		AssignPublicIp:              yes(f.knobs.PublicIP),
		SecurityGroups:              groups(f.network.group),
		VpcSubnets:                  f.network.subnets,
		PlatformVersion:             awsecs.FargatePlatformVersion_VERSION1_4,
		EnableECSManagedTags:        yes(true),
		PropagateTags:               awsecs.PropagatedTagSource_SERVICE,
	})
	// Tasks need their permissions before they start, a cluster's providers go after
	// the service that uses them, and the bucket is emptied when no task writes any more.
	s.service.Node().AddDependency(providers, s.tasks, s.starts, f.data.queue, f.data.table, f.data.bucket)
}

// mix is where tasks run. Weights are relative: theirs are as small as can be. In a
// mix the first task is on demand: one survives when Spot takes all of its own back.
//
// Source: Amazon ECS API Reference, "CapacityProviderStrategyItem" (base).
func (f *fleet) mix() *[]*awsecs.CapacityProviderStrategy {
	spot := f.knobs.Spot
	share := gcd(spot, 100-spot)
	var all []*awsecs.CapacityProviderStrategy
	for _, p := range []struct {
		name   string
		weight int
	}{{"FARGATE_SPOT", spot / share}, {"FARGATE", (100 - spot) / share}} {
		if p.weight == 0 {
			continue
		}
		s := &awsecs.CapacityProviderStrategy{CapacityProvider: str(p.name), Weight: num(float64(p.weight))}
		if p.name == "FARGATE" && spot > 0 {
			s.Base = num(1)
		}
		all = append(all, s)
	}
	return &all
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (f *fleet) makeTask() {
	k, s := f.knobs, &f.service
	s.task = awsecs.NewFargateTaskDefinition(f.stack, str("Task"), &awsecs.FargateTaskDefinitionProps{
		Cpu: num(float64(k.CPU)), MemoryLimitMiB: num(float64(k.Memory)), EphemeralStorageGiB: f.disk(),
		RuntimePlatform: &awsecs.RuntimePlatform{
			CpuArchitecture: f.taskArch(), OperatingSystemFamily: awsecs.OperatingSystemFamily_LINUX(),
		},
		TaskRole: s.tasks, ExecutionRole: s.starts,
		Volumes: &[]*awsecs.Volume{{Name: str("tmp")}},
	})
	c := s.task.AddContainer(str(container), &awsecs.ContainerDefinitionOptions{
		Image:                  awsecs.ContainerImage_FromRegistry(str(k.Image), nil),
		Command:                strs("task"),
		User:                   str(user),
		ReadonlyRootFilesystem: yes(true),
		StopTimeout:            awscdk.Duration_Seconds(num(stopTimeout.Seconds())),
		HealthCheck: &awsecs.HealthCheck{
			Command:  strs("CMD", "/ramify", "health"),
			Interval: awscdk.Duration_Seconds(num(30)), Timeout: awscdk.Duration_Seconds(num(5)),
			Retries: num(3), StartPeriod: awscdk.Duration_Seconds(num(60)),
		},
		Logging: awsecs.LogDriver_AwsLogs(&awsecs.AwsLogDriverProps{
			LogGroup: s.logs, StreamPrefix: str(container),
			// A task that cannot log goes on.
			Mode: awsecs.AwsLogDriverMode_NON_BLOCKING, MaxBufferSize: awscdk.Size_Mebibytes(num(4)),
		}),
		Environment: f.taskEnvironment(),
	})
	awscdk.Annotations_Of(c).AcknowledgeWarning(str("@aws-cdk/aws-ecs:ecrImageRequiresPolicy"), str("makeTaskRoles lets ECS fetch it."))
	c.AddMountPoints(&awsecs.MountPoint{ContainerPath: str(scratch), SourceVolume: str("tmp"), ReadOnly: yes(false)})
}

func (f *fleet) taskEnvironment() *map[string]*string {
	all := map[string]string{
		"AWS_REGION":         *f.stack.Region(),
		"RAMIFY_QUEUE":       *f.data.queue.QueueUrl(),
		"RAMIFY_LEDGER":      "dynamodb:" + *f.data.table.TableName(),
		"RAMIFY_SIGNING_KEY": f.signingKey(),
		"RAMIFY_CONCURRENCY": strconv.Itoa(f.knobs.Concurrency),
		"RAMIFY_VISIBILITY":  f.knobs.Visibility.String(),
		"RAMIFY_GRACE":       grace.String(),
		"RAMIFY_HEALTH":      health,
		"RAMIFY_METRICS":     "emf",
		"RAMIFY_FLEET":       f.knobs.Stack,
		"TMPDIR":             scratch,
		"GOMEMLIMIT":         fmt.Sprintf("%dMiB", f.knobs.Memory*9/10),
	}
	maps.Copy(all, f.price()) // tasks hold runs to their budgets
	return environment(all)
}

// price says what a task costs, to tasks and to the function alike.
func (f *fleet) price() map[string]string {
	return map[string]string{
		"RAMIFY_CPU":       strconv.Itoa(f.knobs.CPU),
		"RAMIFY_MEMORY":    strconv.Itoa(f.knobs.Memory),
		"RAMIFY_DISK":      strconv.Itoa(f.knobs.Disk),
		"RAMIFY_PUBLIC_IP": strconv.FormatBool(f.knobs.PublicIP),
		"RAMIFY_ARCH":      f.knobs.Arch,
		"RAMIFY_SPOT":      strconv.FormatFloat(float64(f.knobs.Spot)/100, 'f', -1, 64),
	}
}

func environment(m map[string]string) *map[string]*string {
	out := map[string]*string{}
	for k, v := range m {
		out[k] = str(v)
	}
	return &out
}

// disk is nil for what Fargate gives anyway.
func (f *fleet) disk() *float64 {
	if f.knobs.Disk > 20 {
		return num(float64(f.knobs.Disk))
	}
	return nil
}

func (f *fleet) taskArch() awsecs.CpuArchitecture {
	if f.knobs.Arch == "arm64" {
		return awsecs.CpuArchitecture_ARM64()
	}
	return awsecs.CpuArchitecture_X86_64()
}

func (f *fleet) makeLogs(id string) awslogs.LogGroup {
	group := awslogs.NewLogGroup(f.stack, str(id), &awslogs.LogGroupProps{RemovalPolicy: awscdk.RemovalPolicy_DESTROY})
	group.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(num(float64(f.knobs.LogDays)))
	f.logs = append(f.logs, group)
	return group
}
