package sqs_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/internal/emulator/ministack"
	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/file"
	"github.com/ramify/ramify/sink/sinktest"
	"github.com/ramify/ramify/sink/sqs"
)

func TestMain(m *testing.M) {
	// What a person has set for AWS must not reach the tests.
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_PROFILE", "AWS_REGION"} {
		if err := os.Unsetenv(name); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// servers are those that the adapter is tested on, none of them ours.
var servers = map[string]func(testing.TB) string{"elasticmq": elasticmq.URL, "ministack": ministack.URL}

func config(url string) aws.Config {
	return aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &url,
		Credentials:  credentials.NewStaticCredentialsProvider("ramify", "secret", ""),
		// The servers outlive the test, which leaves no connection behind.
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true }),
	}
}

// outlet is a queue that somebody reads.
type outlet struct {
	cfg    aws.Config
	client *awssqs.Client
	url    *string

	mu   sync.Mutex
	read []types.Message // so far
}

func newOutlet(t testing.TB, url string) *outlet {
	o := &outlet{cfg: config(url)}
	o.client = awssqs.NewFromConfig(o.cfg)
	out, err := o.client.CreateQueue(context.Background(), &awssqs.CreateQueueInput{
		QueueName:  aws.String("ramify-" + rand.Text()),
		Attributes: map[string]string{"VisibilityTimeout": "20"},
	})
	require.NoError(t, err)
	o.url = out.QueueUrl
	return o
}

// messages are all that were sent so far, those of one attempt in their order. What was
// read is deleted, so what is in flight is of an answer that was lost on its way, which
// the SDK asks for again: it is waited for.
func (o *outlet) messages(t testing.TB) []types.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	for wait := int32(0); ; {
		out, err := o.client.ReceiveMessage(context.Background(), &awssqs.ReceiveMessageInput{
			QueueUrl: o.url, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"}, WaitTimeSeconds: wait,
		})
		require.NoError(t, err)
		if len(out.Messages) > 0 {
			o.keep(t, out.Messages)
			continue
		}
		if o.empty(t) {
			break
		}
		wait = 20
	}
	slices.SortStableFunc(o.read, func(a, b types.Message) int {
		return cmp.Or(
			cmp.Compare(attr(a, sqs.AttrNode)+attr(a, sqs.AttrAttempt), attr(b, sqs.AttrNode)+attr(b, sqs.AttrAttempt)),
			cmp.Compare(part(t, a), part(t, b)))
	})
	return o.read
}

// keep takes messages, each of them once.
func (o *outlet) keep(t testing.TB, messages []types.Message) {
	var done []types.DeleteMessageBatchRequestEntry
	for i, m := range messages {
		if !slices.ContainsFunc(o.read, func(r types.Message) bool { return *r.MessageId == *m.MessageId }) {
			o.read = append(o.read, m)
		}
		done = append(done, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
	}
	_, err := o.client.DeleteMessageBatch(context.Background(), &awssqs.DeleteMessageBatchInput{QueueUrl: o.url, Entries: done})
	require.NoError(t, err)
}

// empty reports whether nothing is left, in flight neither, nor put off where a clock was set.
func (o *outlet) empty(t testing.TB) bool {
	left := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := o.client.GetQueueAttributes(context.Background(), &awssqs.GetQueueAttributesInput{QueueUrl: o.url, AttributeNames: left})
	require.NoError(t, err)
	for _, name := range left {
		if out.Attributes[string(name)] != "0" {
			return false
		}
	}
	return true
}

func attr(m types.Message, name string) string {
	return aws.ToString(m.MessageAttributes[name].StringValue)
}

func part(t testing.TB, m types.Message) int {
	n, err := strconv.Atoi(attr(m, sqs.AttrPart))
	require.NoError(t, err)
	return n
}

// rows are those of the messages.
func (o *outlet) rows(t testing.TB) (rows []string) {
	for _, m := range o.messages(t) {
		body := *m.Body
		if attr(m, sqs.AttrEncoding) == "base64" {
			b, err := base64.StdEncoding.DecodeString(body)
			require.NoError(t, err)
			body = string(b)
		}
		for object, err := range inventory.Keys.Layout().Read(strings.NewReader(body)) {
			require.NoError(t, err)
			rows = append(rows, object.Key)
		}
	}
	return rows
}

func (o *outlet) open(t testing.TB, options sqs.Options) *sqs.Sink {
	s, err := sqs.Open(t.Context(), o.cfg, *o.url, options)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// The inner sink is that of one machine, which keeps all but the rows.
func TestContract(t *testing.T) {
	for name, url := range servers {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			outlets := map[string]*outlet{}
			at := func(t *testing.T, home string) *outlet {
				mu.Lock()
				defer mu.Unlock()
				// What is in the queue outlives the crash of a task.
				name := strings.TrimRight(home, "+")
				if outlets[name] == nil {
					outlets[name] = newOutlet(t, url(t))
				}
				return outlets[name]
			}
			sinktest.Run(t, sinktest.Subject{
				Name: "*sqs.Sink",
				Open: func(t *testing.T, home string) sink.Sink {
					st, err := store.Open(filepath.Join(home, "run.db"), store.Options{})
					require.NoError(t, err)
					t.Cleanup(func() { assert.NoError(t, st.Close()) })
					inner, err := file.Open(t.Context(), st, file.Options{Layout: inventory.Keys.Layout()})
					require.NoError(t, err)
					return at(t, home).open(t, sqs.Options{Format: inventory.Keys, Inner: inner})
				},
				Row:         func(text string) []byte { return []byte(text + "\n") },
				Rows:        func(t *testing.T, home string) []string { return at(t, home).rows(t) },
				AtLeastOnce: true,
				SmallUnits:  500,
			})
		})
	}
}
