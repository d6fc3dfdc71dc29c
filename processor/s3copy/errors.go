package s3copy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/s3client"
)

// everybody are the codes that are about no single object: whatever is copied
// will be answered so.
//
// Source: Amazon S3 API Reference, "Error responses", list of error codes.
var everybody = map[string]bool{
	"AllAccessDisabled": true, "AccountProblem": true, "NotSignedUp": true, "NoSuchBucket": true, "InvalidBucketName": true,
	"PermanentRedirect": true, "AuthorizationHeaderMalformed": true, "IllegalLocationConstraint": true,
	"InvalidAccessKeyId": true, "SignatureDoesNotMatch": true, "ExpiredToken": true, "ExpiredTokenException": true,
	"InvalidToken": true, "InvalidSecurity": true, "RequestTimeTooSkewed": true, "SlowDown": true,
	"KMS.DisabledException": true, "KMS.NotFoundException": true,
}

// failure is why an object was not copied.
type failure struct {
	Code      string `json:"code,omitempty"` // of S3, or ours
	Status    int    `json:"status,omitempty"`
	Message   string `json:"message"` // one line
	Permanent bool   `json:"permanent,omitempty"`
}

func (f *failure) Error() string { return f.Message }

// Codes of ours, for what S3 has none for.
const (
	codeDiffers = "ContentDiffers"
	codeTooBig  = "EntityTooLarge"
)

// changed is what S3 says, by its code or status, of a source that is not what it
// was: CopySourceIfMatch does not hold.
const changed = "PreconditionFailed"

// judge tells what is wrong with one object from what is wrong with all: f is nil
// then, and err is for the attempt.
func judge(what, allow string, err error) (f *failure, all error) {
	if errors.As(err, &f) {
		return f, nil
	}
	permanent, line := s3client.Explain(what, allow, err)
	code, status := codeOf(err)
	switch {
	case errors.Is(err, context.Canceled), everybody[code], code == "" && (permanent || unreachable(err)), s3client.Throttles(err):
		if permanent {
			line = processor.Permanent(line)
		}
		return nil, line
	}
	f = &failure{Code: code, Status: status, Message: line.Error(), Permanent: permanent}
	switch code {
	case changed, "412":
		f.Code, f.Permanent = changed, true
		f.Message = what + ": " + changed + ": the object has changed since it was listed; a redrive copies what it is then"
	case "InvalidRequest", "InvalidArgument", "InvalidStorageClass", codeTooBig, "KeyTooLongError", "InvalidTag", "MetadataTooLarge":
		f.Permanent = true
	}
	return f, nil
}

// unreachable reports whether nobody answers at all.
func unreachable(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" || strings.Contains(err.Error(), "get identity")
}

func codeOf(err error) (code string, status int) {
	var api smithy.APIError
	if errors.As(err, &api) && !s3client.Unread(err) {
		code = api.ErrorCode()
	}
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		status = answer.HTTPStatusCode()
	}
	if code == "UnknownError" {
		code = fmt.Sprint(status)
	}
	return code, status
}
