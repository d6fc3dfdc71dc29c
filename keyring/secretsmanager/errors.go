package secretsmanager

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/ramify/ramify/keyring"
)

// hints are the ways out of errors that no retry mends. Source: AWS Secrets Manager
// API reference, "GetSecretValue" and "Common Errors".
var hints = map[string]string{
	"ResourceNotFoundException":   "check its name and AWS_REGION, or make it by `ramify setup`",
	"AccessDeniedException":       "allow secretsmanager:GetSecretValue on it to these credentials, and kms:Decrypt if a key of your own encrypts it",
	"DecryptionFailure":           "allow kms:Decrypt on the key that encrypts it to these credentials",
	"UnrecognizedClientException": "check AWS_ACCESS_KEY_ID or the profile, and AWS_REGION",
	"InvalidClientTokenId":        "check AWS_ACCESS_KEY_ID or the profile",
	"ExpiredTokenException":       "renew the credentials",
	"InvalidRequestException":     "restore it if it is scheduled for deletion",
}

// explain makes one line of an error of AWS.
func explain(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err
	}
	code := api.ErrorCode()
	said := strings.TrimSuffix(strings.Join(strings.Fields(api.ErrorMessage()), " "), ".")
	line := fmt.Sprintf("%s: %s", code, said)
	if hint := hints[code]; hint != "" {
		line += "; " + hint
	}
	if code == "ResourceNotFoundException" {
		return fmt.Errorf("%w: %s", keyring.ErrNoSecret, line)
	}
	return errors.New(line)
}
