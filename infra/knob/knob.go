// Package knob reads what an owner of a fleet decides from the context of the CDK
// app (cdk deploy -c NAME=VALUE). There is one table of all knobs; what is wrong
// with a value is said by the knob's name and the value.
//
// It imports no CDK, so that its tests are fast.
package knob

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ramify/ramify/scaling"
	"github.com/ramify/ramify/schedule"
)

// Knobs are all decisions, read and checked.
type Knobs struct {
	Stack    string // the stack, and the fleet: the dimension of its metrics
	Image    string // of the tasks, an image reference
	Function string // folder of the function's bootstrap
	Arch     string // arm64 or x86_64, of tasks and function

	Min, Max, Concurrency int
	Scaling               string        // Governor or TargetTracking
	Track                 string        // BacklogPerTask or BacklogSeconds; TargetTracking only
	Target, Latency       time.Duration // of the governor; acceptable
	Message               time.Duration // that a message holds a slot; TargetTracking on BacklogPerTask only

	CPU, Memory, Disk int // units of 1/1024 vCPU, MiB, GiB
	Spot              int // percent of tasks

	Visibility  time.Duration
	MaxReceives int
	Read, Write []string // buckets; "*" is all to read
	Queues      []string // names of others that tasks may send to
	KMSKeys     []string // ARNs of the keys that these are encrypted with
	PartsDays   int
	LogDays     int
	Retain      []string // Bucket, Table
	Recovery    bool

	AlarmTopic string
	AlarmAge   time.Duration

	Cron []*schedule.Schedule

	VPC      string
	Subnets  []string
	PublicIP bool
}

// Values of Scaling.
const (
	Governor       = "governor"
	TargetTracking = "target-tracking"
)

// Values of Track.
const (
	BacklogPerTask = "BacklogPerTask"
	BacklogSeconds = "BacklogSeconds"
)

// Values of Retain.
const (
	Bucket = "bucket"
	Table  = "table"
)

// functions are where `make metricfn` puts them, seen from the folder infra.
var functions = map[string]string{"arm64": "../dist/metricfn-arm64", "x86_64": "../dist/metricfn-amd64"}

// Knob is a row of the table.
type Knob struct {
	Name, Default, Help string

	read func(k *Knobs, value string) (want string, ok bool)
}

// All has all knobs, in the order of the documentation.
func All() []Knob { return slices.Clone(table) }

// Read reads all knobs from a context: value says what a knob was given, if it
// was; given are all names in the context. An error names knob, value and what it
// may be. Names with a colon or a slash are the CDK's own.
func Read(value func(name string) (string, bool), given []string) (Knobs, error) {
	var k Knobs
	for _, name := range given {
		own := !strings.ContainsAny(name, ":/")
		if own && !slices.ContainsFunc(table, func(row Knob) bool { return row.Name == name }) {
			return Knobs{}, fmt.Errorf("read context: %s is no knob, want one of %s", name, names())
		}
	}
	for _, row := range table {
		v, set := value(row.Name)
		if !set {
			v = row.Default
		}
		if want, ok := row.read(&k, strings.TrimSpace(v)); !ok {
			return Knobs{}, fmt.Errorf("read context: %s is %q, want %s", row.Name, v, want)
		}
	}
	if k.Function == "" {
		k.Function = functions[k.Arch]
	}
	if err := k.check(); err != nil {
		return Knobs{}, fmt.Errorf("read context: %w", err)
	}
	return k, nil
}

func names() string {
	var all []string
	for _, row := range table {
		all = append(all, row.Name)
	}
	return strings.Join(all, ", ")
}

// check refuses what is right in itself but not together.
func (k *Knobs) check() error {
	switch most := scaling.MaxSlots / k.Concurrency; {
	case k.Min > k.Max:
		return fmt.Errorf("min is %d, want at most max, which is %d", k.Min, k.Max)
	case k.Max > most:
		return fmt.Errorf("max is %d, want at most %d with concurrency %d: SQS lets 120,000 messages be in flight", k.Max, most, k.Concurrency)
	case !fits(k.CPU, k.Memory):
		return fmt.Errorf("memory is %d, want with cpu %d %s", k.Memory, k.CPU, sizes[k.CPU])
	case len(k.KMSKeys) > 0 && len(k.Read)+len(k.Write) == 0:
		return errors.New("kms-keys are those of the buckets of read and write, and there are none")
	case (k.VPC == "") != (len(k.Subnets) == 0):
		return errors.New("vpc and subnets go together: name both, or neither for a new network")
	}
	return nil
}

// Built asks for the function, which the CDK would miss in other words.
func (k *Knobs) Built() error {
	if f, err := os.Stat(filepath.Join(k.Function, "bootstrap")); err != nil || f.IsDir() {
		return fmt.Errorf("read context: function is %q, want a folder with a bootstrap: make metricfn builds %s", k.Function, functions[k.Arch])
	}
	return nil
}

// BacklogTarget is the backlog of a task that is worked off in the acceptable
// latency: the target of BacklogPerTask.
//
// Source: Amazon EC2 Auto Scaling User Guide, "Scaling policy based on Amazon SQS"
// (acceptable latency ÷ time of a message), times the slots of a task.
func (k *Knobs) BacklogTarget() float64 {
	return k.Latency.Seconds() / k.Message.Seconds() * float64(k.Concurrency)
}

// sizes are the memories in MiB that Fargate has for a CPU.
//
// Source: Amazon ECS Developer Guide, "Task CPU and memory".
var sizes = map[int]sizeRange{
	256: {512, 2048, 512}, 512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024}, 2048: {4096, 16384, 1024},
	4096: {8192, 30720, 1024}, 8192: {16384, 61440, 4096}, 16384: {32768, 122880, 8192},
}

type sizeRange struct{ least, most, step int }

func (r sizeRange) String() string {
	return fmt.Sprintf("%d to %d, in steps of %d", r.least, r.most, r.step)
}

func fits(cpu, memory int) bool {
	if cpu == 256 && memory == 1536 {
		return false // the one hole there is
	}
	r := sizes[cpu]
	return memory >= r.least && memory <= r.most && (memory-r.least)%r.step == 0
}
