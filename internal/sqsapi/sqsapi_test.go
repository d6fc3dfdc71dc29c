package sqsapi_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ramify/ramify/internal/sqsapi"
)

// Amazon SQS, ElasticMQ and ministack write one code in three ways.
func TestCode(t *testing.T) {
	for _, written := range []string{"QueueDoesNotExist", "com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.QueueDoesNotExist"} {
		assert.Equal(t, "QueueDoesNotExist", sqsapi.Code(written), written)
	}
	assert.True(t, sqsapi.Taken("com.amazonaws.sqs#QueueNameExists"))
	assert.False(t, sqsapi.Taken("QueueDoesNotExist"))
}

func TestGone(t *testing.T) {
	const held = "Value AQEB is invalid. Reason: Message does not exist or is not available for visibility timeout change."
	assert.True(t, sqsapi.Gone("InvalidParameterValue", held))
	assert.True(t, sqsapi.Gone("InvalidParameterValue", "The receipt handle has expired"))
	assert.False(t, sqsapi.Gone("InvalidParameterValue", "Value 43201 for parameter VisibilityTimeout is invalid"))
	assert.False(t, sqsapi.Gone("InternalError", held))
}

func TestSendable(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "a\tb\r\n": true, "é 漢 😀 \uFFFD": true,
		"a\x00": false, "\x1b[31m": false, "\xff": false, "cut \xe6\xbc": false, "\uFFFE": false, "\uFFFF": false,
	} {
		assert.Equal(t, want, sqsapi.Sendable([]byte(text)), "%q", text)
	}
}
