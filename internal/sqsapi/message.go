package sqsapi

import (
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Texts are a message's attributes that are text, nil if there are none; others are not
// ours.
func Texts(m *types.Message) map[string]string {
	var texts map[string]string
	for name, a := range m.MessageAttributes {
		if a.StringValue == nil {
			continue
		}
		if texts == nil {
			texts = make(map[string]string, len(m.MessageAttributes))
		}
		texts[name] = *a.StringValue
	}
	return texts
}

// Receives is how often a message was received, this time included; 1 where SQS does not
// say.
func Receives(m *types.Message) int {
	n, _ := strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
	return max(n, 1)
}
