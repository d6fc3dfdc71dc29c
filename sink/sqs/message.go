package sqs

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ramify/ramify/internal/sqsapi"
	"github.com/ramify/ramify/sink"
)

// message is an entry in the SDK's words, but for its id in a request.
type message types.SendMessageBatchRequestEntry

// size is what SQS counts against the size of a message and of a request.
func (m message) size() int {
	n := len(*m.MessageBody)
	for name, a := range m.MessageAttributes {
		n += len(name) + len(*a.DataType) + len(*a.StringValue)
	}
	return n
}

// attributes of a part of an attempt's rows.
func (s *Sink) attributes(a sink.Attempt, part int) map[string]types.MessageAttributeValue {
	m := make(map[string]types.MessageAttributeValue)
	for name, value := range map[string]string{
		AttrRun:     a.Run,
		AttrNode:    a.PID.String(),
		AttrAttempt: fmt.Sprintf("%016x", a.ID),
		AttrStream:  sink.Rows,
		AttrPart:    strconv.Itoa(part),
		AttrFormat:  s.options.Format.String(),
	} {
		m[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
	}
	return m
}

// message makes one of the first rows, as many as it takes, and says how many bytes
// they are.
func (s *Sink) message(a sink.Attempt, part int, rows []byte) (message, int, error) {
	m := message{MessageAttributes: s.attributes(a, part), MessageBody: aws.String("")}
	room := s.bytes - m.size()
	n := cut(rows, room)
	body := rows[:n]
	if !sqsapi.Sendable(body) {
		m.MessageAttributes[AttrEncoding] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String("base64")}
		room = base64.StdEncoding.DecodedLen((s.bytes - m.size()) / 4 * 4)
		n = cut(rows, room)
		if body = rows[:n]; n > 0 && sqsapi.Sendable(body) { // the fewer rows are text
			delete(m.MessageAttributes, AttrEncoding)
		} else {
			body = []byte(base64.StdEncoding.EncodeToString(body))
		}
	}
	if n == 0 {
		long := len(rows)
		if end := bytes.IndexByte(rows, '\n'); end >= 0 {
			long = end + 1
		}
		return message{}, 0, fmt.Errorf("%w: a row of %d bytes, and a message to queue %s has room for %d; send larger messages", sink.ErrFull, long, s.name, room)
	}
	m.MessageBody = aws.String(string(body))
	return m, n, nil
}

// cut is the length of the whole rows at the beginning that go into so many bytes.
func cut(rows []byte, most int) int {
	if len(rows) <= most {
		return len(rows)
	}
	return bytes.LastIndexByte(rows[:max(most, 0)], '\n') + 1
}

// deliver sends messages, and again those that failed in a way that may pass, until
// ctx ends.
func (s *Sink) deliver(ctx context.Context, messages []message) error {
	for failed := 0; len(messages) > 0; failed++ {
		if failed > 0 {
			if err := s.pause(ctx, failed); err != nil {
				return err
			}
		}
		var again []message
		var last error
		for i, err := range s.sends.Do(ctx, messages) {
			if errors.Is(err, sink.ErrFull) {
				return err
			}
			if err != nil {
				again, last = append(again, messages[i]), err
			}
		}
		switch {
		case last == nil:
		case ctx.Err() != nil:
			return fmt.Errorf("%w; %d messages were not sent: %w", ctx.Err(), len(again), last)
		case s.closed.Load():
			return errClosed
		}
		messages = again
	}
	return nil
}

// send is one request.
func (s *Sink) send(ctx context.Context, messages []message) []error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	in := &sqs.SendMessageBatchInput{QueueUrl: &s.url, Entries: make([]types.SendMessageBatchRequestEntry, len(messages))}
	for i, m := range messages {
		in.Entries[i] = types.SendMessageBatchRequestEntry(m)
		in.Entries[i].Id = aws.String(strconv.Itoa(i))
	}
	errs := make([]error, len(messages))
	out, err := s.client.SendMessageBatch(ctx, in, once)
	if err != nil {
		err = s.problem("SendMessageBatch", err)
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	for i := range errs {
		errs[i] = errUnanswered
	}
	for _, ok := range out.Successful {
		if i, err := strconv.Atoi(aws.ToString(ok.Id)); err == nil && i >= 0 && i < len(errs) {
			errs[i] = nil
		}
	}
	for _, f := range out.Failed {
		if i, err := strconv.Atoi(aws.ToString(f.Id)); err == nil && i >= 0 && i < len(errs) {
			errs[i] = s.refusal(f)
		}
	}
	return errs
}
