// Package secretsmanager reads signing keys out of AWS Secrets Manager.
//
// Source: AWS Secrets Manager API reference, "GetSecretValue".
package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/ramify/ramify/keyring"
)

// Secrets are those of an account and region. It implements keyring.Secrets.
type Secrets struct {
	region string
	get    func(context.Context, *sdk.GetSecretValueInput, ...func(*sdk.Options)) (*sdk.GetSecretValueOutput, error) // alone: the linker would keep all of a client
}

var _ keyring.Secrets = (*Secrets)(nil)

// New asks nothing of AWS yet. Credentials, region, endpoint and transport are the
// config's, and so are retries.
func New(config aws.Config) *Secrets {
	return &Secrets{config.Region, sdk.NewFromConfig(config).GetSecretValue}
}

// Get reads a secret by its name or ARN, whose region is then the one asked.
func (s *Secrets) Get(ctx context.Context, id, stage string) (string, error) {
	region := s.region
	if parts := strings.SplitN(id, ":", 5); len(parts) == 5 && parts[0] == "arn" && parts[3] != "" {
		region = parts[3]
	}
	out, err := s.get(ctx, &sdk.GetSecretValueInput{SecretId: &id, VersionStage: &stage},
		func(o *sdk.Options) { o.Region = region })
	if err == nil && out.SecretString == nil {
		err = errors.New("it is binary: store the key as text")
	}
	if err != nil {
		return "", fmt.Errorf("read secret %s of %s (%s): %w", id, region, stage, explain(err))
	}
	return *out.SecretString, nil
}
