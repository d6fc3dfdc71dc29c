package sqs

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ramify/ramify/internal/batch"
	"github.com/ramify/ramify/internal/sqsapi"
	"github.com/ramify/ramify/queue"
)

const (
	stringType = "String"
	maxGroup   = 128 // bytes
)

// posting is an entry in the SDK's words, but for its id in a request. It shares
// nothing with the caller, who may be gone before the request is made.
type posting types.SendMessageBatchRequestEntry

// size is what SQS counts against the size of a request.
func (p posting) size() int {
	n := len(*p.MessageBody)
	for name, a := range p.MessageAttributes {
		n += len(name) + len(*a.DataType) + len(*a.StringValue)
	}
	return n
}

// Send posts entries as queue.Queue says. Nothing is retried. Delays are rounded
// up to seconds. The group becomes the message group of a fair queue: it evens out
// how long messages of different runs wait, and orders nothing. Source: Amazon SQS
// Developer Guide, "Amazon SQS fair queues".
func (q *Queue) Send(ctx context.Context, entries []queue.Entry) []error {
	errs := make([]error, len(entries))
	postings := make([]posting, 0, len(entries))
	for i, e := range entries {
		p, err := q.posting(e)
		if err != nil {
			errs[i] = fmt.Errorf("send message: %w", err)
			continue
		}
		postings = append(postings, p)
	}
	return q.batched(errs, "send message", func() []error { return q.sends.Do(ctx, postings) })
}

// batched fills in the answers to the entries that have no error yet.
func (q *Queue) batched(errs []error, doing string, do func() []error) []error {
	if q.closing.Err() != nil {
		for i := range errs {
			errs[i] = nil
		}
		return fill(errs, doing, func(int) error { return queue.ErrClosed })
	}
	answers := do()
	return fill(errs, doing, func(i int) error {
		if errors.Is(answers[i], batch.ErrClosed) {
			return queue.ErrClosed
		}
		return answers[i]
	})
}

func fill(errs []error, doing string, answer func(int) error) []error {
	n := 0
	for i := range errs {
		if errs[i] != nil {
			continue
		}
		if err := answer(n); err != nil {
			errs[i] = fmt.Errorf("%s: %w", doing, err)
		}
		n++
	}
	return errs
}

// posting checks an entry, since SQS refuses a whole request, with the entries of
// other callers, for some mistakes in one.
func (q *Queue) posting(e queue.Entry) (posting, error) {
	if e.Size() > q.limits.Body {
		return posting{}, fmt.Errorf("%d bytes with attributes, queue %s takes %d: %w", e.Size(), q.name, q.limits.Body, queue.ErrTooLarge)
	}
	body := string(e.Body)
	switch {
	case body == "":
		return posting{}, invalid("body is empty")
	case !sqsapi.Sendable(e.Body):
		return posting{}, invalid("body is not text that SQS takes: UTF-8 without control characters, U+FFFE and U+FFFF")
	case len(e.Attrs) > maxAttrs:
		return posting{}, invalid("%d attributes, at most %d", len(e.Attrs), maxAttrs)
	case e.Delay < 0 || e.Delay > maxDelay:
		return posting{}, invalid("delay %s, want 0 to %s", e.Delay, maxDelay)
	case !isGroup(e.Group):
		return posting{}, invalid("group %q, want at most 128 letters, digits and punctuation", e.Group)
	}
	p := posting{MessageBody: &body, DelaySeconds: seconds(e.Delay)}
	if e.Group != "" {
		p.MessageGroupId = &e.Group
	}
	if len(e.Attrs) > 0 {
		p.MessageAttributes = make(map[string]types.MessageAttributeValue, len(e.Attrs))
	}
	for name, value := range e.Attrs {
		if !attrName.MatchString(name) || strings.Contains(name, "..") || reserved.MatchString(name) {
			return posting{}, invalid("attribute %q has a name that SQS does not take", name)
		}
		if value == "" || !sqsapi.Sendable([]byte(value)) {
			return posting{}, invalid("attribute %q: value %q is empty or no text that SQS takes", name, value)
		}
		p.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String(stringType), StringValue: &value}
	}
	return p, nil
}

// invalid is the error of an entry that no send can ever post.
func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, queue.ErrInvalid)...)
}

// Source: Amazon SQS API reference, "SendMessage", and Developer Guide, "Amazon
// SQS message metadata".
var (
	attrName = regexp.MustCompile(`^[A-Za-z0-9_-](?:[A-Za-z0-9_.-]{0,254}[A-Za-z0-9_-])?$`)
	reserved = regexp.MustCompile(`(?i)^(?:aws|amazon)\.`)
)

// isGroup reports whether SQS takes the name of a group, or none: every message has
// one. Source: Amazon SQS API reference, "SendMessage".
func isGroup(name string) bool {
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' {
			return false
		}
	}
	return len(name) <= maxGroup
}

// seconds rounds up.
func seconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }

// send is one request.
func (q *Queue) send(ctx context.Context, postings []posting) []error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	in := &sqs.SendMessageBatchInput{QueueUrl: q.url, Entries: make([]types.SendMessageBatchRequestEntry, len(postings))}
	for i, p := range postings {
		in.Entries[i] = types.SendMessageBatchRequestEntry(p)
		in.Entries[i].Id = aws.String(strconv.Itoa(i))
	}
	out, err := q.client.SendMessageBatch(ctx, in, once)
	if err != nil {
		return all(len(postings), q.problem("SendMessageBatch", err))
	}
	errs := all(len(postings), errUnanswered)
	var body []byte // of one after the other
	for _, ok := range out.Successful {
		if i, known := index(ok.Id, errs); known {
			e := in.Entries[i]
			body = append(body[:0], *e.MessageBody...)
			errs[i] = verify(body, ok.MD5OfMessageBody, e.MessageAttributes, ok.MD5OfMessageAttributes)
		}
	}
	q.failures(out.Failed, errs)
	return errs
}

// index is the entry that an id of an answer names.
func index(id *string, errs []error) (int, bool) {
	i, err := strconv.Atoi(aws.ToString(id))
	return i, err == nil && i >= 0 && i < len(errs)
}

// failures puts the errors of entries in their places.
func (q *Queue) failures(failed []types.BatchResultErrorEntry, errs []error) {
	for _, f := range failed {
		if i, known := index(f.Id, errs); known {
			errs[i] = q.refusal(f)
		}
	}
}

// all is the same error for every entry.
func all(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}
