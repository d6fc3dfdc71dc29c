package s3

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/sink"
)

// ErrUnconditional is returned by Open for a store on which two attempts on a leaf
// would overwrite each other.
var ErrUnconditional = errors.New("does not honour If-None-Match, which decides which attempt counts: use Amazon S3 or a store that does")

var (
	errMissing = fmt.Errorf("the object is not there: %w", fs.ErrNotExist)
	errStopped = errors.New("the reader stopped")
)

// Codes that decide what to do. Source: Amazon S3 API Reference, "Error
// responses", and User Guide, "How to prevent object overwrites with conditional
// writes".
const (
	codePrecondition = "PreconditionFailed"
	codeNotSupported = "NotImplemented"
	codeNoUpload     = "NoSuchUpload"
	codeNoBucket     = "NoSuchBucket"
)

// repeated are codes of a moment that the SDK does not know to be: two conditional
// writes met, and neither is known to have won.
var repeated = []string{"ConditionalRequestConflict", "OperationAborted"}

// full are codes of stores of one's own on whose medium nothing more goes.
var full = []string{"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage", "XMinioAdminBucketQuotaExceeded"}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func statusOf(err error) int {
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		return answer.HTTPStatusCode()
	}
	return 0
}

// refused reports whether a condition was not met. HEAD has no body to name a code.
func refused(err error) bool {
	return codeOf(err) == codePrecondition || statusOf(err) == http.StatusPreconditionFailed
}

// missing reports whether there is no such object, in a bucket that there is.
func missing(err error) bool {
	return statusOf(err) == http.StatusNotFound && codeOf(err) != codeNoBucket && codeOf(err) != codeNoUpload
}

// problem says in one line what is wrong: what was done with which object, what
// the store said and the way out. What no retry mends wraps sink.ErrFull.
func (s *Sink) problem(doing, action, key string, err error) error {
	permanent, line := s3client.Explain(doing+" "+s.url(key),
		"s3:"+action+" on arn:aws:s3:::"+s.bucket+"/"+s3client.Readable(key)+" (and of KMS kms:GenerateDataKey and kms:Decrypt, where the bucket has a key)", err)
	if permanent || slices.Contains(full, codeOf(err)) || statusOf(err) == http.StatusInsufficientStorage {
		return fmt.Errorf("%w: %w", sink.ErrFull, line)
	}
	return line
}
