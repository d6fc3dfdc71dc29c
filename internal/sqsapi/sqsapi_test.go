package sqsapi_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/sqsapi"
)

// Amazon SQS, ElasticMQ and ministack write one code in three ways.
func TestCode(t *testing.T) {
	for _, written := range []string{"QueueDoesNotExist", "com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.QueueDoesNotExist"} {
		assert.Equal(t, "QueueDoesNotExist", sqsapi.Code(written), written)
	}
}

func refused(code string) error {
	return fmt.Errorf("operation error: %w", &smithy.GenericAPIError{Code: code, Message: "a message"})
}

func TestTaken(t *testing.T) {
	assert.True(t, sqsapi.Taken(refused("com.amazonaws.sqs#QueueNameExists")))
	assert.False(t, sqsapi.Taken(refused("QueueDoesNotExist")))
	assert.False(t, sqsapi.Taken(errors.New("QueueNameExists")))
}

var (
	errLost   = errors.New("lost")
	errDenied = errors.New("denied")

	kinds = sqsapi.Kinds{{Is: errLost, Codes: sqsapi.Lost}, {Is: errDenied, Hint: "ask for it", Codes: sqsapi.Denied}}
)

func TestLost(t *testing.T) {
	const held = "Value AQEB is invalid. Reason: Message does not exist or is not available for visibility timeout change."
	for _, c := range []struct {
		code, message string
		want          error
	}{
		{"AWS.SimpleQueueService.MessageNotInflight", "", errLost},
		{"ReceiptHandleIsInvalid", "", errLost},
		{"InvalidParameterValue", held, errLost},
		{"InvalidParameterValue", "The receipt handle has expired", errLost},
		{"InvalidParameterValue", "Value 43201 for parameter VisibilityTimeout is invalid", nil},
		{"InternalError", held, nil},
	} {
		k, known := kinds.Of(c.code, c.message)
		assert.Equal(t, c.want != nil, known, c.code)
		assert.Equal(t, c.want, k.Is, c.code)
	}
}

func TestProblem(t *testing.T) {
	for _, c := range []struct {
		err  error
		says string
	}{
		{refused("AccessDenied"), "sqs:SendMessage on queue nodes: denied (AccessDenied): ask for it"},
		{refused("com.amazonaws.sqs#MessageNotInflight"), "SendMessage on queue nodes: lost (MessageNotInflight)"},
		{refused("InternalError"), "SendMessage on queue nodes: operation error: api error InternalError: a message"},
		{context.Canceled, "SendMessage on queue nodes: context canceled"},
	} {
		require.EqualError(t, kinds.Problem("SendMessage", "nodes", c.err), c.says)
	}
	require.ErrorIs(t, kinds.Problem("SendMessage", "nodes", refused("AccessDenied")), errDenied)
	require.ErrorIs(t, kinds.Problem("SendMessage", "nodes", context.Canceled), context.Canceled)
}

func TestMessage(t *testing.T) {
	text := "v1"
	m := &types.Message{MessageAttributes: map[string]types.MessageAttributeValue{"run": {StringValue: &text}, "blob": {BinaryValue: []byte{1}}}}
	assert.Equal(t, map[string]string{"run": "v1"}, sqsapi.Texts(m))
	assert.Nil(t, sqsapi.Texts(&types.Message{}))
	assert.Equal(t, 1, sqsapi.Receives(m), "SQS does not say")
	m.Attributes = map[string]string{"ApproximateReceiveCount": "3"}
	assert.Equal(t, 3, sqsapi.Receives(m))
}

func TestSendable(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "a\tb\r\n": true, "é 漢 😀 \uFFFD": true,
		"a\x00": false, "\x1b[31m": false, "\xff": false, "cut \xe6\xbc": false, "\uFFFE": false, "\uFFFF": false,
	} {
		assert.Equal(t, want, sqsapi.Sendable([]byte(text)), "%q", text)
	}
}
