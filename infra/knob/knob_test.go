package knob_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/infra/knob"
	"github.com/ramify/ramify/scaling"
)

const anImage = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/ramify@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

type set = map[string]string

func read(given set) (knob.Knobs, error) {
	all := map[string]string{"image": anImage}
	maps.Copy(all, given)
	return knob.Read(func(name string) (string, bool) {
		v, ok := all[name]
		return v, ok
	}, slices.Collect(maps.Keys(all)))
}

func TestDefaults(t *testing.T) {
	k, err := read(nil)
	require.NoError(t, err)
	assert.Equal(t, knob.Knobs{
		Stack: "ramify", Image: anImage, Function: "../dist/metricfn-arm64", Arch: "arm64",
		Min: 0, Max: 200, Concurrency: 32, Scaling: knob.Governor, Track: knob.BacklogPerTask,
		Target: 15 * time.Second, Latency: 2 * time.Minute, Message: 100 * time.Millisecond,
		CPU: 1024, Memory: 2048, Disk: 20, Spot: 80,
		Visibility: time.Minute, MaxReceives: 100, PartsDays: 90, LogDays: 30, AlarmAge: time.Hour, PublicIP: true,
	}, k)
	assert.InDelta(t, 38400, k.BacklogTarget(), 1e-9)
}

func TestGiven(t *testing.T) {
	k, err := read(map[string]string{
		"max": " 50 ", "read": "a-bucket, b.bucket,", "write": "c-bucket", "retain": "table,bucket", "latency": "90s", "recovery": "true",
		"vpc": "vpc-01234567", "subnets": "subnet-01234567,subnet-01234567", "public-ip": "false",
		"aws:cdk:enable-path-metadata": "true", "@aws-cdk/core:x": "true", "aws-cdk/x": "1",
	})
	require.NoError(t, err)
	assert.Equal(t, 50, k.Max)
	assert.Equal(t, []string{"a-bucket", "b.bucket"}, k.Read)
	assert.Equal(t, []string{"c-bucket"}, k.Write)
	assert.Equal(t, []string{knob.Table, knob.Bucket}, k.Retain)
	assert.Equal(t, 90*time.Second, k.Latency)
	assert.True(t, k.Recovery)
	assert.Equal(t, []string{"subnet-01234567"}, k.Subnets, "said twice it is one: the CDK knows no other of its name")
	assert.False(t, k.PublicIP)
}

// TestRefused: an error names knob and value, and what it may be.
func TestRefused(t *testing.T) {
	cases := []struct{ given, want string }{
		{"image=", `image is "", want an image`},
		{"image=Not An Image", `image is "Not An Image"`},
		{"stack=1st", `stack is "1st", want 1 to 63 letters`},
		{"arch=mips", `arch is "mips", want arm64 or x86_64`},
		{"min=-1", `min is "-1", want a number from 0 to 5000`},
		{"max=0", `max is "0", want a number from 1`},
		{"max=many", `max is "many"`},
		{"concurrency=0", `concurrency is "0"`},
		{"scaling=cpu", `scaling is "cpu", want governor or target-tracking`},
		{"track=Unread", `track is "Unread", want BacklogPerTask or BacklogSeconds`},
		{"target=0s", `target is "0s", want a time from 1s`},
		{"latency=2", `latency is "2", want a time`},
		{"message=-1s", `message is "-1s"`},
		{"cpu=1000", `cpu is "1000", want one of 256, 512`},
		{"memory=1", `memory is "1"`},
		{"disk=10", `disk is "10", want a number from 20 to 200`},
		{"spot=101", `spot is "101", want a number from 0 to 100`},
		{"visibility=1s", `visibility is "1s", want a time from 10s`},
		{"visibility=10500ms", "in whole seconds"},
		{"max-receives=1", `max-receives is "1", want a number from 10`},
		{"read=Bucket", `read is "Bucket", want names of buckets`},
		{"read=a-bucket,*", `read is "a-bucket,*"`},
		{"write=*", `write is "*", want names of buckets`}, // that of templates among them
		{"write=s3://b", `write is "s3://b"`},
		{"queues=a.fifo", `queues is "a.fifo", want names of queues`},
		{"kms-keys=alias/mine", `kms-keys is "alias/mine", want arn:aws:kms:REGION:ACCOUNT:key/ID`},
		{"kms-keys=arn:aws:kms:eu-central-1:123456789012:key/1", "kms-keys are those of the buckets of read and write"},
		{"cron=none.yaml", `cron is "none.yaml", want a file of schedules: read schedules: open none.yaml`},
		{"cron=testdata/both.yaml", `want a file of schedules that EventBridge Scheduler can say: that of a (0 0 */2 * 1)`},
		{"parts-days=1", `parts-days is "1"`},
		{"log-days=2", `log-days is "2", want one of 1, 3, 5`},
		{"retain=queue", `retain is "queue", want bucket, table`},
		{"recovery=yes", `recovery is "yes", want true or false`},
		{"alarm-topic=me@example.com", `alarm-topic is "me@example.com", want arn:aws:sns`},
		{"alarm-age=15d", `alarm-age is "15d"`},
		{"vpc=main", `vpc is "main", want vpc-ID`},
		{"vpc=vpc-01234567", `vpc and subnets go together`},
		{"subnets=a", `subnets is "a", want subnet-ID`},
		{"subnets=subnet-01234567", `vpc and subnets go together`},
		{"public-ip=", `public-ip is "", want true or false`},
		{"min=20 max=10", "min is 20, want at most max, which is 10"},
		{"max=1000 concurrency=101", "max is 1000, want at most 495 with concurrency 101"},
		{"memory=1024", "memory is 1024, want with cpu 1024 2048 to 8192, in steps of 1024"},
		{"cpu=256 memory=1536", "memory is 1536, want with cpu 256 512 to 2048"},
		{"cpu=8192 memory=17408", "in steps of 4096"},
		{"mxa=5", "mxa is no knob, want one of stack, image"},
	}
	seen := map[string]bool{}
	for _, c := range cases {
		t.Run(c.given, func(t *testing.T) {
			given := map[string]string{}
			pairs := []string{c.given}
			if strings.Count(c.given, "=") > 1 {
				pairs = strings.Fields(c.given)
			}
			for _, pair := range pairs {
				name, value, _ := strings.Cut(pair, "=")
				given[name], seen[name] = value, true
			}
			_, err := read(given)
			require.ErrorContains(t, err, c.want)
		})
	}
	seen["function"] = true // any folder may be one
	for _, k := range knob.All() {
		assert.True(t, seen[k.Name], "no bad value of %s is tried", k.Name)
	}
}

func TestFunctionIsBuilt(t *testing.T) {
	dir := t.TempDir()
	k, err := read(set{"function": dir, "arch": "x86_64"})
	require.NoError(t, err)
	require.EqualError(t, k.Built(), `read context: function is "`+dir+`", want a folder with a bootstrap: make metricfn builds ../dist/metricfn-amd64`)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bootstrap"), nil, 0o600))
	require.NoError(t, k.Built())
}

// TestInFlight: whatever max and concurrency are, SQS lets be in flight what all tasks
// hold, during a deployment, too.
func TestInFlight(t *testing.T) {
	const limit, ahead = 120_000, 512 // of SQS; of a task, beyond its slots
	for _, concurrency := range []int{1, 10, 32, 64, 512, 1000, 10_000} {
		given := set{"concurrency": fmt.Sprint(concurrency)}
		most := 1
		for n := 5000; n > 0; n-- {
			given["max"] = fmt.Sprint(n)
			if _, err := read(given); err == nil {
				most = n
				break
			}
		}
		tasks := most + most*scaling.Surplus/100
		assert.LessOrEqual(t, tasks*(concurrency+min(concurrency, ahead)), limit, "%d tasks of concurrency %d", most, concurrency)
	}
}

// TestDocumented: docs/deploy.md has the table, to the letter.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/deploy.md")
	require.NoError(t, err)
	var table strings.Builder
	table.WriteString("| Knob | Default | What it is |\n|---|---|---|\n")
	for _, k := range knob.All() {
		value := "none"
		if k.Default != "" {
			value = "`" + k.Default + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", k.Name, value, k.Help)
	}
	if !strings.Contains(string(doc), table.String()) {
		t.Errorf("docs/deploy.md has not this table:\n%s", table.String())
	}
}
