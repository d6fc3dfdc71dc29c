// Package sqsapi is what all who talk to Amazon SQS must know of it alike: its error
// codes as servers write them, what it says of a message, and the text it takes.
package sqsapi

import (
	"strings"
	"unicode/utf8"
)

// Codes that mean one thing, as Code gives them. Source: Amazon SQS API reference,
// "Common Error Types".
var (
	Denied      = []string{"AccessDenied", "AccessDeniedException", "NotAuthorized", "InvalidSecurity"}
	Credentials = []string{
		"ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidClientTokenId", "InvalidAccessKeyId",
		"MissingAuthenticationToken", "OptInRequired", "SignatureDoesNotMatch", "UnrecognizedClientException",
	}
)

// Code is an error's code without what servers put before it.
func Code(code string) string {
	code = code[strings.LastIndexByte(code, '#')+1:]
	return strings.TrimPrefix(code, "AWS.SimpleQueueService.")
}

// Sendable reports whether all characters are among those that SQS takes: what XML
// 1.0 can hold. Source: Amazon SQS API reference, "SendMessage".
func Sendable(text []byte) bool {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1, r == 0xFFFE, r == 0xFFFF:
			return false
		case r < ' ' && r != '\t' && r != '\n' && r != '\r':
			return false
		}
		text = text[n:]
	}
	return true
}
