package s3client

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// An endpoint that a node names leads to no address at which instances and containers
// find their credentials.
func TestEndpointsOfMetadata(t *testing.T) {
	for address, fine := range map[string]bool{
		"127.0.0.1:9000": true, "[::1]:80": true, "10.0.0.1:443": true, "52.216.0.1:443": true, "[2600:1f18::1]:443": true,
		"169.254.169.254:80": false, "169.254.170.2:80": false, "[fe80::1%eth0]:80": false, "[fd00:ec2::254]:80": false,
		"[::ffff:169.254.169.254]:80": false, "localhost:80": false,
	} {
		if err := noMetadata(t.Context(), "tcp", address, nil); (err == nil) != fine {
			t.Errorf("%s: %v", address, err)
		}
	}
	c := Make(aws.Config{Region: "us-east-1", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "k", SecretAccessKey: "s"}, nil
	})}, Options{
		Concurrency: 1, Endpoint: "http://169.254.169.254/latest/meta-data/",
		Backoff: retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil }),
	})
	_, err := c.API().HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("b")})
	if !errors.Is(err, errMetadata) || !strings.Contains(err.Error(), "169.254.169.254") {
		t.Errorf("got %v", err)
	}
}
