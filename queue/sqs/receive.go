package sqs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ramify/ramify/internal/sqsapi"
	"github.com/ramify/ramify/queue"
)

// Receive receives as queue.Queue says: ten messages at most, by long polls of
// twenty seconds at most. Times are rounded up to seconds, waits to one at least. A queue that has 120,000
// messages in flight gives none until some are deleted. A message whose digest is
// wrong is left to be delivered again. Where SQS throttles receives, fewer are made
// at a time: a call that finds no turn before its wait is over returns nothing.
//
// What SQS was about to give to a receive that ends with its context stays hidden
// until its visibility has passed.
func (q *Queue) Receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	got, err := q.ReceiveWhole(ctx, r)
	if len(got) == 0 {
		return nil, err
	}
	ours := make([]queue.Delivery, len(got))
	for i := range got {
		ours[i] = got[i].Delivery
	}
	return ours, err
}

// Whole is a message with what SQS knows of it beside, for whoever passes it on.
type Whole struct {
	queue.Delivery
	ID            string    // of the message, the same at every receive
	FirstReceived time.Time // zero where SQS does not say
	Sender        string    // an IAM user's or role's id, or the address of who is anonymous
}

// ReceiveWhole is Receive with all that is known of the messages. Source: Amazon SQS
// API reference, "ReceiveMessage".
func (q *Queue) ReceiveWhole(ctx context.Context, r queue.Request) ([]Whole, error) {
	ctx, leave, err := q.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("receive messages: %w", err)
	}
	defer leave()
	if r.Max < 1 || r.Visibility <= 0 || r.Visibility > maxVisibility {
		return nil, fmt.Errorf("receive messages: %d for %s, want 1 or more for up to %s", r.Max, r.Visibility, maxVisibility)
	}
	deadline := time.Now().Add(r.Wait)
	// The SDK cannot say 0, which leaves it to the queue, whose own is likely 20;
	// and a short poll asks only some of SQS's servers.
	wait := max(seconds(r.Wait), 1)
	for {
		began := time.Now()
		var got []Whole
		var err error
		waiting, over := context.WithDeadline(ctx, began.Add(time.Duration(wait)*time.Second))
		waited := q.paced(ctx, waiting, q.dependency("ReceiveMessage"), func(ctx context.Context) []error {
			wait = max(wait-int32(time.Since(began)/time.Second), 1)
			got, err = q.poll(ctx, r, min(wait, int32(maxWait/time.Second)))
			return []error{err}
		})
		over()
		switch {
		case waited != nil && ctx.Err() == nil:
			return nil, nil // other receivers had the turns that SQS allows
		case waited != nil:
			return nil, fmt.Errorf("receive messages: %w", context.Cause(ctx))
		case context.Cause(ctx) != nil && err != nil:
			return nil, fmt.Errorf("receive messages: %w", context.Cause(ctx))
		case errors.Is(err, errOverLimit):
			pause(ctx, min(time.Until(deadline), time.Second/2+rand.N(time.Second)))
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("receive messages: %w", err)
		}
		// Less than a second cannot be waited for.
		if wait = int32(time.Until(deadline) / time.Second); len(got) > 0 || wait < 1 {
			return got, nil
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// poll is one request.
func (q *Queue) poll(ctx context.Context, r queue.Request, wait int32) ([]Whole, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(wait)*time.Second+patience)
	defer cancel()
	out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:              q.url,
		MaxNumberOfMessages:   int32(min(r.Max, maxBatch)),
		WaitTimeSeconds:       wait,
		VisibilityTimeout:     seconds(r.Visibility),
		MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameApproximateReceiveCount, types.MessageSystemAttributeNameSentTimestamp,
			types.MessageSystemAttributeNameApproximateFirstReceiveTimestamp, types.MessageSystemAttributeNameSenderId,
		},
	})
	if err != nil {
		return nil, q.problem("ReceiveMessage", err)
	}
	var damaged error
	got := make([]Whole, 0, len(out.Messages))
	for i := range out.Messages {
		d, err := delivery(&out.Messages[i])
		if err != nil {
			damaged = err
			continue
		}
		got = append(got, d)
	}
	if len(got) == 0 {
		return nil, damaged
	}
	return got, nil
}

// delivery is a message in our words.
func delivery(m *types.Message) (Whole, error) {
	body := []byte(aws.ToString(m.Body))
	if err := verify(body, m.MD5OfBody, m.MessageAttributes, m.MD5OfMessageAttributes); err != nil {
		return Whole{}, fmt.Errorf("message %s: %w", aws.ToString(m.MessageId), err)
	}
	d := Whole{
		Delivery: queue.Delivery{
			Body: body, Attrs: sqsapi.Texts(m), Receipt: queue.Receipt(aws.ToString(m.ReceiptHandle)), Receives: sqsapi.Receives(m),
		},
		ID:     aws.ToString(m.MessageId),
		Sender: m.Attributes[string(types.MessageSystemAttributeNameSenderId)],
	}
	d.Sent = moment(m, types.MessageSystemAttributeNameSentTimestamp)
	d.FirstReceived = moment(m, types.MessageSystemAttributeNameApproximateFirstReceiveTimestamp)
	return d, nil
}

func moment(m *types.Message, name types.MessageSystemAttributeName) time.Time {
	ms, err := strconv.ParseInt(m.Attributes[string(name)], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
