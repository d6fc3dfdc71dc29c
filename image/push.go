package image

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Push uploads an index to a repository, unless it is there, and returns its
// reference by digest. The tag is the digest, too: a repository whose tags never change
// takes it, and the same image once; and `cdk gc`, which deletes images whose tags no
// template has, finds it in the reference.
func Push(ctx context.Context, repository string, index v1.ImageIndex, auth authn.Authenticator) (string, error) {
	repo, err := name.NewRepository(repository, name.StrictValidation)
	if err != nil {
		return "", fmt.Errorf("push image: %w", err)
	}
	digest, err := index.Digest()
	if err != nil {
		return "", fmt.Errorf("push image to %s: %w", repo, err)
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuth(auth)}
	at := repo.Digest(digest.String())
	if _, err := remote.Head(at, options...); err == nil {
		return at.String(), nil
	}
	if err := remote.WriteIndex(repo.Tag(digest.Hex), index, options...); err != nil {
		return "", fmt.Errorf("push image to %s: %w", repo, explain(err))
	}
	return at.String(), nil
}

// explain says the way out of the usual mistake.
func explain(err error) error {
	var refused *transport.Error
	if errors.As(err, &refused) {
		for _, d := range refused.Errors {
			if d.Code == transport.NameUnknownErrorCode {
				return fmt.Errorf("there is no such repository: in a new account or region run make bootstrap first: %w", err)
			}
		}
	}
	return err
}

// Registry is what is known of an account's registry in Amazon ECR.
type Registry struct {
	Host string // ACCOUNT.dkr.ecr.REGION.amazonaws.com
	Auth authn.Authenticator
}

// Login asks for a token of the account's registry, valid for 12 hours.
//
// Source: Amazon ECR API Reference, "GetAuthorizationToken".
func Login(ctx context.Context, cfg aws.Config) (Registry, error) {
	out, err := ecr.NewFromConfig(cfg).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return Registry{}, fmt.Errorf("log in to the registry: %w", err)
	}
	if len(out.AuthorizationData) == 0 {
		return Registry{}, errors.New("log in to the registry: there was no token in the answer")
	}
	data := out.AuthorizationData[0]
	token, err := base64.StdEncoding.DecodeString(aws.ToString(data.AuthorizationToken))
	user, password, ok := strings.Cut(string(token), ":")
	if err != nil || !ok {
		return Registry{}, errors.New("log in to the registry: the token is not USER:PASSWORD in base64")
	}
	return Registry{
		Host: strings.TrimPrefix(aws.ToString(data.ProxyEndpoint), "https://"),
		Auth: authn.FromConfig(authn.AuthConfig{Username: user, Password: password}),
	}, nil
}

// Bootstrapped is the repository that `cdk bootstrap` makes for images, in the
// registry of an account and region.
//
// Source: AWS CDK v2 Developer Guide, "AWS CDK bootstrapping" (template).
func (r Registry) Bootstrapped() (string, error) {
	account, rest, _ := strings.Cut(r.Host, ".dkr.ecr.")
	region, _, ok := strings.Cut(rest, ".")
	if !ok {
		return "", fmt.Errorf("find repository: %s is no registry of Amazon ECR: name a repository", r.Host)
	}
	return fmt.Sprintf("%s/cdk-hnb659fds-container-assets-%s-%s", r.Host, account, region), nil
}
