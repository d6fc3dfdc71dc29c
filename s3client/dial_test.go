package s3client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
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

// Neither a proxy, which would dial in our place, nor an endpoint that sends on leads there.
func TestEndpointsThatLeadToMetadata(t *testing.T) {
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(proxy.Close)
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	away := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/latest/meta-data/", http.StatusTemporaryRedirect))
	t.Cleanup(away.Close)
	ask := func(endpoint string, through *url.URL) error {
		b := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) { tr.Proxy = http.ProxyURL(through) })
		c := Make(aws.Config{HTTPClient: b, Credentials: aws.AnonymousCredentials{}}, Options{
			Concurrency: 1, Endpoint: endpoint,
			Backoff: retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil }),
		})
		t.Cleanup(c.CloseIdle)
		_, err := c.API().HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("b")})
		return err
	}
	for _, endpoint := range []string{"http://169.254.169.254/", "http://169.254.170.2:80/v2", "http://[fd00:ec2::254]/", "http://[::ffff:169.254.169.254]/"} {
		if err := ask(endpoint, at); !errors.Is(err, errMetadata) {
			t.Errorf("%s by a proxy: got %v", endpoint, err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the proxy was asked %d times", n)
	}
	if err := ask(away.URL, nil); !errors.Is(err, errMetadata) {
		t.Errorf("sent on: got %v", err)
	}
	if err := ask("http://store.example/", at); err != nil || asked.Load() != 1 {
		t.Errorf("a store by a proxy: asked %d times, %v", asked.Load(), err)
	}
}
