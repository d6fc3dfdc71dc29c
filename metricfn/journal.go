package metricfn

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// decided is the message of the record in the log of each decision that was carried out.
const decided = "desired count changed"

// Journal is what the function has written of its decisions: its log. It keeps a call, as
// ECS does.
type Journal struct {
	filter func(context.Context, *cloudwatchlogs.FilterLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error)
	group  string
}

// NewJournal is that of the function which logs to a group. Nothing is asked yet.
func NewJournal(cfg aws.Config, group string) *Journal {
	return &Journal{filter: cloudwatchlogs.NewFromConfig(cfg).FilterLogEvents, group: group}
}

// record is a line of the log, as slog writes it.
type record struct {
	Msg     string `json:"msg"`
	Desired int    `json:"desired"`
	Was     *int   `json:"was"` // of functions that are older there is none
	Reason  string `json:"reason"`
}

// Events are the decisions that were carried out since a time, the newest first, so many at
// most. They are as old as the log keeps them. CloudWatch Logs answers from the oldest on,
// and may answer with nothing and where to go on: it is asked forty times at most.
//
// Source: Amazon CloudWatch Logs API Reference, "FilterLogEvents"; User Guide, "Filter
// pattern syntax" (a phrase in quotes).
func (j *Journal) Events(ctx context.Context, since time.Time, most int) ([]Event, error) {
	var all []Event
	in := &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: &j.group, StartTime: aws.Int64(since.UnixMilli()), FilterPattern: aws.String(`"` + decided + `"`),
	}
	for range mostAnswers {
		out, err := j.filter(ctx, in)
		if err != nil {
			return nil, explain("logs:FilterLogEvents", "log group "+j.group, err)
		}
		for _, e := range out.Events {
			var r record
			if json.Unmarshal([]byte(aws.ToString(e.Message)), &r) != nil || r.Msg != decided {
				continue // somebody else's words
			}
			text := fmt.Sprintf("desired count set to %d", r.Desired)
			if r.Was != nil {
				text += fmt.Sprintf(", from %d", *r.Was)
			}
			all = append(all, Event{At: time.UnixMilli(aws.ToInt64(e.Timestamp)), By: ByGovernor, Message: text + ": " + r.Reason})
		}
		if in.NextToken = out.NextToken; aws.ToString(out.NextToken) == "" {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b Event) int { return b.At.Compare(a.At) })
	return all[:min(len(all), most)], nil
}
