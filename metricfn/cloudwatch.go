package metricfn

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
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

// CloudWatch takes the metrics of one fleet. It keeps a call, as ECS does.
type CloudWatch struct {
	put   func(context.Context, *cloudwatch.PutMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.PutMetricDataOutput, error)
	fleet string
}

var _ Publisher = (*CloudWatch)(nil)

// NewCloudWatch is where the metrics of a fleet go.
func NewCloudWatch(cfg aws.Config, fleet string) *CloudWatch {
	return &CloudWatch{put: cloudwatch.NewFromConfig(cfg).PutMetricData, fleet: fleet}
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
