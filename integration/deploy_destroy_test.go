package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// destroy does what `make destroy` does, and looks whether what cost something or held
// something is gone. The bucket's emptier is left out of the emulator: the test plays it.
func (d *deployed) destroy(t *testing.T) {
	t.Helper()
	exist := d.exist(t)
	for what, is := range exist() {
		if !is {
			t.Errorf("before it is destroyed there is no %s", what)
		}
	}
	d.empty(t)
	cdk(t, d.user, "destroy", "--app", filepath.Join(d.dir, "cdk.out"), "--force")
	for what, is := range exist() {
		if is {
			t.Errorf("destroyed, but for its %s", what)
		}
	}
}

// exist finds the resources of the stack, and makes what says which are there.
func (d *deployed) exist(t *testing.T) func() map[string]bool {
	t.Helper()
	ctx := t.Context()
	found, err := cloudformation.NewFromConfig(d.cfg).ListStackResources(ctx, &cloudformation.ListStackResourcesInput{StackName: &d.stack})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string][]string{}
	for _, r := range found.StackResourceSummaries {
		ids[*r.ResourceType] = append(ids[*r.ResourceType], aws.ToString(r.PhysicalResourceId))
	}
	for kind, want := range map[string]int{"AWS::SQS::Queue": 2, "AWS::DynamoDB::Table": 1, "AWS::S3::Bucket": 1, "AWS::SecretsManager::Secret": 1, "AWS::ECS::Cluster": 1} {
		if len(ids[kind]) != want {
			t.Fatalf("the stack has %d resources of %s, want %d", len(ids[kind]), kind, want)
		}
	}
	queues, tables, buckets := sqs.NewFromConfig(d.cfg), dynamodb.NewFromConfig(d.cfg), d.objects()
	secrets, stacks := secretsmanager.NewFromConfig(d.cfg), cloudformation.NewFromConfig(d.cfg)
	return func() map[string]bool {
		_, noQueue := queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: aws.String(d.out["RamifyQueue"])})
		_, noDead := queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: aws.String(d.out["RamifyDeadLetters"])})
		_, noTable := tables.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &ids["AWS::DynamoDB::Table"][0]})
		_, noBucket := buckets.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &ids["AWS::S3::Bucket"][0]})
		_, noSecret := secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &ids["AWS::SecretsManager::Secret"][0]})
		_, noStack := stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &d.stack})
		service, noService := d.service(ctx)
		alarms, err := d.metrics.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: aws.String(d.stack + "-")})
		if err != nil {
			t.Fatal(err)
		}
		clusters, err := d.ecs.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: ids["AWS::ECS::Cluster"]})
		return map[string]bool{
			"queue": noQueue == nil, "dead-letter queue": noDead == nil, "table": noTable == nil, "bucket": noBucket == nil,
			"signing key": noSecret == nil, "stack": noStack == nil, "alarms": len(alarms.MetricAlarms) > 0,
			"service": noService == nil && aws.ToString(service.Status) == "ACTIVE",
			"cluster": err == nil && len(clusters.Clusters) == 1 && aws.ToString(clusters.Clusters[0].Status) == "ACTIVE",
		}
	}
}

func (d *deployed) objects() *s3.Client {
	return s3.NewFromConfig(d.cfg, func(o *s3.Options) { o.UsePathStyle = true })
}

// empty deletes all versions of all objects of the stack's bucket.
func (d *deployed) empty(t *testing.T) {
	t.Helper()
	client := d.objects()
	bucket := bucketOf(d.out["RamifyOut"])
	all, err := client.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all.Versions {
		if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: v.Key, VersionId: v.VersionId}); err != nil {
			t.Fatal(err)
		}
	}
}

func bucketOf(url string) string {
	bucket, _, _ := strings.Cut(strings.TrimPrefix(url, "s3://"), "/")
	return bucket
}
