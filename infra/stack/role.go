package stack

import (
	"regexp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
)

func groups(g ...awsec2.SecurityGroup) *[]awsec2.ISecurityGroup {
	var all []awsec2.ISecurityGroup
	for _, x := range g {
		all = append(all, x)
	}
	return &all
}

func (f *fleet) makeRole(id string, of awsiam.ServicePrincipal, description string) awsiam.Role {
	return awsiam.NewRole(f.stack, str(id), &awsiam.RoleProps{AssumedBy: of, Description: str(description)})
}

// only is a service of AWS where it acts for this account: for another's it must not
// take a role that it was told of.
//
// Source: Amazon ECS Developer Guide, "Amazon ECS task IAM role"; AWS IAM User Guide,
// "The confused deputy problem".
func (f *fleet) only(service string) awsiam.ServicePrincipal {
	return awsiam.NewServicePrincipal(str(service), &awsiam.ServicePrincipalOpts{
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": f.stack.Account()}},
	})
}

// allow lets a role do some things to some resources.
func allow(role awsiam.Role, sid string, resources []string, actions ...string) {
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: str(sid), Actions: strs(actions...), Resources: strs(resources...),
	}))
}

// privateImage is an image in a repository of Amazon ECR.
var privateImage = regexp.MustCompile(`^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)`)

// makeTaskRoles: docs/operations.md says for what tasks need each permission.
func (f *fleet) makeTaskRoles() {
	s := &f.service
	s.starts = f.makeRole("StartRole", f.only("ecs-tasks.amazonaws.com"), "Of ECS: fetches the image and writes logs.")
	// To write logs it is let by its log driver.
	if m := privateImage.FindStringSubmatch(f.knobs.Image); m != nil {
		repository := *f.stack.FormatArn(&awscdk.ArnComponents{
			Service: str("ecr"), Resource: str("repository"), ResourceName: str(m[3]), Account: str(m[1]), Region: str(m[2]),
		})
		allow(s.starts, "Image", []string{repository}, "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage")
		allow(s.starts, "Registry", []string{"*"}, "ecr:GetAuthorizationToken")
	}

	s.tasks = f.makeRole("TaskRole", f.only("ecs-tasks.amazonaws.com"), "Of the tasks.")
	allow(s.tasks, "Queue", f.queueARNs(),
		"sqs:ReceiveMessage", "sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:GetQueueUrl")
	if len(f.knobs.Queues) > 0 { // one to which outcomes go is made on demand
		var arns []string
		for _, name := range f.knobs.Queues {
			arns = append(arns, *f.stack.FormatArn(&awscdk.ArnComponents{Service: str("sqs"), Resource: str(name)}))
		}
		allow(s.tasks, "OtherQueues", arns, "sqs:CreateQueue", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage")
	}
	allow(s.tasks, "Ledger", f.ledgerARNs(),
		"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query")
	allow(s.tasks, "SigningKey", []string{*f.data.key.SecretArn()}, "secretsmanager:GetSecretValue")
	inCluster := func(what string) []string {
		return []string{*f.stack.FormatArn(&awscdk.ArnComponents{
			Service: str("ecs"), Resource: str(what), ResourceName: str(*s.cluster.ClusterName() + "/*"),
		})}
	}
	allow(s.tasks, "ScaleInProtection", inCluster("task"), "ecs:GetTaskProtection", "ecs:UpdateTaskProtection")
	// The one service there is in the cluster: it names the role, which cannot name it.
	allow(s.tasks, "Replaced", inCluster("service"), "ecs:DescribeServices")

	bucket := *f.data.bucket.BucketArn()
	// A task lists no results, but asks for objects that may not be there: without it S3
	// answers that it may not know. S3 takes their key as the prefix; where it had none, the
	// condition must not stand in the way.
	//
	// Source: Amazon S3 API Reference, "HeadObject"; Amazon S3 User Guide, "Bucket policy
	// examples using condition keys" (s3:prefix).
	s.tasks.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: str("Results"), Actions: strs("s3:ListBucket"), Resources: strs(bucket),
		Conditions: &map[string]any{"StringLikeIfExists": map[string]any{"s3:prefix": resultsPrefix + "/*"}},
	}))
	allow(s.tasks, "ResultObjects", []string{bucket + "/" + resultsPrefix + "/*"}, "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload")
	if len(f.knobs.Read) > 0 {
		allow(s.tasks, "Read", f.bucketARNs(f.knobs.Read, ""), "s3:ListBucket", "s3:ListBucketVersions")
		allow(s.tasks, "ReadObjects", f.bucketARNs(f.knobs.Read, "/*"), "s3:GetObject")
	}
	if len(f.knobs.Write) > 0 {
		allow(s.tasks, "Write", f.bucketARNs(f.knobs.Write, ""), "s3:ListBucket")
		allow(s.tasks, "WriteObjects", f.bucketARNs(f.knobs.Write, "/*"), "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload")
	}
	f.allowKeys()
}

// allowKeys lets tasks use the keys of encrypted buckets, for what S3 does only: with a
// key they decrypt nothing themselves. To complete an upload S3 decrypts its parts.
//
// Source: AWS KMS Developer Guide, "AWS KMS condition keys" (kms:ViaService), and Amazon
// S3 User Guide, "Using server-side encryption with AWS KMS keys".
func (f *fleet) allowKeys() {
	actions := []string{"kms:Decrypt"}
	if len(f.knobs.Write) > 0 {
		actions = append(actions, "kms:GenerateDataKey")
	}
	regions := map[string][]string{}
	for _, key := range f.knobs.KMSKeys {
		region := strings.Split(key, ":")[3]
		regions[region] = append(regions[region], key)
	}
	for _, region := range sorted(regions) {
		f.service.tasks.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: str("Keys" + strings.ReplaceAll(region, "-", "")), Actions: strs(actions...), Resources: strs(regions[region]...),
			Conditions: &map[string]any{"StringEquals": map[string]any{"kms:ViaService": "s3." + region + "." + *f.stack.UrlSuffix()}},
		}))
	}
}

func (f *fleet) queueARNs() []string {
	return []string{*f.data.queue.QueueArn(), *f.data.dead.QueueArn()}
}

func (f *fleet) ledgerARNs() []string {
	return []string{*f.data.table.TableArn(), *f.data.table.TableArn() + "/index/listing"}
}

func (f *fleet) bucketARNs(names []string, below string) (arns []string) {
	for _, n := range names {
		arns = append(arns, "arn:"+*f.stack.Partition()+":s3:::"+n+below)
	}
	return arns
}
