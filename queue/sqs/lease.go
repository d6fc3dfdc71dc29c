package sqs

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ramify/ramify/queue"
)

// Delete removes messages as queue.Queue says. A request whose answer is lost is
// made again, which does no harm. A receipt that is not valid any more succeeds,
// as it does with SQS most of the time: nothing is held under it.
func (q *Queue) Delete(ctx context.Context, receipts []queue.Receipt) []error {
	errs := make([]error, len(receipts))
	valid := make([]queue.Receipt, 0, len(receipts))
	for i, r := range receipts {
		if r == "" {
			errs[i] = errors.New("delete message: receipt is empty")
			continue
		}
		valid = append(valid, r)
	}
	return q.batched(errs, "delete message", func() []error { return q.deletes.Do(ctx, valid) })
}

// remove is one request of deletes.
func (q *Queue) remove(ctx context.Context, receipts []queue.Receipt) []error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	in := &sqs.DeleteMessageBatchInput{QueueUrl: q.url, Entries: make([]types.DeleteMessageBatchRequestEntry, len(receipts))}
	for i, r := range receipts {
		in.Entries[i] = types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(string(r))}
	}
	out, err := q.client.DeleteMessageBatch(ctx, in, again)
	if err != nil {
		return all(len(receipts), q.problem("DeleteMessageBatch", err))
	}
	errs := all(len(receipts), errUnanswered)
	for _, ok := range out.Successful {
		if i, known := index(ok.Id, errs); known {
			errs[i] = nil
		}
	}
	q.failures(out.Failed, errs)
	for i, err := range errs {
		if errors.Is(err, queue.ErrLeaseLost) {
			errs[i] = nil
		}
	}
	return errs
}

// Extend sets how long messages stay held as queue.Queue says, rounded up to
// seconds. SQS holds a message for twelve hours from its receipt at most, and
// refuses what would be longer. Source: Amazon SQS Developer Guide, "Amazon SQS
// visibility timeout".
func (q *Queue) Extend(ctx context.Context, leases []queue.Lease) []error {
	errs := make([]error, len(leases))
	valid := make([]queue.Lease, 0, len(leases))
	for i, l := range leases {
		if l.Receipt == "" || l.Visibility < 0 || l.Visibility > maxVisibility {
			errs[i] = fmt.Errorf("extend lease: receipt %.20q for %s, want a receipt and 0 to %s", string(l.Receipt), l.Visibility, maxVisibility)
			continue
		}
		valid = append(valid, l)
	}
	return q.batched(errs, "extend lease", func() []error { return q.extends.Do(ctx, valid) })
}

// extend is one request of extensions.
func (q *Queue) extend(ctx context.Context, leases []queue.Lease) []error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	in := &sqs.ChangeMessageVisibilityBatchInput{
		QueueUrl: q.url, Entries: make([]types.ChangeMessageVisibilityBatchRequestEntry, len(leases)),
	}
	for i, l := range leases {
		in.Entries[i] = types.ChangeMessageVisibilityBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(string(l.Receipt)), VisibilityTimeout: seconds(l.Visibility),
		}
	}
	out, err := q.client.ChangeMessageVisibilityBatch(ctx, in, again)
	if err != nil {
		return all(len(leases), q.problem("ChangeMessageVisibilityBatch", err))
	}
	errs := all(len(leases), errUnanswered)
	for _, ok := range out.Successful {
		if i, known := index(ok.Id, errs); known {
			errs[i] = nil
		}
	}
	q.failures(out.Failed, errs)
	return errs
}
