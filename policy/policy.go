// Package policy is what AWS must allow whoever works with queues and runs: policies
// of IAM, by the part that somebody plays, as small as they can be. An integration
// test holds them against what the commands ask for: nothing is missing, and nothing
// is allowed that nobody asks for.
package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Document is a policy as IAM has it.
//
// Source: IAM User Guide, "IAM JSON policy elements reference".
type Document struct {
	Version   string
	Statement []Statement
}

// Statement allows some actions on some resources.
type Statement struct {
	Sid      string
	Effect   string // Allow
	Action   []string
	Resource []string
}

// roles are the parts that somebody may play, in the order of the documentation.
var roles = []string{"enqueue", "worker", "idle-queues", "seed", "serve", "cron", "task"}

// Where is where queues and the ledger are.
type Where struct {
	Region, Account string   // "*" is any
	Queues          []string // names, and beginnings of names with a * behind; failed queues, too
	Failed          []string // of these the failed queues
	Queue, Dead     string   // a fleet's: its name, and that of its dead-letter queue
	Jobs            []string // names of queues on which jobs of a fleet wait, beside Queue
	Results         []string // names of queues to which outcomes of jobs go
	Table           string   // a fleet's: its ledger
	Secrets         []string // ARNs of signing keys in AWS Secrets Manager
}

// Options narrow what a role may do.
type Options struct {
	Existing bool // enqueue: makes no queues
	Delete   bool // idle-queues: deletes queues
}

// Of is the policy of a role.
func Of(role string, w Where, o Options) (Document, error) {
	var all []Statement
	allow := func(sid string, resources []string, actions ...string) {
		all = append(all, Statement{Sid: sid, Effect: "Allow", Action: actions, Resource: resources})
	}
	// Neither of these knows resources. Source: Service Authorization Reference, "Actions,
	// resources, and condition keys for Amazon SQS" and "for Amazon CloudWatch".
	anything := []string{"*"}
	queues, fleet, table := w.queues(w.Queues), w.queues(slices.Concat([]string{w.Queue}, w.Jobs)), []string{w.arn("dynamodb", "table/"+w.Table)}
	switch role {
	case "enqueue":
		allow("Send", queues, "sqs:GetQueueUrl", "sqs:SendMessage")
		if !o.Existing {
			allow("Make", queues, "sqs:CreateQueue", "sqs:GetQueueAttributes")
		}
	case "worker":
		allow("Work", queues, "sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes")
		allow("Find", anything, "sqs:ListQueues")
		allow("Refuse", w.queues(w.Failed), "sqs:SendMessage") // what cannot be executed, with the reason
		if len(w.Results) > 0 {
			allow("Tell", w.queues(w.Results), "sqs:GetQueueUrl", "sqs:SendMessage", "sqs:CreateQueue")
		}
	case "idle-queues":
		allow("Look", queues, "sqs:GetQueueUrl", "sqs:GetQueueAttributes")
		allow("Find", anything, "sqs:ListQueues", "cloudwatch:GetMetricStatistics")
		if o.Delete {
			allow("Delete", queues, "sqs:DeleteQueue")
		}
	case "seed":
		allow("Post", fleet, "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:SendMessage")
		allow("Ledger", table, "dynamodb:BatchGetItem", "dynamodb:PutItem")
	case "serve":
		allow("Post", fleet, "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:SendMessage")
		allow("Ledger", table, "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem")
	case "cron":
		allow("Post", fleet, "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:SendMessage")
		allow("Ledger", table, "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
	case "task":
		allow("Work", w.queues([]string{w.Queue, w.Dead}), "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility")
		if len(w.Jobs) > 0 {
			allow("Post", w.queues(w.Jobs), "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:SendMessage")
		}
		if len(w.Results) > 0 {
			allow("Tell", w.queues(w.Results), "sqs:GetQueueUrl", "sqs:CreateQueue", "sqs:SendMessage")
		}
		allow("Ledger", append(table, table[0]+"/index/*"), "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query")
	default:
		return Document{}, fmt.Errorf("role is %q, want one of %s", role, strings.Join(roles, ", "))
	}
	if len(w.Secrets) > 0 && role != "idle-queues" {
		allow("SigningKey", w.Secrets, "secretsmanager:GetSecretValue")
	}
	return Document{Version: "2012-10-17", Statement: all}, nil
}

// Fleet reports whether a role works on a fleet, and not on named queues.
func Fleet(role string) bool { return slices.Contains([]string{"seed", "serve", "cron", "task"}, role) }

func (w Where) queues(names []string) (arns []string) {
	for _, n := range names {
		arns = append(arns, w.arn("sqs", n))
	}
	return arns
}

func (w Where) arn(service, resource string) string {
	return strings.Join([]string{"arn", partition(w.Region), service, w.Region, w.Account, resource}, ":")
}

// partition is that of a region. Source: AWS General Reference, "Amazon Resource
// Names (ARNs)".
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
