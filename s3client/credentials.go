package s3client

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// CredentialTime is for finding credentials, before a run.
const CredentialTime = 3 * time.Second

// CheckCredentials looks for credentials, but not for as long as the SDK waits
// for an instance's metadata where there is no instance.
func (c *Client) CheckCredentials(ctx context.Context) error {
	provider := c.api.Options().Credentials
	if provider == nil {
		return &credentialsError{errors.New("none configured")}
	}
	within, cancel := context.WithTimeoutCause(ctx, CredentialTime, errors.New("found none in time"))
	defer cancel()
	if _, err := provider.Retrieve(within); err != nil {
		if ctx.Err() == nil && within.Err() != nil {
			err = context.Cause(within)
		}
		return &credentialsError{err}
	}
	return nil
}

// credentialsError is a failure to find credentials at all.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return "get credentials: " + e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// Endpoint is where S3 is asked; "" is AWS itself.
func (c *Client) Endpoint() string {
	return strings.TrimRight(aws.ToString(c.api.Options().BaseEndpoint), "/")
}
