package s3client

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Hopeless are the error codes that no retry mends, with the way out. %s is what
// is to be allowed.
//
// Source: Amazon S3 API Reference, "Error responses", list of error codes.
var Hopeless = map[string]string{
	"AccessDenied":                 "allow %s to these credentials",
	"Forbidden":                    "allow %s to these credentials",
	"AllAccessDisabled":            "the bucket is disabled: ask AWS Support",
	"AccountProblem":               "the AWS account has a problem: ask AWS Support",
	"NotSignedUp":                  "sign the AWS account up for S3",
	"NoSuchBucket":                 "check the bucket's name, and AWS_ENDPOINT_URL if it is not on AWS",
	"NoSuchKey":                    "check the key",
	"NotFound":                     "there is nothing like S3 at the endpoint: check AWS_ENDPOINT_URL",
	"InvalidBucketName":            "check the bucket's name",
	"InvalidObjectState":           "it is archived: restore it first",
	"PermanentRedirect":            "set AWS_REGION to the bucket's region",
	"AuthorizationHeaderMalformed": "set AWS_REGION to the bucket's region",
	"IllegalLocationConstraint":    "set AWS_REGION to the bucket's region",
	"InvalidAccessKeyId":           "check AWS_ACCESS_KEY_ID or the profile",
	"SignatureDoesNotMatch":        "check AWS_SECRET_ACCESS_KEY",
	"ExpiredToken":                 "renew the credentials",
	"ExpiredTokenException":        "renew the credentials",
	"InvalidToken":                 "check AWS_SESSION_TOKEN, or unset it",
	"InvalidSecurity":              "check the credentials",
	"RequestTimeTooSkewed":         "set this machine's clock",
	"MethodNotAllowed":             "the endpoint does not allow this: check AWS_ENDPOINT_URL",
	"NotImplemented":               "the endpoint does not support this kind of request",
	"KMS.DisabledException":        "enable the key that it is encrypted with",
	"KMS.NotFoundException":        "the key that it is encrypted with is gone",
	"KMS.KMSInvalidStateException": "the key that it is encrypted with cannot be used in its state",
}

// Explain makes one line of an error: what was asked, what S3 said, and the way
// out where one is known. It is permanent if no retry will mend it. Allow says
// which action on which resource S3 must allow.
func Explain(what, allow string, err error) (permanent bool, line error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return false, err
	}
	tried := ""
	var gaveUp *retry.MaxAttemptsError
	if errors.As(err, &gaveUp) {
		tried = fmt.Sprintf(" (%d attempts)", gaveUp.Attempt)
	}

	var api smithy.APIError
	if errors.As(err, &api) && !Unread(err) {
		code := api.ErrorCode()
		said := code
		if m := api.ErrorMessage(); m != "" && m != code {
			said += ": " + strings.TrimSuffix(Shorten(Readable(m), 200), ".")
		}
		if status := statusOf(err); status != 0 && code == "UnknownError" {
			said = fmt.Sprintf("HTTP %d", status)
		}
		if hint, ok := Hopeless[code]; ok {
			hint = strings.Replace(hint, "%s", allow, 1)
			if region := regionOf(err); region != "" && strings.HasPrefix(hint, "set AWS_REGION") {
				hint = "set AWS_REGION=" + region + ", where the bucket is"
			}
			return true, &lineError{fmt.Sprintf("%s: %s; %s", what, said, hint), err}
		}
		if status := statusOf(err); status/100 == 3 { // that of a new bucket's name ends by itself
			said += "; the endpoint sends on to another, again and again: check AWS_ENDPOINT_URL"
		}
		return false, &lineError{what + ": " + said + tried, err}
	}

	why, permanent := outside(err)
	return permanent, &lineError{what + ": " + why + tried, err}
}

// outside explains errors that S3 did not answer.
func outside(err error) (why string, permanent bool) {
	const noCredentials = "no usable AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
	var (
		credentials *credentialsError
		dns         *net.DNSError
		op          *net.OpError
		bad         *AnswerError
		cut         *cutError
		certificate *tls.CertificateVerificationError
	)
	switch text := err.Error(); {
	case errors.As(err, &credentials):
		return noCredentials + " (" + innermost(err) + ")", true
	case strings.Contains(text, "get identity"), strings.Contains(text, "failed to sign request"):
		return noCredentials + " (" + innermost(err) + ")", false // what renews them may be back soon
	case strings.Contains(text, "resolve endpoint"), strings.Contains(text, "ResolveEndpointV2"):
		return "no endpoint: check AWS_REGION, AWS_ENDPOINT_URL and the bucket's name (" + innermost(err) + ")", true
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host as " + dns.Name + ": check AWS_ENDPOINT_URL and AWS_REGION", false
	case errors.As(err, &op) && op.Op == "dial":
		return "nobody answers at " + endpointOf(err) + " (" + innermost(err) + "): check AWS_ENDPOINT_URL", false
	case errors.As(err, &bad):
		return bad.Error(), false
	case errors.As(err, &cut):
		return "its content was cut off (" + innermost(cut) + ")", false
	case strings.Contains(text, " redirects"): // net/http has no name for it
		return innermost(err) + ": check AWS_ENDPOINT_URL", false
	case errors.Is(err, http.ErrSchemeMismatch):
		return "the endpoint speaks HTTP, not HTTPS: check AWS_ENDPOINT_URL", false
	case errors.As(err, &certificate):
		return innermost(err) + ": check AWS_ENDPOINT_URL, or name the endpoint's certificates in AWS_CA_BUNDLE", false
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no whole answer within %v: check AWS_ENDPOINT_URL", AttemptTime), false
	case Unread(err):
		status := ""
		if n := statusOf(err); n != 0 {
			status = fmt.Sprintf("HTTP %d, but ", n)
		}
		return status + "not an answer of AWS or cut off: check AWS_ENDPOINT_URL (" + innermost(err) + ")", false
	case strings.Contains(text, "unsupported protocol scheme"): // net/http has no name for it
		return "the endpoint is no URL (" + innermost(err) + "): check AWS_ENDPOINT_URL, want http://… or https://…", false
	case errors.As(err, new(*url.Error)):
		return "no answer from " + endpointOf(err) + " (" + innermost(err) + "): check AWS_ENDPOINT_URL", false
	default:
		return innermost(err), false
	}
}

// endpointOf is where a request went that had no answer, without what it asked.
func endpointOf(err error) string {
	var asked *url.Error
	if errors.As(err, &asked) {
		if u, bad := url.Parse(asked.URL); bad == nil && u.Host != "" {
			return u.Scheme + "://" + u.Host
		}
	}
	return "the endpoint"
}

// lineError is one line for people around the SDK's many.
type lineError struct {
	line string
	err  error
}

func (e *lineError) Error() string { return e.line }
func (e *lineError) Unwrap() error { return e.err }

// AnswerError is an answer that cannot be trusted: the SDK's retryer asks again.
type AnswerError struct{ What string }

func (e *AnswerError) Error() string { return e.What }

// RetryableError tells the SDK's retryer to try again.
func (*AnswerError) RetryableError() bool { return true }

// Missing reports whether S3 answered that there is no such object. Where the
// caller may not list the bucket, S3 says that access is denied instead.
func Missing(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && (api.ErrorCode() == "NoSuchKey" || api.ErrorCode() == "NotFound" && statusOf(err) == http.StatusNotFound)
}

// Throttles reports whether S3 answered that it is asked too much.
//
// Source: Amazon S3 API Reference, "Error responses", list of error codes; the
// other codes and statuses are those of S3-compatible servers.
func Throttles(err error) bool {
	var api smithy.APIError
	if errors.As(err, &api) {
		if _, ok := retry.DefaultThrottleErrorCodes[api.ErrorCode()]; ok {
			return true
		}
	}
	status := statusOf(err)
	return status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
}

// Unread reports whether an answer could not be read. Some that are not XML at
// all the SDK passes on as the parser's error, without saying whose answer it was.
func Unread(err error) bool {
	var (
		d      *smithy.DeserializationError
		syntax *xml.SyntaxError
	)
	return errors.As(err, &d) || errors.As(err, &syntax)
}

func statusOf(err error) int {
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		return answer.HTTPStatusCode()
	}
	return 0
}

func regionOf(err error) string {
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		return answer.Response.Header.Get(regionHeader)
	}
	return ""
}

// innermost is the text of the error at the bottom: the SDK wraps it in what it
// was doing, five levels deep.
func innermost(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return Shorten(Readable(err.Error()), 200)
		}
		err = next
	}
}
