package sqsapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
)

// Kind is what several codes mean, and what people can do.
type Kind struct {
	Is    error
	Hint  string   // "": nothing can be done
	Codes []string // as Code gives them
}

// Kinds tells errors apart.
type Kinds []Kind

// gone stands for a receipt whose message is gone or held no longer.
const gone = "ReceiptHandleIsInvalid"

// Lost are the codes of a receipt whose message is gone or held no longer.
var Lost = []string{gone, "MessageNotInflight"}

// Of finds what an error means. SQS gives one code to many mistakes: that a message is
// gone, or was held for twelve hours, is told apart by the error's message.
func (ks Kinds) Of(code, message string) (Kind, bool) {
	code = Code(code)
	if code == "InvalidParameterValue" && (strings.Contains(message, "does not exist or is not available for visibility timeout change") ||
		strings.Contains(message, "receipt handle has expired")) {
		code = gone
	}
	for _, k := range ks {
		if slices.Contains(k.Codes, code) {
			return k, true
		}
	}
	return Kind{}, false
}

// Problem says in one line what is wrong with a request, on which queue, and what to do.
func (ks Kinds) Problem(action, queue string, err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("%s on queue %s: %w", action, queue, err)
	}
	k, known := ks.Of(api.ErrorCode(), api.ErrorMessage())
	switch {
	case !known:
		return fmt.Errorf("%s on queue %s: %w", action, queue, err)
	case k.Hint == "":
		return fmt.Errorf("%s on queue %s: %w (%s)", action, queue, k.Is, Code(api.ErrorCode()))
	}
	return fmt.Errorf("sqs:%s on queue %s: %w (%s): %s", action, queue, k.Is, Code(api.ErrorCode()), k.Hint)
}

// Taken reports whether a queue could not be made because one of its name has other
// attributes.
func Taken(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains([]string{"QueueNameExists", "QueueAlreadyExists"}, Code(api.ErrorCode()))
}
