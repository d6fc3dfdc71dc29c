package metricfn_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/emulator/dynamodblocal"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/internal/emulator/ministack"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/metricfn"
	"github.com/ramify/ramify/scaling"
	"github.com/ramify/ramify/schema"
)

// config is how to reach a server, by connections that do not outlive the test.
func config(t testing.TB, url string) aws.Config {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &url, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("metricfn", "secret", ""),
	}
}

var names atomic.Int64

func unique(prefix string) string { return fmt.Sprintf("%s-%d", prefix, names.Add(1)) }

func newQueue(t testing.TB, cfg aws.Config) (client *sqs.Client, name, url string) {
	t.Helper()
	client, name = sqs.NewFromConfig(cfg), unique("queue")
	out, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	require.NoError(t, err)
	return client, name, *out.QueueUrl
}

func send(t testing.TB, client *sqs.Client, url string, n int, delay int32) {
	t.Helper()
	for i := range n {
		_, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(fmt.Sprint(i)), DelaySeconds: delay})
		require.NoError(t, err)
	}
}

func newService(t testing.TB, cfg aws.Config, desired int32) (client *ecs.Client, cluster, service string) {
	t.Helper()
	client, cluster, service = ecs.NewFromConfig(cfg), unique("cluster"), unique("service")
	_, err := client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: &cluster})
	require.NoError(t, err)
	task := unique("task")
	_, err = client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: &task, ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("task"), Image: aws.String("none")}},
	})
	require.NoError(t, err)
	_, err = client.CreateService(t.Context(), &ecs.CreateServiceInput{Cluster: &cluster, ServiceName: &service, TaskDefinition: &task, DesiredCount: &desired})
	require.NoError(t, err)
	return client, cluster, service
}

func TestDepth(t *testing.T) {
	for name, url := range map[string]func(testing.TB) string{"ElasticMQ": elasticmq.URL, "ministack": ministack.URL} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, url(t))
			client, queue, address := newQueue(t, cfg)
			send(t, client, address, 5, 0)
			send(t, client, address, 2, 600)
			out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &address, MaxNumberOfMessages: 1, VisibilityTimeout: 600, MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{}})
			require.NoError(t, err)
			require.Len(t, out.Messages, 1)
			for _, by := range []string{queue, address} {
				got, err := metricfn.NewSQS(cfg, by).Depth(t.Context())
				require.NoError(t, err)
				assert.Equal(t, scaling.Queue{Unread: 4, InFlight: 1, Delayed: 2}, got, "by %s", by)
			}
			_, err = metricfn.NewSQS(cfg, "nobody").Depth(t.Context())
			require.ErrorIs(t, err, metricfn.ErrNotThere)
			assert.Contains(t, err.Error(), "queue nobody")
		})
	}
}

func TestAgeFromCloudWatch(t *testing.T) {
	cfg := config(t, ministack.URL(t))
	queue := unique("aged")
	q := metricfn.NewSQS(cfg, queue)
	_, at, err := q.Oldest(t.Context())
	require.NoError(t, err)
	assert.Zero(t, at, "SQS has sent nothing")

	// The emulator has no metrics of SQS: the test sends what SQS would.
	now := time.Now()
	for i, v := range []float64{70, 190, 130} {
		age := now.Add(-time.Duration(3-i) * time.Minute)
		_, err = cloudwatch.NewFromConfig(cfg).PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
			Namespace: aws.String("AWS/SQS"), MetricData: []cwtypes.MetricDatum{{
				MetricName: aws.String("ApproximateAgeOfOldestMessage"), Value: &v, Timestamp: &age, Unit: cwtypes.StandardUnitSeconds,
				Dimensions: []cwtypes.Dimension{{Name: aws.String("QueueName"), Value: &queue}},
			}},
		})
		require.NoError(t, err)
	}
	age, at, err := q.Oldest(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 130*time.Second, age, "the last, not the greatest")
	assert.WithinDuration(t, now.Add(-time.Minute), at, time.Minute)
}

func TestService(t *testing.T) {
	cfg := config(t, ministack.URL(t))
	client, cluster, service := newService(t, cfg, 2)
	s := metricfn.NewECS(cfg, cluster, service)
	got, err := s.Counts(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, got.Desired)
	require.NoError(t, s.SetDesired(t.Context(), 5))
	got, err = s.Counts(t.Context())
	require.NoError(t, err)
	assert.Equal(t, scaling.Service{Running: 5, Desired: 5}, got)

	_, err = metricfn.NewECS(cfg, cluster, "nobody").Counts(t.Context())
	require.ErrorIs(t, err, metricfn.ErrNotThere)
	_, err = metricfn.NewECS(cfg, "nowhere", service).Counts(t.Context())
	require.ErrorIs(t, err, metricfn.ErrNotThere)
	require.Error(t, metricfn.NewECS(cfg, cluster, "nobody").SetDesired(t.Context(), 1))

	_, err = client.DeleteService(t.Context(), &ecs.DeleteServiceInput{Cluster: &cluster, Service: &service, Force: aws.Bool(true)})
	require.NoError(t, err)
	_, err = s.Counts(t.Context())
	require.ErrorIs(t, err, metricfn.ErrNotThere, "one that is being deleted has no counts to act on")
}

// average reads a metric back as an alarm would see it; not ok where there is none.
func average(t testing.TB, cfg aws.Config, name string, dimensions map[string]string) (float64, bool) {
	t.Helper()
	from, to := time.Now().Add(-5*time.Minute), time.Now().Add(time.Minute)
	in := &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String(metricfn.Namespace), MetricName: &name, StartTime: &from, EndTime: &to,
		Period: aws.Int32(3600), Statistics: []cwtypes.Statistic{cwtypes.StatisticAverage},
	}
	for k, v := range dimensions {
		in.Dimensions = append(in.Dimensions, cwtypes.Dimension{Name: &k, Value: &v})
	}
	out, err := cloudwatch.NewFromConfig(cfg).GetMetricStatistics(t.Context(), in)
	require.NoError(t, err)
	if len(out.Datapoints) == 0 {
		return 0, false
	}
	return *out.Datapoints[len(out.Datapoints)-1].Average, true
}

// A look at a fleet of real servers: SQS, DynamoDB, ECS and CloudWatch.
func TestALookAtServers(t *testing.T) {
	stack := config(t, ministack.URL(t))
	_, cluster, service := newService(t, stack, 0)
	broker := config(t, elasticmq.URL(t))
	client, queue, address := newQueue(t, broker)
	books := config(t, dynamodblocal.URL(t))
	table := unique("table")
	require.NoError(t, dynamodb.Create(t.Context(), books, dynamodb.Table{Name: table}))
	l := dynamodb.New(books, table, dynamodb.Options{})
	defer l.Close()

	name := unique("fleet")
	fn := metricfn.New(metricfn.Options{
		Fleet: name, Knobs: scaling.Defaults(), Govern: true, Owner: "me", Ledger: l, Leases: l,
		Queue: metricfn.NewSQS(broker, queue), Service: metricfn.NewECS(stack, cluster, service), Publisher: metricfn.NewCloudWatch(stack, name),
	})
	// ElasticMQ has no CloudWatch beside it: the age is asked there, and fails.
	send(t, client, address, 3, 0)
	now := time.Now()
	require.NoError(t, l.Create(t.Context(), ledger.Run{ID: "nightly", State: ledger.Running, Created: now}))
	require.NoError(t, l.Report(t.Context(), ledger.Worker{Run: "nightly", ID: "w", Started: now, At: now, Share: schema.Whole / 2, Units: 10, Busy: 5 * time.Second}))
	r := fn.Look(t.Context())
	require.Len(t, r.Failures, 1)
	assert.Equal(t, metricfn.PartAge, r.Failures[0].Part)
	assert.True(t, r.Applied)
	of := map[string]string{metricfn.DimensionFleet: name}
	for metric, want := range map[string]float64{
		"Unread": 3, "BacklogPerTask": 3, "Desired": 0, "Asleep": 0, "Wanted": 1, "SecondsPerMessage": 0.5, "LookErrors": 1, "InFlight": 0, "Idle": 0,
	} {
		got, there := average(t, stack, metric, of)
		assert.True(t, there, metric)
		assert.InDelta(t, want, got, 1e-9, metric)
	}
	_, there := average(t, stack, "OldestAge", of)
	assert.False(t, there, "it is not known")
	got, there := average(t, stack, "LookErrors", map[string]string{metricfn.DimensionFleet: name, metricfn.DimensionPart: "age"})
	assert.True(t, there)
	assert.InDelta(t, 1, got, 0)
	got, there = average(t, stack, "FractionDone", map[string]string{metricfn.DimensionFleet: name, metricfn.DimensionRun: "nightly"})
	assert.True(t, there)
	assert.InDelta(t, 0.5, got, 1e-9)
	counts, err := metricfn.NewECS(stack, cluster, service).Counts(t.Context())
	require.NoError(t, err)
	assert.Equal(t, scaling.Service{Running: 1, Desired: 1}, counts)

	// All is done: back to the minimum.
	_, err = client.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: &address})
	require.NoError(t, err)
	_, err = l.Amend(t.Context(), "nightly", ledger.Change{From: ledger.Running, State: ledger.Cancelled, At: time.Now()})
	require.NoError(t, err)
	r = fn.Look(t.Context())
	assert.Empty(t, r.Failures)
	counts, err = metricfn.NewECS(stack, cluster, service).Counts(t.Context())
	require.NoError(t, err)
	assert.Zero(t, counts.Desired)
}
