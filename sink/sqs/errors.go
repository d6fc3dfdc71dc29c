package sqs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/ramify/ramify/internal/sqsapi"
	"github.com/ramify/ramify/sink"
)

var errUnanswered = errors.New("SQS did not answer for this message")

// What people must do, by what is wrong.
const (
	makeQueue   = "make the queue, or see that URL, region and account are right"
	allow       = "allow sqs:SendMessage and sqs:GetQueueAttributes in the policy of this role or of the queue"
	credentials = "see that AWS_PROFILE, or what else gives credentials, is set and has not expired"
	allowKey    = "allow kms:GenerateDataKey and kms:Decrypt on the queue's KMS key, and see that it is enabled"
	tooLong     = "send smaller messages, or raise the queue's MaximumMessageSize"
	badText     = "write another format: ndjson and csv are always text"
)

// hopeless are the codes that no retry mends, without the prefixes that some
// servers add. Source: Amazon SQS API reference, "Common Error Types", and the
// errors of SendMessageBatch and GetQueueAttributes.
var hopeless = map[string]string{
	"QueueDoesNotExist":           makeQueue,
	"NonExistentQueue":            makeQueue,
	"InvalidAddress":              makeQueue,
	"UnsupportedOperation":        makeQueue,
	"AccessDenied":                allow,
	"AccessDeniedException":       allow,
	"NotAuthorized":               allow,
	"InvalidSecurity":             allow,
	"ExpiredToken":                credentials,
	"ExpiredTokenException":       credentials,
	"IncompleteSignature":         credentials,
	"InvalidClientTokenId":        credentials,
	"InvalidAccessKeyId":          credentials,
	"MissingAuthenticationToken":  credentials,
	"OptInRequired":               credentials,
	"SignatureDoesNotMatch":       credentials,
	"UnrecognizedClientException": credentials,
	"KmsAccessDenied":             allowKey,
	"KmsDisabled":                 allowKey,
	"KmsInvalidKeyUsage":          allowKey,
	"KmsInvalidState":             allowKey,
	"KmsNotFound":                 allowKey,
	"KmsOptInRequired":            allowKey,
	"KMS.AccessDeniedException":   allowKey,
	"KMS.DisabledException":       allowKey,
	"KMS.NotFoundException":       allowKey,
	"BatchRequestTooLong":         tooLong,
	"MessageTooLong":              tooLong,
	"InvalidMessageContents":      badText,
}

// problem says in one line what is wrong with a request, and the way out. What no
// retry mends wraps sink.ErrFull.
func (s *Sink) problem(action string, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) && !errors.Is(err, context.Canceled) {
		return s.told("sqs:"+action, api.ErrorCode(), api.ErrorMessage(), err)
	}
	return fmt.Errorf("%s on queue %s: %w", action, s.name, err)
}

// refusal is the error of one message.
func (s *Sink) refusal(f types.BatchResultErrorEntry) error {
	return s.told("send a message", aws.ToString(f.Code), aws.ToString(f.Message), nil)
}

func (s *Sink) told(doing, code, message string, cause error) error {
	line := &lineError{fmt.Sprintf("%s to queue %s: %s: %s", doing, s.name, sqsapi.Code(code), strings.TrimSuffix(message, ".")), cause}
	if way, ok := hopeless[sqsapi.Code(code)]; ok {
		line.line += "; " + way
		return fmt.Errorf("%w: %w", sink.ErrFull, line)
	}
	return line
}

// lineError is one line for people around the SDK's many.
type lineError struct {
	line  string
	cause error
}

func (e *lineError) Error() string { return e.line }
func (e *lineError) Unwrap() error { return e.cause }
