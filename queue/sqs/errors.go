package sqs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/ramify/ramify/internal/sqsapi"
	"github.com/ramify/ramify/queue"
)

// What people can do something about.
var (
	ErrNoQueue     = errors.New("no such queue")
	ErrDenied      = errors.New("access denied")
	ErrCredentials = errors.New("credentials are not accepted")
	ErrKey         = errors.New("the queue's KMS key cannot be used")
)

// Permanent reports whether no repetition mends an error: the queue or its key is not
// there, or not for these credentials.
func Permanent(err error) bool {
	for _, is := range []error{ErrNoQueue, ErrDenied, ErrCredentials, ErrKey} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}

var (
	errThrottled  = errors.New("SQS asks for fewer requests")
	errOverLimit  = errors.New("the queue has as many messages in flight as SQS allows")
	errUnanswered = errors.New("SQS did not answer for this entry")
)

// kind is what several codes mean, and what to do.
type kind struct {
	is    error
	hint  string
	codes []string // without the prefixes that some servers add
}

// kinds tells the codes apart. Source: Amazon SQS API reference, "Common Error
// Types", and the errors of each action.
var kinds = []kind{
	{
		is: ErrNoQueue, hint: "make it by `ramify setup`, or see that name, region and account are right",
		codes: []string{"QueueDoesNotExist", "NonExistentQueue"},
	},
	{
		is: ErrDenied, hint: "allow it in the policy of this role or of the queue",
		codes: sqsapi.Denied,
	},
	{
		is: ErrCredentials, hint: "see that AWS_PROFILE, or what else gives credentials, is set and has not expired",
		codes: sqsapi.Credentials,
	},
	{
		is: ErrKey, hint: "allow kms:GenerateDataKey and kms:Decrypt on it, and see that it is enabled",
		codes: []string{
			"KmsAccessDenied", "KmsDisabled", "KmsInvalidKeyUsage", "KmsInvalidState", "KmsNotFound", "KmsOptInRequired",
			"KMS.AccessDeniedException", "KMS.DisabledException", "KMS.NotFoundException",
		},
	},
	{is: queue.ErrLeaseLost, codes: []string{"ReceiptHandleIsInvalid", "MessageNotInflight"}},
	{is: queue.ErrTooLarge, codes: []string{"MessageTooLong"}},
	{is: queue.ErrInvalid, codes: []string{"InvalidMessageContents"}},
	{is: errOverLimit, codes: []string{"OverLimit"}},
	{
		is: errThrottled, codes: []string{
			"RequestThrottled", "Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown",
			"KmsThrottled", "KMS.ThrottlingException",
		},
	},
}

// kindOf finds what an error means, by its code and, where that says nothing, by
// its message.
func kindOf(code, message string) (kind, bool) {
	code = sqsapi.Code(code)
	for _, k := range kinds {
		if slices.Contains(k.codes, code) {
			return k, true
		}
	}
	if sqsapi.Gone(code, message) {
		return kind{is: queue.ErrLeaseLost}, true
	}
	return kind{}, false
}

// problem says in one line what is wrong with a request, on which queue, and
// what to do.
func (q *Queue) problem(action string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s on queue %s: %w", action, q.name, err)
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("%s on queue %s: %w", action, q.name, err)
	}
	k, known := kindOf(api.ErrorCode(), api.ErrorMessage())
	switch {
	case !known:
		return fmt.Errorf("%s on queue %s: %w", action, q.name, err)
	case k.hint == "":
		return fmt.Errorf("%s on queue %s: %w (%s)", action, q.name, k.is, sqsapi.Code(api.ErrorCode()))
	}
	return fmt.Errorf("sqs:%s on queue %s: %w (%s): %s", action, q.name, k.is, sqsapi.Code(api.ErrorCode()), k.hint)
}

// tooFast reports whether an answer of SQS asks for fewer requests.
func tooFast(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	k, _ := kindOf(api.ErrorCode(), api.ErrorMessage())
	return k.is == errThrottled || k.is == errOverLimit //nolint:errorlint // kinds are of this file
}

// refusal is the error of one entry.
func (q *Queue) refusal(f types.BatchResultErrorEntry) error {
	code, message := aws.ToString(f.Code), aws.ToString(f.Message)
	if k, known := kindOf(code, message); known {
		return fmt.Errorf("%w (%s)", k.is, sqsapi.Code(code))
	}
	return fmt.Errorf("queue %s refused it: %s: %s", q.name, sqsapi.Code(code), message)
}

// exists reports whether a queue could not be made because one of its name has
// other attributes.
func exists(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && sqsapi.Taken(api.ErrorCode())
}
