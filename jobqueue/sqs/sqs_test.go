package sqs_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/internal/emulator/ministack"
	"github.com/ramify/ramify/jobqueue/jobqueuetest"
	"github.com/ramify/ramify/jobqueue/sqs"
)

func config(url string) aws.Config {
	return aws.Config{Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
}

// onServers runs a test on each server.
func onServers(t *testing.T, test func(t *testing.T, name, url string)) {
	for name, url := range map[string]func(testing.TB) string{"elasticmq": elasticmq.URL, "ministack": ministack.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, name, url(t))
		})
	}
}

func TestQueues(t *testing.T) {
	onServers(t, func(t *testing.T, _, url string) {
		jobqueuetest.Run(t, func(*testing.T) jobqueuetest.Subject {
			q := sqs.New(config(url), sqs.Options{})
			return jobqueuetest.Subject{Queues: q, Past: q}
		})
	})
}
