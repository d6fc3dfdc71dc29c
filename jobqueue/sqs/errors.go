package sqs

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"

	"github.com/ramify/ramify/internal/sqsapi"
	"github.com/ramify/ramify/jobqueue"
	"github.com/ramify/ramify/queue"
)

var (
	errDenied      = permanent("access denied")
	errCredentials = permanent("credentials are not accepted")
	errKey         = permanent("the queue's KMS key cannot be used")
	errRecent      = errors.New("a queue of this name was deleted less than 60 seconds ago")
)

// kinds tells the codes apart. Source: Amazon SQS API reference, "Common Error Types", and
// the errors of each action.
var kinds = sqsapi.Kinds{
	{Is: jobqueue.ErrNoQueue, Codes: []string{"QueueDoesNotExist", "NonExistentQueue"}},
	{Is: jobqueue.ErrLeaseLost, Codes: sqsapi.Lost},
	{
		Is: errDenied, Hint: "allow it in the policy of this role or of the queue",
		Codes: sqsapi.Denied,
	},
	{
		Is: errCredentials, Hint: "see that AWS_PROFILE, or what else gives credentials, is set and has not expired",
		Codes: sqsapi.Credentials,
	},
	{
		Is: errKey, Hint: "allow kms:GenerateDataKey and kms:Decrypt on it, and see that it is enabled",
		Codes: []string{"KmsAccessDenied", "KmsDisabled", "KmsInvalidKeyUsage", "KmsInvalidState", "KmsNotFound", "KmsOptInRequired"},
	},
	{Is: errRecent, Hint: "wait that long", Codes: []string{"QueueDeletedRecently"}},
	{Is: queue.ErrTooLarge, Codes: []string{"MessageTooLong", "BatchRequestTooLong"}},
}

// permanent is an error that no repetition mends.
type permanent string

func (p permanent) Error() string { return string(p) }

// Permanent is asked for by jobqueue.Worker.
func (permanent) Permanent() bool { return true }

// problem says in one line what is wrong with a request, of which queue, and what to do.
// What is one of ours already stays.
func problem(action, name string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, jobqueue.ErrNoQueue) {
		return err
	}
	return kinds.Problem(action, name, err)
}

// metricProblem is the same of CloudWatch.
func metricProblem(name string, err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("GetMetricStatistics of queue %s: %w", name, err)
	}
	if k, known := kinds.Of(api.ErrorCode(), api.ErrorMessage()); known && k.Is == errDenied { //nolint:errorlint // kinds are of this file
		return fmt.Errorf("cloudwatch:GetMetricStatistics of queue %s: %w (%s): allow it in the policy of this role; it cannot be narrowed to a queue", name, k.Is, sqsapi.Code(api.ErrorCode()))
	}
	return fmt.Errorf("GetMetricStatistics of queue %s: %w", name, err)
}
