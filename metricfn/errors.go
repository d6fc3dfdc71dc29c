package metricfn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/ramify/ramify/internal/sqsapi"
)

// Errors of AWS that callers tell apart.
var (
	ErrDenied    = errors.New("access denied")
	ErrNotThere  = errors.New("it is not there")
	ErrThrottled = errors.New("AWS asks for fewer requests")
)

// kinds tells the codes apart, without what some servers put before them. Source: the
// "Common Error Types" of the Amazon SQS, Amazon ECS and Amazon CloudWatch API
// references, and the errors of each action.
var kinds = []struct {
	is    error
	hint  string // the way out; {action} is what was asked for
	codes []string
}{
	{ErrDenied, "allow {action} to these credentials", []string{
		"AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation", "InvalidSecurity",
	}},
	{ErrNotThere, "see that name, region and account are right", []string{
		"QueueDoesNotExist", "NonExistentQueue", "ClusterNotFoundException", "ServiceNotFoundException", "ServiceNotActiveException", "ResourceNotFoundException",
	}},
	{ErrThrottled, "", []string{
		"RequestThrottled", "Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded",
	}},
}

// explain makes one line of an error: what was asked for (service:Action), of what,
// what AWS said and the way out where one is known.
func explain(action, of string, err error) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	var missing *aws.MissingRegionError
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s of %s: %w", action, of, err)
	case errors.As(err, &api):
		code := sqsapi.Code(api.ErrorCode())
		for _, k := range kinds {
			if !slices.Contains(k.codes, code) {
				continue
			}
			if k.hint == "" {
				return fmt.Errorf("%s of %s: %w (%s)", action, of, k.is, code)
			}
			return fmt.Errorf("%s of %s: %w (%s): %s", action, of, k.is, code, strings.ReplaceAll(k.hint, "{action}", action))
		}
		said := strings.TrimSuffix(strings.Join(strings.Fields(api.ErrorMessage()), " "), ".")
		return fmt.Errorf("%s of %s: %s: %s", action, of, code, said)
	case errors.As(err, &missing):
		return fmt.Errorf("%s of %s: no region: set AWS_REGION", action, of)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s of %s: no answer in %v: %w", action, of, patience, context.DeadlineExceeded)
	}
	return fmt.Errorf("%s of %s: %w", action, of, err)
}
