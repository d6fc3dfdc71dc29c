package plan

// Prices are in US dollars, of one region, without taxes, free tiers and savings
// plans. They were written down on 2026-11-26 from what is publicly known of the
// pages that the comments name; look there before you spend money.
const (
	PriceRegion = "us-east-1"
	PriceDate   = "2026-11-26"
)

// Prices are what a fleet pays for.
type Prices struct {
	// "AWS Fargate Pricing", Linux, an hour; by the second, at least a minute.
	VCPU, GB       float64 // x86
	VCPUARM, GBARM float64 // ARM64
	Disk           float64 // a GB of disk beyond 20, an hour
	// The part of these that Fargate Spot takes off. It moves: from, usual, to.
	Spot [3]float64
	// "AWS Public IPv4 address charge": one of each task in a public subnet, an hour.
	IPv4 float64

	// "Amazon SQS pricing", standard queues, a request of at most 64 KB.
	SQS float64
	// "Amazon DynamoDB pricing for on-demand capacity", a write and a read unit.
	Write, Read float64
	// "Amazon S3 pricing", S3 Standard: a LIST, PUT or COPY, and a GET.
	List, Get float64
	// "AWS Lambda pricing", ARM64: a request, and a GB-second.
	Invoke, LambdaGB float64
	// "Amazon CloudWatch pricing": a metric a month, by the hour that it is sent in, a
	// request of PutMetricData, an alarm of 60 s and one of 10 s a month, a GB of logs.
	Metric, Put, Alarm, AlarmFast, Logs float64
}

// DefaultPrices are those of PriceRegion at PriceDate.
func DefaultPrices() Prices {
	const million, thousand = 1e6, 1e3
	return Prices{
		VCPU: 0.04048, GB: 0.004445, VCPUARM: 0.03238, GBARM: 0.00356, Disk: 0.000111,
		Spot: [3]float64{0.5, 0.65, 0.7},
		IPv4: 0.005,
		SQS:  0.40 / million, Write: 0.625 / million, Read: 0.125 / million,
		List: 0.005 / thousand, Get: 0.0004 / thousand,
		Invoke: 0.20 / million, LambdaGB: 0.0000133334,
		Metric: 0.30, Put: 0.01 / thousand, Alarm: 0.10, AlarmFast: 0.30, Logs: 0.50,
	}
}

const hoursOfMonth = 730
