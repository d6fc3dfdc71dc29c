package sqs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ramify/ramify/internal/sqsapi"
	"github.com/ramify/ramify/jobqueue"
	"github.com/ramify/ramify/queue"
)

// parcel is what one request carries.
type parcel struct {
	queue, failed string
	entries       []types.SendMessageBatchRequestEntry
	at            []int // of each entry among the postings
	bytes         int
}

// sending is one call of Send.
type sending struct {
	q        *Queues
	postings []jobqueue.Posting
	sent     []jobqueue.Sent

	mu       sync.Mutex
	requests int
}

// Send posts as jobqueue.Queues says: ten of a queue to a request, or a mebibyte. An
// entry that SQS could not take just now is sent again, and so is a request without an
// answer: a standard queue may then have a job twice.
func (q *Queues) Send(ctx context.Context, postings []jobqueue.Posting) []jobqueue.Sent {
	s := &sending{q: q, postings: postings, sent: make([]jobqueue.Sent, len(postings))}
	if err := q.gate.Enter(ctx); err != nil {
		for i := range s.sent {
			s.sent[i].Err = fmt.Errorf("send job: %w", err)
		}
		return s.sent
	}
	defer q.gate.Leave()
	room := make(chan struct{}, abreast)
	var all sync.WaitGroup
	for _, parcels := range s.pack() {
		all.Go(func() { s.sendAll(ctx, parcels, room) })
	}
	all.Wait()
	return s.sent
}

// pack packs postings into requests, in order, by queue.
func (s *sending) pack() [][]*parcel {
	index := map[string]int{}
	var queues [][]*parcel
	for i, p := range s.postings {
		e, size, err := entry(p)
		if err != nil {
			s.sent[i].Err = fmt.Errorf("send job: %w", err)
			continue
		}
		at, known := index[p.Queue]
		if !known {
			at = len(queues)
			index[p.Queue] = at
			queues = append(queues, nil)
		}
		last := len(queues[at]) - 1
		if last < 0 || len(queues[at][last].entries) == maxBatch || queues[at][last].bytes+size > maxBytes {
			queues[at] = append(queues[at], &parcel{queue: p.Queue, failed: p.Failed})
			last++
		}
		to := queues[at][last]
		e.Id = aws.String(strconv.Itoa(len(to.entries)))
		to.entries, to.at, to.bytes = append(to.entries, e), append(to.at, i), to.bytes+size
	}
	return queues
}

// entry is a posting in the SDK's words.
func entry(p jobqueue.Posting) (e types.SendMessageBatchRequestEntry, size int, err error) {
	size = queue.Entry{Body: p.Body, Attrs: p.Attrs}.Size() + len("String")*len(p.Attrs)
	switch {
	case len(p.Body) == 0:
		return e, 0, fmt.Errorf("it is empty: %w", jobqueue.ErrInvalid)
	case !sqsapi.Sendable(p.Body): // one would have SQS refuse the whole request
		return e, 0, fmt.Errorf("it has a control character, or another that SQS takes in no message: %w", jobqueue.ErrInvalid)
	case size > maxBytes:
		return e, 0, fmt.Errorf("it has %d bytes, and SQS takes %d: %w", size, maxBytes, queue.ErrTooLarge)
	}
	if err := p.Check(); err != nil {
		return e, 0, err
	}
	e.MessageBody = aws.String(string(p.Body))
	e.DelaySeconds = int32((p.Delay + time.Second - 1) / time.Second)
	if p.Group != "" {
		e.MessageGroupId = &p.Group
	}
	if p.Dedup != "" {
		e.MessageDeduplicationId = &p.Dedup
	}
	for name, value := range p.Attrs {
		if e.MessageAttributes == nil {
			e.MessageAttributes = make(map[string]types.MessageAttributeValue, len(p.Attrs))
		}
		e.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
	}
	return e, size, nil
}

// sendAll sends the parcels of one queue: of a FIFO queue one after the other.
func (s *sending) sendAll(ctx context.Context, parcels []*parcel, room chan struct{}) {
	first := parcels[0]
	room <- struct{}{}
	made, err := s.ready(ctx, first)
	<-room
	if err != nil {
		for _, p := range parcels {
			s.fail(p, err)
		}
		return
	}
	s.sent[first.at[0]].Made = made
	var all sync.WaitGroup
	defer all.Wait()
	for _, p := range parcels {
		room <- struct{}{}
		send := func() {
			defer func() { <-room }()
			s.send(ctx, p)
		}
		if jobqueue.IsFIFO(p.queue) {
			send()
			continue
		}
		all.Go(send)
	}
}

func (s *sending) ready(ctx context.Context, p *parcel) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	return s.q.ready(ctx, p.queue, p.failed)
}

func (s *sending) fail(p *parcel, err error) {
	for _, at := range p.at {
		s.sent[at].Err = fmt.Errorf("send job: %w", err)
	}
}

// send sends one parcel, and again what SQS could not take.
func (s *sending) send(ctx context.Context, p *parcel) {
	again := true // a queue that was deleted in the meantime is made anew, once
	for try := 1; len(p.entries) > 0; try++ {
		left, err := s.request(ctx, p, try == attempts)
		switch {
		case errors.Is(err, jobqueue.ErrNoQueue) && again:
			again = false
			s.q.forget(p.queue, err)
			if _, err = s.ready(ctx, p); err == nil {
				continue
			}
			s.fail(p, err)
			return
		case err != nil:
			s.fail(p, err)
			return
		}
		if p = left; len(p.entries) == 0 {
			return
		}
		t := time.NewTimer(100*time.Millisecond<<try + rand.N(100*time.Millisecond))
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// request is one request. What is left is what may be sent again.
func (s *sending) request(ctx context.Context, p *parcel, last bool) (left *parcel, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	url, err := s.q.url(ctx, p.queue)
	if err != nil {
		return nil, err
	}
	out, err := s.q.api.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: p.entries})
	if err != nil {
		return nil, problem("SendMessageBatch", p.queue, err)
	}
	s.mu.Lock()
	s.requests++
	n := s.requests
	s.mu.Unlock()
	for _, ok := range out.Successful {
		if i, err := strconv.Atoi(aws.ToString(ok.Id)); err == nil && i >= 0 && i < len(p.at) {
			to := &s.sent[p.at[i]]
			to.ID, to.Request = aws.ToString(ok.MessageId), n
		}
	}
	left = &parcel{queue: p.queue, failed: p.failed}
	for _, f := range out.Failed {
		i, err := strconv.Atoi(aws.ToString(f.Id))
		if err != nil || i < 0 || i >= len(p.at) {
			continue
		}
		if f.SenderFault || last {
			s.sent[p.at[i]].Err = fmt.Errorf("send job: queue %s refused it: %s: %s", p.queue, sqsapi.Code(aws.ToString(f.Code)), aws.ToString(f.Message))
			continue
		}
		e := p.entries[i]
		e.Id = aws.String(strconv.Itoa(len(left.entries)))
		left.entries, left.at = append(left.entries, e), append(left.at, p.at[i])
	}
	for _, at := range p.at {
		if s.sent[at].ID == "" && s.sent[at].Err == nil && !slices.Contains(left.at, at) {
			s.sent[at].Err = fmt.Errorf("send job: SQS did not answer for it")
		}
	}
	return left, nil
}
