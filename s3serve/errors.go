package s3serve

import (
	"net/http"
	"strconv"
)

// detail is an element that only some errors have, such as Key.
type detail struct{ name, value string }

// apiError is an error as S3 tells it.
type apiError struct {
	status        int
	code, message string
	details       []detail
}

var (
	errAccessDenied     = &apiError{status: http.StatusForbidden, code: "AccessDenied", message: "Access Denied"}
	errMethodNotAllowed = &apiError{status: http.StatusMethodNotAllowed, code: "MethodNotAllowed", message: "The specified method is not allowed against this resource."}
	errNotImplemented   = &apiError{status: http.StatusNotImplemented, code: "NotImplemented", message: "A header or query you provided requests functionality that is not implemented."}
	errSlowDown         = &apiError{status: http.StatusServiceUnavailable, code: "SlowDown", message: "Please reduce your request rate."}
	errInternal         = &apiError{status: http.StatusInternalServerError, code: "InternalError", message: "We encountered an internal error. Please try again."}
	errTimeout          = &apiError{status: http.StatusBadRequest, code: "RequestTimeout", message: "Your socket connection to the server was not read from or written to within the timeout period."}
	errRange            = &apiError{status: http.StatusRequestedRangeNotSatisfiable, code: "InvalidRange", message: "The requested range is not satisfiable"}
)

func noSuchBucket(bucket string) *apiError {
	return &apiError{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist", []detail{{"BucketName", bucket}}}
}

func noSuchKey(key string) *apiError {
	return &apiError{http.StatusNotFound, "NoSuchKey", "The specified key does not exist.", []detail{{"Key", key}}}
}

func invalidArgument(name, value, message string) *apiError {
	return &apiError{http.StatusBadRequest, "InvalidArgument", message, []detail{{"ArgumentName", name}, {"ArgumentValue", value}}}
}

// writeError answers with e.
func writeError(w http.ResponseWriter, e *apiError) {
	b := append([]byte(nil), xmlHeader+"<Error><Code>"...)
	b = append(append(b, e.code...), "</Code><Message>"...)
	b = append(append(b, e.message...), "</Message>"...)
	for _, d := range e.details {
		b = append(append(append(b, '<'), d.name...), '>')
		b = appendText(b, d.value)
		b = append(append(append(b, "</"...), d.name...), '>')
	}
	b = append(append(b, "<RequestId>"...), w.Header().Get(requestIDHeader)...)
	b = append(b, "</RequestId></Error>"...)
	writeXML(w, e.status, b)
}

// writeXML answers with a whole document. The length is always said, so that a
// response cut short can be told from a whole one.
func writeXML(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// A client that has gone away needs no answer.
	_, _ = w.Write(body)
}
