package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/ramify/ramify/ledger"
)

// hopeless are the error codes that no retry mends, with the way out. {table} and
// {region} stand for those of the ledger.
//
// Source: Amazon DynamoDB Developer Guide, "Error handling with DynamoDB".
var hopeless = map[string]string{
	"ResourceNotFoundException":           "make it with `ramify setup`, or check RAMIFY_LEDGER and AWS_REGION",
	"AccessDeniedException":               "allow dynamodb:PutItem, UpdateItem, GetItem, BatchGetItem and Query on arn:aws:dynamodb:{region}:*:table/{table} and its index/* to these credentials",
	"UnrecognizedClientException":         "check AWS_ACCESS_KEY_ID or the profile, and AWS_REGION",
	"InvalidClientTokenId":                "check AWS_ACCESS_KEY_ID or the profile",
	"MissingAuthenticationTokenException": "check that there are credentials",
	"IncompleteSignatureException":        "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
	"InvalidSignatureException":           "check AWS_SECRET_ACCESS_KEY and this machine's clock",
	"ExpiredTokenException":               "renew the credentials",
	"OptInRequired":                       "sign the AWS account up for DynamoDB, or enable the region",
	"KMSAccessDeniedException":            "allow kms:Decrypt on the table's key to these credentials",
	"KMSDisabledException":                "enable the table's key in AWS KMS",
	"UnknownOperationException":           "the endpoint does not speak DynamoDB: check AWS_ENDPOINT_URL_DYNAMODB",
	"ItemCollectionSizeLimitExceeded":     "the table has a local index: make one with `ramify setup`",
}

// refusal is the item that did not meet a condition, nil where there is none,
// and whether that is what err says.
func refusal(err error) (item, bool) {
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return failed.Item, true
	}
	return nil, false
}

// refused is whether that is what err says.
func refused(err error) bool {
	_, ok := refusal(err)
	return ok
}

// throttled reports whether DynamoDB asks for fewer requests: by its own codes
// (ThrottlingException, ProvisionedThroughputExceededException,
// RequestLimitExceeded) and those that the SDK knows.
func throttled(err error) bool {
	return retry.ThrottleErrorCode{Codes: retry.DefaultThrottleErrorCodes}.IsErrorThrottle(err) == aws.TrueTernary
}

// Permanent reports whether no retry mends an error: the table is not there, or
// not for these credentials.
func Permanent(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && hopeless[api.ErrorCode()] != ""
}

// lineError is an error in one line of its own words.
type lineError struct {
	line  string
	cause error
}

func (e *lineError) Error() string { return e.line }
func (e *lineError) Unwrap() error { return e.cause }

// explain makes one line of an error: what was done, to which table, what
// DynamoDB said and the way out where one is known.
func (l *Ledger) explain(doing string, err error) error {
	return explain(doing, l.table, l.region, err)
}

func explain(doing, table, region string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, ledger.ErrClosed), errors.Is(err, ledger.ErrExists), errors.Is(err, ledger.ErrNoRun):
		return fmt.Errorf("%s: %w", doing, err)
	}
	where := fmt.Sprintf("%s in DynamoDB table %s", doing, table)
	if region != "" {
		where += " of " + region
	}
	tried := ""
	var gaveUp *retry.MaxAttemptsError
	if errors.As(err, &gaveUp) {
		tried = fmt.Sprintf(" (%d attempts)", gaveUp.Attempt)
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		said := api.ErrorCode()
		if m := strings.TrimSuffix(strings.Join(strings.Fields(api.ErrorMessage()), " "), "."); m != "" {
			said += ": " + m
		}
		if hint := hopeless[api.ErrorCode()]; hint != "" {
			said += "; " + strings.NewReplacer("{table}", table, "{region}", region).Replace(hint)
		}
		return &lineError{where + ": " + said + tried, err}
	}
	var missing *aws.MissingRegionError
	if errors.As(err, &missing) || region == "" && strings.Contains(err.Error(), "Invalid Configuration: Missing Region") {
		return &lineError{where + ": no region; set AWS_REGION", err}
	}
	return fmt.Errorf("%s: %w", where, err)
}
