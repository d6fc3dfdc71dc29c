package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"github.com/ramify/ramify/infra/knob"
)

// excuse says why rules of cdk-nag and checkov do not hold: each for one resource,
// with its reason, which stands in the template, too.
func (f *fleet) excuse() {
	const (
		forced  = "AWS has no resource to name for this action, or names it only when it is there."
		objects = "Objects are named when they are written: the bucket, and where it is ours the prefix, is what can be named."
		owned   = "Encrypted by a key that AWS owns. A key of one's own costs a request for each message and item, and keeps nobody out whom the policies let in."
		measure = "Costs a metric for each task and minute. What scaling and dashboard need the fleet's own function measures."
		logging = "Encrypted by a key that AWS owns. Logs have no content of objects and no secrets."
	)
	f.nag(f.service.starts, "AwsSolutions-IAM5", forced)
	f.nag(f.service.tasks, "AwsSolutions-IAM5", objects+" A task may protect only itself, whose id is not known before; the service is made after its role.")
	f.nag(f.metric.role, "AwsSolutions-IAM5", forced+" The condition holds it to the namespace "+Namespace+".")
	f.nag(f.data.bucket, "AwsSolutions-S1", "Access logs would be more than the results. Who wants them has CloudTrail's data events.")
	f.nag(f.service.cluster, "AwsSolutions-ECS4", measure)
	f.nag(f.service.task, "AwsSolutions-ECS2", "The variables say where things are. The signing key is read from its secret by the task itself, and read again while it works.")
	f.nag(f.data.key, "AwsSolutions-SMG4", "Messages of before a rotation must verify after it: rotation is by hand, in two steps (docs/operations.md).")
	if !f.knobs.Recovery {
		f.nag(f.data.table, "AwsSolutions-DDB3", "The knob recovery turns it on. A ledger is worth as much as its runs, which can be run again.")
	}
	if f.knobs.VPC == "" {
		f.nag(f.network.vpc, "AwsSolutions-VPC7", "Nothing may connect to a task, and what tasks ask AWS CloudTrail knows.")
	}
	f.checkov(f.data.table, "CKV_AWS_119", owned)
	f.checkov(f.data.table, "CKV_AWS_28", "The knob recovery turns it on: a ledger is worth as much as its runs, which can be run again.")
	f.checkov(f.data.queue, "CKV_AWS_27", owned)
	f.checkov(f.data.dead, "CKV_AWS_27", owned)
	f.checkov(f.data.key, "CKV_AWS_149", owned)
	f.checkov(f.data.bucket, "CKV_AWS_18", "Access logs would be more than the results. Who wants them has CloudTrail's data events.")
	f.checkov(f.service.cluster, "CKV_AWS_65", measure)
	for _, group := range f.logs {
		f.checkov(group, "CKV_AWS_158", logging)
	}
	f.checkov(f.metric.function, "CKV_AWS_115", "Small accounts have no concurrency to reserve. Looks that overlap do no harm.")
	f.checkov(f.metric.function, "CKV_AWS_116", "A look that failed is not worth keeping: the next minute looks again, and an alarm tells of five.")
	f.checkov(f.metric.function, "CKV_AWS_117", "It asks AWS's own services, which a network of its own would need endpoints for, at a price each hour.")
	f.checkov(f.metric.function, "CKV_AWS_173", "Its variables say where things are, and hold no secret.")
	dependent(f.metric.function.Node().DefaultChild().(awscdk.CfnResource))
	f.excuseEmptier()
}

// dependent is a resource of which the CDK says twice that it needs its role, which
// cfn-lint would have said once (W3005).
func dependent(r awscdk.CfnResource) {
	r.AddMetadata(str("cfn-lint"), map[string]any{"config": map[string]any{"ignore_checks": []string{"W3005"}}})
}

// excuseEmptier is about what the CDK adds to empty the bucket when the stack goes.
func (f *fleet) excuseEmptier() {
	if f.retained(knob.Bucket) {
		return
	}
	const why = "The CDK's own, to empty the bucket when the stack is deleted: it runs then and never else."
	provider := f.emptier()
	f.nag(provider, "AwsSolutions-L1", why)
	handler := provider.Node().FindChild(str("Handler"))
	for _, rule := range []string{"CKV_AWS_115", "CKV_AWS_116", "CKV_AWS_117"} {
		f.checkov(handler, rule, why)
	}
	dependent(handler.(awscdk.CfnResource))
}

func (f *fleet) nag(c constructs.IConstruct, rule, why string) {
	cdknag.NagSuppressions_AddResourceSuppressions(c, &[]*cdknag.NagPackSuppression{{Id: str(rule), Reason: str(why)}}, yes(true))
}

// checkov leaves the reason where checkov looks for it.
//
// Source: checkov's documentation, "Suppressing and Skipping Policies" (CloudFormation metadata).
func (f *fleet) checkov(c constructs.IConstruct, rule, why string) {
	r, is := c.(awscdk.CfnResource)
	if !is {
		r = c.Node().DefaultChild().(awscdk.CfnResource)
	}
	skip := map[string]any{"id": rule, "comment": why}
	path := *r.Node().Path()
	f.excused[path] = append(f.excused[path], skip)
	r.AddMetadata(str("checkov"), map[string]any{"skip": f.excused[path]})
}
