package knob

import (
	"strconv"
	"time"
)

// table is the one list of knobs. docs/deploy.md has the same, which a test
// compares.
var table = []Knob{
	{
		"stack", "ramify", "name of the stack; the dimension `Fleet` of its metrics",
		matches(func(k *Knobs) *string { return &k.Stack }, `^[A-Za-z][A-Za-z0-9-]{0,62}$`, "1 to 63 letters, digits and dashes, the first a letter"),
	},
	{
		"image", "", "image of the tasks; `make deploy` builds it and fills this in",
		matches(func(k *Knobs) *string { return &k.Image }, `^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)*(:[\w.-]{1,128})?(@sha256:[0-9a-f]{64})?$`, "an image, such as 123456789012.dkr.ecr.eu-central-1.amazonaws.com/ramify:1: make deploy builds and uploads one"),
	},
	{
		"function", "", "folder with the function's `bootstrap`; `make deploy` builds it in `dist/`",
		matches(func(k *Knobs) *string { return &k.Function }, ``, "a folder"),
	},
	{
		"arch", "arm64", "`arm64` or `x86_64`, of tasks and function",
		word(func(k *Knobs) *string { return &k.Arch }, "arm64", "x86_64"),
	},

	{"min", "0", "tasks that there are always", number(func(k *Knobs) *int { return &k.Min }, 0, 5000)},
	{"max", "200", "tasks that there are at most; times `concurrency` at most 50,000", number(func(k *Knobs) *int { return &k.Max }, 1, 5000)},
	{"concurrency", "32", "things that a task does at a time", number(func(k *Knobs) *int { return &k.Concurrency }, 1, 10_000)},
	{
		"scaling", Governor, "`governor`: the function decides, with target tracking as its net; `target-tracking`: Application Auto Scaling alone",
		word(func(k *Knobs) *string { return &k.Scaling }, Governor, TargetTracking),
	},
	{
		"track", BacklogPerTask, "metric that `target-tracking` follows: `BacklogPerTask` or `BacklogSeconds`",
		word(func(k *Knobs) *string { return &k.Track }, BacklogPerTask, BacklogSeconds),
	},
	{"target", "15s", "time in which the governor wants the backlog worked off; shorter is faster and dearer", period(func(k *Knobs) *time.Duration { return &k.Target }, time.Second, time.Hour)},
	{"latency", "2m", "acceptable latency: target of `BacklogSeconds`, and part of that of `BacklogPerTask`", period(func(k *Knobs) *time.Duration { return &k.Latency }, time.Second, 24*time.Hour)},
	{"message", "100ms", "time that a message takes, guessed: `BacklogPerTask` has the target `latency` ÷ `message` × `concurrency`", period(func(k *Knobs) *time.Duration { return &k.Message }, time.Millisecond, time.Hour)},

	{"cpu", "1024", "of a task, in 1/1024 vCPU", cpu},
	{"memory", "2048", "of a task, in MiB", number(func(k *Knobs) *int { return &k.Memory }, 512, 122880)},
	{"disk", "20", "of a task, in GiB; results are sorted there; more than 20 costs", number(func(k *Knobs) *int { return &k.Disk }, 20, 200)},
	{"spot", "80", "percent of tasks on Fargate Spot; unless it is 100, the first is not. With 100 all may be taken back at a time", number(func(k *Knobs) *int { return &k.Spot }, 0, 100)},

	{"visibility", "60s", "for how long a message is hidden that a task has received; extended while it is held", whole(func(k *Knobs) *time.Duration { return &k.Visibility }, 10*time.Second, 12*time.Hour)},
	{"max-receives", "100", "receives after which the queue itself gives a message up; how often a node is retried each run says (`ramify seed --retries`)", number(func(k *Knobs) *int { return &k.MaxReceives }, 10, 1000)},
	{"read", "", "buckets that tasks may list and read, with commas between; `*` is every bucket that its owner allows", anyOr(buckets(func(k *Knobs) *[]string { return &k.Read }))},
	{"write", "", "buckets that tasks may write results to, besides the stack's own", buckets(func(k *Knobs) *[]string { return &k.Write })},

	{
		"queues", "", "queues that tasks may send to, besides the stack's own, with commas between: those on which jobs wait and to which outcomes go ([flows](jobs/flows.md#on-a-stack))",
		listOf(func(k *Knobs) *[]string { return &k.Queues }, `^[A-Za-z0-9_-]{1,80}$`, "names of queues of this account and region, with commas between"),
	},

	{
		"kms-keys", "", "ARNs of the keys that buckets of `read` and `write` are encrypted with, with commas between",
		listOf(func(k *Knobs) *[]string { return &k.KMSKeys }, `^arn:[\w-]+:kms:[a-z0-9-]+:\d{12}:key/[\w-]+$`, "arn:aws:kms:REGION:ACCOUNT:key/ID with commas between: an alias is none"),
	},

	{"cron", "", "file of schedules, as `ramify cron` has it: each becomes one of EventBridge Scheduler ([schedules](jobs/schedules.md))", schedules},

	{"parts-days", "90", "days after which what results were made of is deleted; redrives of older runs cannot complete them", number(func(k *Knobs) *int { return &k.PartsDays }, 15, 3650)},
	{"log-days", "30", "days that logs are kept", days},
	{"retain", "", "what stays after `make destroy`: `bucket`, `table` or both", retained},
	{"recovery", "false", "point-in-time recovery of the table, charged by size", yes(func(k *Knobs) *bool { return &k.Recovery })},

	{
		"alarm-topic", "", "ARN of the SNS topic that alarms go to; without it they are seen only",
		matches(func(k *Knobs) *string { return &k.AlarmTopic }, `^(arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]{1,256}(\.fifo)?)?$`, "arn:aws:sns:REGION:ACCOUNT:NAME, or nothing"),
	},
	{"alarm-age", "1h", "age of the oldest message that is an alarm", period(func(k *Knobs) *time.Duration { return &k.AlarmAge }, time.Minute, 14*24*time.Hour)},

	{
		"vpc", "", "an existing network; without it one is made, which costs nothing",
		matches(func(k *Knobs) *string { return &k.VPC }, `^(vpc-[0-9a-f]{8,17})?$`, "vpc-ID, or nothing for a new one"),
	},
	{"subnets", "", "its subnets for tasks, with commas between", listOf(func(k *Knobs) *[]string { return &k.Subnets }, `^subnet-[0-9a-f]{8,17}$`, "subnet-ID,subnet-ID…")},
	{"public-ip", "true", "tasks have a public address; needed where there is no NAT. Nothing may connect to it", yes(func(k *Knobs) *bool { return &k.PublicIP })},
}

// logDays are those that CloudWatch Logs knows.
//
// Source: Amazon CloudWatch Logs API reference, "PutRetentionPolicy".
var logDays = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// bucketName is one of S3. Source: Amazon S3 User Guide, "General purpose bucket naming rules".
const bucketName = `^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`

func days(k *Knobs, v string) (string, bool) {
	n, err := strconv.Atoi(v)
	k.LogDays = n
	return oneOf(logDays), err == nil && within(logDays, n)
}

func cpu(k *Knobs, v string) (string, bool) {
	all := []int{256, 512, 1024, 2048, 4096, 8192, 16384}
	n, err := strconv.Atoi(v)
	k.CPU = n
	return oneOf(all), err == nil && within(all, n)
}
