package sqs_test

import (
	"crypto/rand"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/emulator"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/internal/emulator/ministack"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/queuetest"
	"github.com/ramify/ramify/queue/sqs"
)

func TestMain(m *testing.M) {
	// What a person has set for AWS must not reach the tests.
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_PROFILE", "AWS_REGION"} {
		if err := os.Unsetenv(name); err != nil {
			panic(err)
		}
	}
	// Most of a test here is waiting: for leases, delays and long polls.
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// servers are those that the adapter is tested on, none of them ours.
var servers = map[string]func(testing.TB) string{"elasticmq": elasticmq.URL, "ministack": ministack.URL}

func onServers(t *testing.T, test func(t *testing.T, name, url string)) {
	for name, url := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, name, url(t))
		})
	}
}

func config(url string) aws.Config {
	return aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &url,
		Credentials:  credentials.NewStaticCredentialsProvider("ramify", "secret", ""),
	}
}

// made is a new queue, and open.
func made(t testing.TB, cfg aws.Config) *sqs.Queue {
	t.Helper()
	created, err := sqs.Create(t.Context(), cfg, "ramify-"+rand.Text(), sqs.Settings{})
	require.NoError(t, err)
	return opened(t, cfg, created.URL)
}

func opened(t testing.TB, cfg aws.Config, nameOrURL string) *sqs.Queue {
	t.Helper()
	q, err := sqs.Open(t.Context(), cfg, nameOrURL)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, q.Close()) })
	return q
}

func TestContract(t *testing.T) {
	onServers(t, func(t *testing.T, name, url string) {
		traits := queuetest.Traits{Grain: time.Second, Except: emulator.Exceptions[name]}
		queuetest.Run(t, "*sqs.Queue", traits, func(t *testing.T) queue.Queue {
			return made(t, config(url))
		})
	})
}
