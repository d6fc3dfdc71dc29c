package program

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Queue is a fleet's queue, or its dead-letter queue, as a test looks into it.
type Queue struct {
	Client *sqs.Client
	URL    string
}

// SQS is a client of an emulator of SQS.
func SQS(endpoint string) *sqs.Client {
	return sqs.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
}

// Named is the queue of a name.
func Named(t *testing.T, client *sqs.Client, name string) *Queue {
	t.Helper()
	out, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return &Queue{client, *out.QueueUrl}
}

// Depth is how many messages a queue has.
type Depth struct{ Visible, InFlight, Delayed int }

// Depth asks for it.
func (q *Queue) Depth(t *testing.T) (d Depth) {
	t.Helper()
	out, err := q.Client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &q.URL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, field := range map[types.QueueAttributeName]*int{
		types.QueueAttributeNameApproximateNumberOfMessages:           &d.Visible,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible: &d.InFlight,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed:    &d.Delayed,
	} {
		if *field, err = strconv.Atoi(out.Attributes[string(name)]); err != nil {
			t.Fatalf("%s of %s: %v", name, q.URL, err)
		}
	}
	return d
}

// AwaitEmpty waits until nothing is left in the queue; said tells why that may last.
func (q *Queue) AwaitEmpty(t *testing.T, said func() string) {
	t.Helper()
	over := time.After(Patience)
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		d := q.Depth(t)
		if d == (Depth{}) {
			return
		}
		select {
		case <-again.C:
		case <-over:
			t.Fatalf("after %v the queue still has %+v\n%s", Patience, d, said())
		}
	}
}

// Letter is a message, with its attributes.
type Letter struct {
	Body  string
	Attrs map[string]string
}

// Take takes all messages out of a queue that nobody else receives from.
func (q *Queue) Take(t *testing.T) (letters []Letter) {
	t.Helper()
	for over := time.Now().Add(Patience); q.Depth(t) != (Depth{InFlight: len(letters)}); {
		if time.Now().After(over) {
			t.Fatalf("took %d letters; left %+v", len(letters), q.Depth(t))
		}
		out, err := q.Client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &q.URL, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"}, WaitTimeSeconds: 1, VisibilityTimeout: 600,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Messages {
			l := Letter{Body: *m.Body, Attrs: map[string]string{}}
			for name, a := range m.MessageAttributes {
				l.Attrs[name] = aws.ToString(a.StringValue)
			}
			letters = append(letters, l)
		}
	}
	return letters
}

// Post puts messages into the queue, as anybody may who is let.
func (q *Queue) Post(t *testing.T, letters ...Letter) {
	t.Helper()
	const batch = 10
	for len(letters) > 0 {
		some := letters[:min(batch, len(letters))]
		letters = letters[len(some):]
		in := &sqs.SendMessageBatchInput{QueueUrl: &q.URL}
		for i, l := range some {
			e := types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(l.Body), MessageAttributes: map[string]types.MessageAttributeValue{}}
			for name, value := range l.Attrs {
				e.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
			}
			in.Entries = append(in.Entries, e)
		}
		out, err := q.Client.SendMessageBatch(context.WithoutCancel(t.Context()), in)
		if err != nil || len(out.Failed) > 0 {
			t.Fatalf("post %.80q and others: %v", some[0].Body, err)
		}
	}
}
