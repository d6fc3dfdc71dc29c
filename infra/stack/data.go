package stack

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"

	"github.com/ramify/ramify/infra/knob"
)

// data is what the fleet keeps.
type data struct {
	queue, dead awssqs.Queue
	table       awsdynamodb.Table
	bucket      awss3.Bucket
	key         awssecretsmanager.Secret
}

const (
	retentionDays = 14      // the longest that SQS offers
	maxMessage    = 1 << 20 // bytes, the largest that SQS takes
	longPoll      = 20      // seconds, the longest
)

func (f *fleet) makeData() {
	f.data.dead = f.makeQueue("DeadLetters", nil)
	f.data.queue = f.makeQueue("Queue", &awssqs.DeadLetterQueue{Queue: f.data.dead, MaxReceiveCount: num(float64(f.knobs.MaxReceives))})
	f.makeTable()
	f.makeBucket()
	f.makeKey()
}

func (f *fleet) makeQueue(id string, dead *awssqs.DeadLetterQueue) awssqs.Queue {
	return awssqs.NewQueue(f.stack, str(id), &awssqs.QueueProps{
		RetentionPeriod:        awscdk.Duration_Days(num(retentionDays)),
		ReceiveMessageWaitTime: awscdk.Duration_Seconds(num(longPoll)),
		VisibilityTimeout:      awscdk.Duration_Seconds(num(f.knobs.Visibility.Seconds())),
		MaxMessageSizeBytes:    num(maxMessage),
		Encryption:             awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:             yes(true),
		DeadLetterQueue:        dead,
		RemovalPolicy:          awscdk.RemovalPolicy_DESTROY,
	})
}

// makeTable makes what ledger/dynamodb expects (its setup.go).
func (f *fleet) makeTable() {
	text := func(name string) *awsdynamodb.Attribute {
		return &awsdynamodb.Attribute{Name: str(name), Type: awsdynamodb.AttributeType_STRING}
	}
	props := &awsdynamodb.TableProps{
		PartitionKey:        text("pk"),
		BillingMode:         awsdynamodb.BillingMode_PAY_PER_REQUEST,
		Encryption:          awsdynamodb.TableEncryption_DEFAULT,
		TimeToLiveAttribute: str("ttl"),
		DeletionProtection:  yes(f.retained(knob.Table)),
		RemovalPolicy:       f.removal(knob.Table),
	}
	if f.knobs.Recovery {
		props.PointInTimeRecoverySpecification = &awsdynamodb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: yes(true)}
	}
	f.data.table = awsdynamodb.NewTable(f.stack, str("Ledger"), props)
	f.data.table.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
		IndexName: str("listing"), PartitionKey: text("ls"), SortKey: text("at"),
		ProjectionType: awsdynamodb.ProjectionType_KEYS_ONLY,
	})
}

func (f *fleet) makeBucket() {
	days := func(n int) awscdk.Duration { return awscdk.Duration_Days(num(float64(n))) }
	f.data.bucket = awss3.NewBucket(f.stack, str("Results"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        yes(true),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		Versioned:         yes(true),
		LifecycleRules: &[]*awss3.LifecycleRule{
			{Id: str("parts"), Prefix: str(resultsPrefix + "/.parts/"), Expiration: days(f.knobs.PartsDays)},
			{Id: str("uploads"), Prefix: str(resultsPrefix + "/"), AbortIncompleteMultipartUploadAfter: days(7)},
			{Id: str("overwritten"), NoncurrentVersionExpiration: days(30), ExpiredObjectDeleteMarker: yes(true)},
		},
		RemovalPolicy: f.removal(knob.Bucket),
		// CloudFormation deletes no bucket that has objects.
		AutoDeleteObjects: yes(!f.retained(knob.Bucket)),
	})
	if f.retained(knob.Bucket) {
		f.data.bucket.Policy().ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN) // TLS only, from then on, too
		return
	}
	f.logEmptier()
}

// emptier is what the CDK adds to empty the bucket when the stack goes.
func (f *fleet) emptier() constructs.IConstruct {
	return f.stack.Node().FindChild(str("Custom::S3AutoDeleteObjectsCustomResourceProvider"))
}

// logEmptier has the emptier log into a group that goes with the stack. By itself it
// makes one, which nobody deletes; so it may make none.
//
// Source: AWS CloudFormation Template Reference, "AWS::Lambda::Function LoggingConfig".
func (f *fleet) logEmptier() {
	group := f.makeLogs("EmptierLogs")
	parts := f.emptier().Node()
	function := parts.FindChild(str("Handler")).(awscdk.CfnResource)
	function.AddPropertyOverride(str("LoggingConfig"), map[string]any{"LogGroup": group.LogGroupName()})
	role := parts.FindChild(str("Role")).(awscdk.CfnResource)
	role.AddPropertyDeletionOverride(str("ManagedPolicyArns"))
	role.AddPropertyOverride(str("Policies"), []any{map[string]any{
		"PolicyName": "Logs",
		"PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Action": []any{"logs:CreateLogStream", "logs:PutLogEvents"}, "Resource": group.LogGroupArn(),
		}}},
	}})
}

// makeKey makes a signing key in the form that keyring reads. Letters and digits
// are base64: 64 of them are 48 bytes.
func (f *fleet) makeKey() {
	f.data.key = awssecretsmanager.NewSecret(f.stack, str("SigningKey"), &awssecretsmanager.SecretProps{
		Description: str("Key that messages of the fleet are signed with."),
		GenerateSecretString: &awssecretsmanager.SecretStringGenerator{
			SecretStringTemplate: str(`{"id":"k1"}`), GenerateStringKey: str("key"),
			PasswordLength: num(64), ExcludePunctuation: yes(true), IncludeSpace: yes(false),
		},
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
}

// signingKey is where the key is, as RAMIFY_SIGNING_KEY says it: not what it is.
func (f *fleet) signingKey() string { return "secretsmanager:" + *f.data.key.SecretArn() }

func (f *fleet) retained(what string) bool { return slices.Contains(f.knobs.Retain, what) }

func (f *fleet) removal(what string) awscdk.RemovalPolicy {
	if f.retained(what) {
		return awscdk.RemovalPolicy_RETAIN
	}
	return awscdk.RemovalPolicy_DESTROY
}
