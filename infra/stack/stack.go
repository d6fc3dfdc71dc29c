// Package stack is a fleet in AWS: queue, ledger, results, the service that works,
// the function that measures and scales it, and what shows it to people.
package stack

import (
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/ramify/ramify/infra/knob"
)

// Namespace is that of all metrics of Ramify.
const Namespace = "Ramify"

// resultsPrefix is where runs write to that name no other place.
const resultsPrefix = "results"

// fleet is the stack while it is made: its parts know each other by it.
type fleet struct {
	stack awscdk.Stack // not embedded: a jsii object is one Go value
	knobs knob.Knobs

	data    data
	network network
	service service
	metric  metric
	logs    []awslogs.LogGroup

	excused map[string][]any // for checkov, by path
}

// New makes the stack of a fleet.
func New(scope constructs.Construct, k knob.Knobs) awscdk.Stack {
	f := &fleet{knobs: k, excused: map[string][]any{}, stack: awscdk.NewStack(scope, str(k.Stack), &awscdk.StackProps{
		StackName:   str(k.Stack),
		Description: str("Ramify: a fleet that processes trees of nodes from a queue, on Fargate."),
	})}
	f.makeData()
	f.makeNetwork()
	f.makeService()
	f.makeSchedules()
	f.makeMetric()
	f.makeScaling()
	f.makeAlarms()
	f.makeDashboard()
	f.makeOutputs()
	f.excuse()
	return f.stack
}

// makeOutputs says where the fleet is and how it is made: `ramify --stack NAME` reads them.
func (f *fleet) makeOutputs() {
	price := f.price()
	for _, o := range [][3]string{
		{"RamifyQueue", *f.data.queue.QueueUrl(), "URL of the queue."},
		{"RamifyDeadLetters", *f.data.dead.QueueUrl(), "URL of the dead-letter queue."},
		{"RamifyLedger", "dynamodb:" + *f.data.table.TableName(), "What is known about runs."},
		{"RamifyOut", "s3://" + *f.data.bucket.BucketName() + "/" + resultsPrefix, "Where runs write that say nothing else."},
		{"RamifySigningKey", f.signingKey(), "Where the key is that messages are signed with."},
		{"RamifyCluster", *f.service.cluster.ClusterName(), "Cluster of the service."},
		{"RamifyService", *f.service.service.ServiceName(), "Service of the tasks."},
		{"RamifyConcurrency", strconv.Itoa(f.knobs.Concurrency), "How much a task does at a time."},
		{"RamifyRegion", *f.stack.Region(), "Region of all of it."},
		{"RamifyMetricLogs", *f.metric.logs.LogGroupName(), "Where the function writes what it decides."},
		{"RamifyMin", strconv.Itoa(f.knobs.Min), "Tasks that there are always."},
		{"RamifyMax", strconv.Itoa(f.knobs.Max), "Tasks that there are at most."},
		{"RamifyTarget", f.knobs.Target.String(), "Time in which the governor wants the backlog worked off."},
		{"RamifyLatency", f.knobs.Latency.String(), "Acceptable latency: the net's target of BacklogSeconds."},
		{"RamifyCPU", price["RAMIFY_CPU"], "Of a task, in 1/1024 vCPU: it is paid for, as all that follow."},
		{"RamifyMemory", price["RAMIFY_MEMORY"], "Of a task, in MiB."},
		{"RamifyDisk", price["RAMIFY_DISK"], "Of a task, in GiB."},
		{"RamifyArch", price["RAMIFY_ARCH"], "Of a task."},
		{"RamifySpot", price["RAMIFY_SPOT"], "Part of the tasks that are on Fargate Spot."},
		{"RamifyPublicIP", price["RAMIFY_PUBLIC_IP"], "Whether a task has a public address."},
	} {
		awscdk.NewCfnOutput(f.stack, str(o[0]), &awscdk.CfnOutputProps{Value: str(o[1]), Description: str(o[2])})
	}
}

func str(s string) *string   { return jsii.String(s) }
func num(n float64) *float64 { return jsii.Number(n) }
func yes(b bool) *bool       { return jsii.Bool(b) }

func strs(s ...string) *[]*string { return jsii.Strings(s...) }
