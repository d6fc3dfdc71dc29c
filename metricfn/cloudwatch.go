package metricfn

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/ramify/ramify/scaling"
)

// Namespace of the metrics, and their dimensions.
const (
	Namespace      = "Ramify"
	DimensionFleet = "Fleet"
	DimensionRun   = "Run"
	DimensionPart  = "Part"
)

// most data of a request (Amazon CloudWatch API Reference, "PutMetricData").
const most = 1000

// CloudWatch takes the metrics of one fleet, and says what they were. It keeps two calls,
// as ECS does.
type CloudWatch struct {
	get   func(context.Context, *cloudwatch.GetMetricStatisticsInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricStatisticsOutput, error)
	put   func(context.Context, *cloudwatch.PutMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.PutMetricDataOutput, error)
	fleet string
}

var _ Publisher = (*CloudWatch)(nil)

// NewCloudWatch is where the metrics of a fleet go.
func NewCloudWatch(cfg aws.Config, fleet string) *CloudWatch {
	client := cloudwatch.NewFromConfig(cfg)
	return &CloudWatch{get: client.GetMetricStatistics, put: client.PutMetricData, fleet: fleet}
}

// Put makes one request for each thousand data.
func (c *CloudWatch) Put(ctx context.Context, data []Datum) error {
	for some := range slices.Chunk(data, most) {
		in := &cloudwatch.PutMetricDataInput{Namespace: aws.String(Namespace)}
		for _, d := range some {
			in.MetricData = append(in.MetricData, c.datum(d))
		}
		if _, err := c.put(ctx, in); err != nil {
			return explain("cloudwatch:PutMetricData", "fleet "+c.fleet, err)
		}
	}
	return nil
}

func (c *CloudWatch) datum(d Datum) types.MetricDatum {
	m := types.MetricDatum{
		MetricName: &d.Name, Value: &d.Value, Unit: types.StandardUnit(d.Unit), Timestamp: &d.At,
		Dimensions: []types.Dimension{{Name: aws.String(DimensionFleet), Value: &c.fleet}},
	}
	for name, value := range map[string]string{DimensionRun: d.Run, DimensionPart: d.Part} { // one at most
		if value != "" {
			m.Dimensions = append(m.Dimensions, types.Dimension{Name: aws.String(name), Value: &value})
		}
	}
	if d.Fast {
		m.StorageResolution = aws.Int32(1) // seconds; otherwise alarms see minutes only
	}
	return m
}

// Tasks is how many tasks a fleet had for a time.
type Tasks struct {
	At               time.Time
	For              time.Duration
	Running, Desired float64 // means
	Most             float64 // that ran at a time
}

// Tasks are those between two times, a minute each, or longer where that would be more than
// 600, or CloudWatch no longer knows minutes: two requests. Times of which there are no
// metrics are left out.
//
// Source: Amazon CloudWatch API Reference, "GetMetricStatistics" (Period).
func (c *CloudWatch) Tasks(ctx context.Context, from, to time.Time) ([]Tasks, error) {
	shortest := periodOf(time.Since(from))
	period := shortest
	for to.Sub(from) > mostTasks*period {
		period += shortest
	}
	from = from.Truncate(period)
	found := map[time.Time]*Tasks{}
	for _, metric := range []string{scaling.MetricRunning, scaling.MetricDesired} {
		out, err := c.get(ctx, &cloudwatch.GetMetricStatisticsInput{
			Namespace: aws.String(Namespace), MetricName: &metric, Dimensions: []types.Dimension{{Name: aws.String(DimensionFleet), Value: &c.fleet}},
			StartTime: &from, EndTime: &to, Period: aws.Int32(int32(period.Seconds())),
			Statistics: []types.Statistic{types.StatisticAverage, types.StatisticMaximum},
		})
		if err != nil {
			return nil, explain("cloudwatch:GetMetricStatistics", "fleet "+c.fleet, err)
		}
		for _, p := range out.Datapoints {
			at := aws.ToTime(p.Timestamp).UTC()
			t := found[at]
			if t == nil {
				t = &Tasks{At: at, For: period}
				found[at] = t
			}
			if metric == scaling.MetricDesired {
				t.Desired = aws.ToFloat64(p.Average)
				continue
			}
			t.Running, t.Most = aws.ToFloat64(p.Average), aws.ToFloat64(p.Maximum)
		}
	}
	all := make([]Tasks, 0, len(found))
	for _, t := range found {
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b Tasks) int { return a.At.Compare(b.At) })
	return all, nil
}

const mostTasks = 600

// periodOf is the shortest that CloudWatch knows of metrics of that age.
func periodOf(age time.Duration) time.Duration {
	const day = 24 * time.Hour
	switch {
	case age < 15*day:
		return time.Minute
	case age < 63*day:
		return 5 * time.Minute
	default:
		return time.Hour
	}
}
