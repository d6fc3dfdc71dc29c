package sqs

import (
	"errors"
	"fmt"

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

// kinds tells the codes apart. Source: Amazon SQS API reference, "Common Error
// Types", and the errors of each action.
var kinds = sqsapi.Kinds{
	{
		Is: ErrNoQueue, Hint: "make it by `ramify setup`, or see that name, region and account are right",
		Codes: []string{"QueueDoesNotExist", "NonExistentQueue"},
	},
	{
		Is: ErrDenied, Hint: "allow it in the policy of this role or of the queue",
		Codes: sqsapi.Denied,
	},
	{
		Is: ErrCredentials, Hint: "see that AWS_PROFILE, or what else gives credentials, is set and has not expired",
		Codes: sqsapi.Credentials,
	},
	{
		Is: ErrKey, Hint: "allow kms:GenerateDataKey and kms:Decrypt on it, and see that it is enabled",
		Codes: []string{
			"KmsAccessDenied", "KmsDisabled", "KmsInvalidKeyUsage", "KmsInvalidState", "KmsNotFound", "KmsOptInRequired",
			"KMS.AccessDeniedException", "KMS.DisabledException", "KMS.NotFoundException",
		},
	},
	{Is: queue.ErrLeaseLost, Codes: sqsapi.Lost},
	{Is: queue.ErrTooLarge, Codes: []string{"MessageTooLong"}},
	{Is: queue.ErrInvalid, Codes: []string{"InvalidMessageContents"}},
	{Is: errOverLimit, Codes: []string{"OverLimit"}},
	{
		Is: errThrottled, Codes: []string{
			"RequestThrottled", "Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown",
			"KmsThrottled", "KMS.ThrottlingException",
		},
	},
}

// problem says in one line what is wrong with a request, on which queue, and
// what to do.
func (q *Queue) problem(action string, err error) error { return kinds.Problem(action, q.name, err) }

// tooFast reports whether an answer of SQS asks for fewer requests.
func tooFast(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	k, _ := kinds.Of(api.ErrorCode(), api.ErrorMessage())
	return k.Is == errThrottled || k.Is == errOverLimit //nolint:errorlint // kinds are of this file
}

// refusal is the error of one entry.
func (q *Queue) refusal(f types.BatchResultErrorEntry) error {
	code, message := aws.ToString(f.Code), aws.ToString(f.Message)
	if k, known := kinds.Of(code, message); known {
		return fmt.Errorf("%w (%s)", k.Is, sqsapi.Code(code))
	}
	return fmt.Errorf("queue %s refused it: %s: %s", q.name, sqsapi.Code(code), message)
}
