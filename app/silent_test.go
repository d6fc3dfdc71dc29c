package app

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
)

// Who waited for ten seconds is not told that it was S3's minute.
func TestASilentServerIsNamedAndNoTimeIsMadeUp(t *testing.T) {
	f := &fleet{cfg: aws.Config{Region: "us-east-1"}}
	err := &smithy.OperationError{ServiceID: "SQS", OperationName: "GetQueueUrl", Err: context.DeadlineExceeded}
	require.EqualError(t, f.explain("open queue nodes", fmt.Errorf("GetQueueUrl on queue nodes: %w", err)),
		"open queue nodes: no answer in time: check AWS_ENDPOINT_URL")
}
