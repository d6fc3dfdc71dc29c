package sqs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/smithy-go"

	"github.com/ramify/ramify/internal/sqsapi"
	"github.com/ramify/ramify/jobqueue"
	"github.com/ramify/ramify/queue"
)

// kind is what several codes mean, and what to do. Source: Amazon SQS API reference,
// "Common Error Types", and the errors of each action.
type kind struct {
	is    error
	hint  string
	codes []string // without the prefixes that some servers add
}

var (
	errDenied      = permanent("access denied")
	errCredentials = permanent("credentials are not accepted")
	errKey         = permanent("the queue's KMS key cannot be used")
	errRecent      = errors.New("a queue of this name was deleted less than 60 seconds ago")
)

var kinds = []kind{
	{is: jobqueue.ErrNoQueue, codes: []string{"QueueDoesNotExist", "NonExistentQueue"}},
	{is: jobqueue.ErrLeaseLost, codes: []string{"ReceiptHandleIsInvalid", "MessageNotInflight"}},
	{
		is: errDenied, hint: "allow it in the policy of this role or of the queue",
		codes: sqsapi.Denied,
	},
	{
		is: errCredentials, hint: "see that AWS_PROFILE, or what else gives credentials, is set and has not expired",
		codes: sqsapi.Credentials,
	},
	{
		is: errKey, hint: "allow kms:GenerateDataKey and kms:Decrypt on it, and see that it is enabled",
		codes: []string{"KmsAccessDenied", "KmsDisabled", "KmsInvalidKeyUsage", "KmsInvalidState", "KmsNotFound", "KmsOptInRequired"},
	},
	{is: errRecent, hint: "wait that long", codes: []string{"QueueDeletedRecently"}},
	{is: queue.ErrTooLarge, codes: []string{"MessageTooLong", "BatchRequestTooLong"}},
}

// permanent is an error that no repetition mends.
type permanent string

func (p permanent) Error() string { return string(p) }

// Permanent is asked for by jobqueue.Worker.
func (permanent) Permanent() bool { return true }

func kindOf(code, message string) (kind, bool) {
	code = sqsapi.Code(code)
	for _, k := range kinds {
		if slices.Contains(k.codes, code) {
			return k, true
		}
	}
	if sqsapi.Gone(code, message) {
		return kind{is: jobqueue.ErrLeaseLost}, true
	}
	return kind{}, false
}

// problem says in one line what is wrong with a request, of which queue, and what to do.
// What is one of ours already stays.
func problem(action, name string, err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, jobqueue.ErrNoQueue) {
			return err
		}
		return fmt.Errorf("%s on queue %s: %w", action, name, err)
	}
	k, known := kindOf(api.ErrorCode(), api.ErrorMessage())
	switch {
	case !known:
		return fmt.Errorf("%s on queue %s: %w", action, name, err)
	case k.hint == "":
		return fmt.Errorf("%s on queue %s: %w (%s)", action, name, k.is, sqsapi.Code(api.ErrorCode()))
	}
	return fmt.Errorf("sqs:%s on queue %s: %w (%s): %s", action, name, k.is, sqsapi.Code(api.ErrorCode()), k.hint)
}

// metricProblem is the same of CloudWatch.
func metricProblem(name string, err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("GetMetricStatistics of queue %s: %w", name, err)
	}
	if k, known := kindOf(api.ErrorCode(), api.ErrorMessage()); known && k.is == errDenied { //nolint:errorlint // kinds are of this file
		return fmt.Errorf("cloudwatch:GetMetricStatistics of queue %s: %w (%s): allow it in the policy of this role; it cannot be narrowed to a queue", name, k.is, sqsapi.Code(api.ErrorCode()))
	}
	return fmt.Errorf("GetMetricStatistics of queue %s: %w", name, err)
}

// exists reports whether a queue could not be made because one of its name has other
// attributes.
func exists(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && sqsapi.Taken(api.ErrorCode())
}
