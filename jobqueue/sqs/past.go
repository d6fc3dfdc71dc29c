package sqs

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// metrics show whether a queue that is empty now was alive: something was sent, was
// taken or deleted that had been there before, or waited there. They are asked for in
// this order, most telling first. That messages were in flight or delayed shows in
// these, too. Source: Amazon SQS Developer Guide, "Available CloudWatch metrics for
// Amazon SQS".
var metrics = []struct {
	name string
	stat types.Statistic
}{
	{"NumberOfMessagesSent", types.StatisticSum},
	{"NumberOfMessagesReceived", types.StatisticSum},
	{"NumberOfMessagesDeleted", types.StatisticSum},
	// What moves to a failed queue was not sent to it.
	{"ApproximateNumberOfMessagesVisible", types.StatisticMaximum},
}

// Quiet asks CloudWatch for a metric at a time, as jobqueue.Past says: it charges by the
// metric, however they are asked for.
func (q *Queues) Quiet(ctx context.Context, name string, since time.Time) (bool, error) {
	ctx, leave, err := q.enter(ctx, 3*patience)
	if err != nil {
		return false, fmt.Errorf("read metrics: %w", err)
	}
	defer leave()
	now := time.Now()
	for _, m := range metrics {
		out, err := q.watch.GetMetricStatistics(ctx, &cloudwatch.GetMetricStatisticsInput{
			Namespace: aws.String("AWS/SQS"), MetricName: &m.name,
			Dimensions: []types.Dimension{{Name: aws.String("QueueName"), Value: &name}},
			StartTime:  &since, EndTime: &now,
			Period:     aws.Int32(3600), // whatever the time asked for, CloudWatch has kept that much detail
			Statistics: []types.Statistic{m.stat},
		})
		if err != nil {
			return false, fmt.Errorf("read metrics: %w", metricProblem(name, err))
		}
		for _, d := range out.Datapoints {
			if aws.ToFloat64(d.Sum) > 0 || aws.ToFloat64(d.Maximum) > 0 {
				return false, nil
			}
		}
	}
	return true, nil
}
