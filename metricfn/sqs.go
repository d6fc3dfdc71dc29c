package metricfn

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ramify/ramify/scaling"
)

// SQS is a queue on Amazon SQS.
type SQS struct {
	client  *sqs.Client
	metrics func(context.Context, *cloudwatch.GetMetricStatisticsInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricStatisticsOutput, error)
	name    string
	url     string // "" until it was asked for
}

var _ Queue = (*SQS)(nil)

// NewSQS is the queue of a name or URL. Nothing is asked before the first look.
func NewSQS(cfg aws.Config, nameOrURL string) *SQS {
	q := &SQS{client: sqs.NewFromConfig(cfg), metrics: cloudwatch.NewFromConfig(cfg).GetMetricStatistics, name: nameOrURL}
	if strings.Contains(nameOrURL, "://") {
		q.name, q.url = path.Base(nameOrURL), nameOrURL
	}
	return q
}

// counts are the attributes of a depth (Amazon SQS API Reference, "GetQueueAttributes").
var counts = []types.QueueAttributeName{
	types.QueueAttributeNameApproximateNumberOfMessages,
	types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
	types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
}

// Depth makes one request, the first time two where it has only a name. A count that
// is missing from the answer is an error, not a zero.
func (q *SQS) Depth(ctx context.Context) (d scaling.Queue, err error) {
	if q.url == "" {
		out, err := q.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &q.name})
		if err != nil {
			return d, explain("sqs:GetQueueUrl", "queue "+q.name, err)
		}
		q.url = aws.ToString(out.QueueUrl)
	}
	out, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.url, AttributeNames: counts})
	if err != nil {
		return d, explain("sqs:GetQueueAttributes", "queue "+q.name, err)
	}
	for i, into := range []*int64{&d.Unread, &d.InFlight, &d.Delayed} {
		said, there := out.Attributes[string(counts[i])]
		n, err := strconv.ParseInt(said, 10, 64)
		if !there || err != nil || n < 0 {
			return scaling.Queue{}, fmt.Errorf("sqs:GetQueueAttributes of queue %s: %s is %q, want a count", q.name, counts[i], said)
		}
		*into = n
	}
	return d, nil
}

// Oldest is the last ApproximateAgeOfOldestMessage that SQS has sent to CloudWatch:
// there is no such attribute of a queue.
//
// Source: Amazon SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS".
func (q *SQS) Oldest(ctx context.Context) (time.Duration, time.Time, error) {
	now := time.Now()
	from := now.Add(-stale - time.Minute)
	var period int32 = 60
	namespace, metric, dimension := "AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName"
	out, err := q.metrics(ctx, &cloudwatch.GetMetricStatisticsInput{
		Namespace: &namespace, MetricName: &metric, Dimensions: []cwtypes.Dimension{{Name: &dimension, Value: &q.name}},
		StartTime: &from, EndTime: &now, Period: &period, Statistics: []cwtypes.Statistic{cwtypes.StatisticMaximum},
	})
	if err != nil {
		return 0, time.Time{}, explain("cloudwatch:GetMetricStatistics", "queue "+q.name, err)
	}
	var age time.Duration
	var at time.Time
	for _, p := range out.Datapoints { // in no order
		if t := aws.ToTime(p.Timestamp); t.After(at) && p.Maximum != nil {
			at, age = t, time.Duration(*p.Maximum*float64(time.Second))
		}
	}
	return age, at, nil
}
