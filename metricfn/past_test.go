package metricfn_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/emulator/ministack"
	"github.com/ramify/ramify/internal/emulator/scaler"
	"github.com/ramify/ramify/metricfn"
)

func TestActivities(t *testing.T) {
	s := scaler.Start(t)
	cfg := config(t, s.URL)
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for i := range 120 {
		s.Did(scaler.Activity{
			ResourceID: "service/cluster/tasks", Description: fmt.Sprintf("Setting desired count to %d.", i), StatusCode: "Successful",
			Cause:         "monitor alarm ramify-Wake in state ALARM triggered policy ramify-WakeUp",
			StatusMessage: "Successfully set desired count. Change successfully fulfilled by ecs.", Start: noon.Add(time.Duration(i) * time.Minute),
		})
	}
	s.Did(scaler.Activity{ResourceID: "service/cluster/others", Description: "Setting desired count to 5.", StatusCode: "Successful", Start: noon})
	s.Did(scaler.Activity{
		ResourceID: "service/cluster/tasks", Description: "Setting desired count to 500.", StatusCode: "Failed", Cause: "somebody\nwanted it",
		StatusMessage: "Failed to set desired count.", Start: noon.Add(3 * time.Hour),
	})

	a := metricfn.NewAutoScaling(cfg, "arn:aws:ecs:us-east-1:123456789012:cluster/cluster", "arn:aws:ecs:us-east-1:123456789012:service/cluster/tasks")
	got, err := a.Events(t.Context(), time.Time{}, 50)
	require.NoError(t, err)
	require.Len(t, got, 50)
	assert.Equal(t, 1, s.Asked())
	assert.Equal(t, "Setting desired count to 500: somebody wanted it (Failed: Failed to set desired count)", got[0].Message)
	assert.Equal(t, metricfn.Event{
		At: noon.Add(119 * time.Minute), By: metricfn.ByAutoScaling,
		Message: "Setting desired count to 119: monitor alarm ramify-Wake in state ALARM triggered policy ramify-WakeUp",
	}, metricfn.Event{At: got[1].At.UTC(), By: got[1].By, Message: got[1].Message})

	got, err = a.Events(t.Context(), noon.Add(20*time.Minute), 1000)
	require.NoError(t, err)
	require.Len(t, got, 101, "from 20 to 119, and the one that failed: three pages")
	assert.Equal(t, 4, s.Asked())
	assert.Equal(t, noon.Add(20*time.Minute), got[100].At.UTC())

	got, err = metricfn.NewAutoScaling(cfg, "cluster", "nobody").Events(t.Context(), time.Time{}, 50)
	require.NoError(t, err)
	assert.Empty(t, got)
	s.Deny()
	_, err = a.Events(t.Context(), time.Time{}, 50)
	require.ErrorIs(t, err, metricfn.ErrDenied)
	assert.EqualError(t, err, "application-autoscaling:DescribeScalingActivities of service/cluster/tasks: access denied (AccessDeniedException): allow application-autoscaling:DescribeScalingActivities to these credentials")
}

// The log holds what the runtime of Lambda writes, too, and lines of older functions.
func TestDecisionsFromTheLog(t *testing.T) {
	cfg := config(t, ministack.URL(t))
	client := cloudwatchlogs.NewFromConfig(cfg)
	group := unique("/functions/metric")
	j := metricfn.NewJournal(cfg, group)
	_, err := j.Events(t.Context(), time.Now().Add(-time.Hour), 50)
	require.ErrorIs(t, err, metricfn.ErrNotThere)
	_, err = client.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
	require.NoError(t, err)
	begun := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	// Two instances of the function, each with a stream of its own.
	for stream, lines := range map[string][]string{
		"a": {
			`INIT_START Runtime Version: provided:al2023.v100`, `START RequestId: 1 Version: $LATEST`,
			`{"time":"2026-11-26T10:00:00Z","level":"INFO","msg":"desired count changed","desired":8,"was":2,"wanted":8,"reason":"the backlog wants more tasks"}`,
			`{"time":"2026-11-26T10:00:00Z","level":"WARN","msg":"part of a look failed","part":"age","error":"desired count changed"}`,
			`REPORT RequestId: 1 Duration: 12 ms`,
		},
		"b": {
			`{"time":"2026-11-26T09:00:00Z","level":"INFO","msg":"desired count changed","desired":1,"wanted":1,"reason":"a backlog stands"}`,
			`desired count changed`,
		},
	} {
		_, err = client.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream})
		require.NoError(t, err)
		var events []logstypes.InputLogEvent
		for i, l := range lines {
			at := begun.Add(time.Duration(i)*time.Second + time.Duration(stream[0]-'a')*10*time.Second)
			events = append(events, logstypes.InputLogEvent{Message: &l, Timestamp: aws.Int64(at.UnixMilli())})
		}
		_, err = client.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream, LogEvents: events})
		require.NoError(t, err)
	}
	want := []metricfn.Event{
		{At: begun.Add(10 * time.Second), By: metricfn.ByGovernor, Message: "desired count set to 1: a backlog stands"},
		{At: begun.Add(2 * time.Second), By: metricfn.ByGovernor, Message: "desired count set to 8, from 2: the backlog wants more tasks"},
	}
	got, err := j.Events(t.Context(), begun.Add(-time.Minute), 50)
	require.NoError(t, err)
	require.Len(t, got, 2)
	for i := range got {
		assert.True(t, want[i].At.Equal(got[i].At), "%v", got[i].At)
		got[i].At = want[i].At
	}
	assert.Equal(t, want, got)
	got, err = j.Events(t.Context(), begun.Add(5*time.Second), 50)
	require.NoError(t, err)
	assert.Len(t, got, 1, "since then")
	got, err = j.Events(t.Context(), begun.Add(-time.Minute), 1)
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, want[0].Message, got[0].Message, "the newest")
}

func TestTasksFromCloudWatch(t *testing.T) {
	cfg := config(t, ministack.URL(t))
	fleet := unique("tasks")
	c := metricfn.NewCloudWatch(cfg, fleet)
	now := time.Now().UTC()
	from := now.Add(-10 * time.Minute).Truncate(time.Minute)
	got, err := c.Tasks(t.Context(), from, now)
	require.NoError(t, err)
	assert.Empty(t, got)
	put := func(name string, after time.Duration, v float64) {
		at := from.Add(after)
		_, err := cloudwatch.NewFromConfig(cfg).PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
			Namespace: aws.String(metricfn.Namespace), MetricData: []cwtypes.MetricDatum{{
				MetricName: &name, Value: &v, Timestamp: &at, Unit: cwtypes.StandardUnitCount,
				Dimensions: []cwtypes.Dimension{{Name: aws.String(metricfn.DimensionFleet), Value: &fleet}},
			}},
		})
		require.NoError(t, err)
	}
	put("Running", 10*time.Second, 2)
	put("Running", 20*time.Second, 4)
	put("Desired", 10*time.Second, 4)
	put("Running", 130*time.Second, 5)
	put("Desired", 130*time.Second, 6)
	got, err = c.Tasks(t.Context(), from, now)
	require.NoError(t, err)
	for i := range got {
		got[i].At = got[i].At.UTC()
	}
	assert.Equal(t, []metricfn.Tasks{{At: from, For: time.Minute, Running: 3, Desired: 4, Most: 4}, {At: from.Add(2 * time.Minute), For: time.Minute, Running: 5, Desired: 6, Most: 5}}, got)
}
