package sqs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ramify/ramify/internal/sqsapi"
)

// Settings of a new queue. The zero value is what a fleet needs.
type Settings struct {
	Visibility  time.Duration // until a message is seen again, unless a receive says otherwise; 0: two minutes
	MaxReceives int           // after which a message moves to the dead-letter queue; 0: 100
}

const (
	visibility = 2 * time.Minute
	// maxReceives is far above the retries of a node: returns, drains and lost
	// leases count, too.
	maxReceives = 100
	retention   = 14 * 24 * time.Hour // the longest that SQS offers
	deadSuffix  = "-dead"
)

// Created is a queue that is there now.
type Created struct{ Name, URL, DeadLetters, DeadLettersURL string }

// DeadLettersOf is the name of the dead-letter queue that Create makes for a queue of a
// name; others may have another.
func DeadLettersOf(name string) string { return name + deadSuffix }

// Create makes the queue of a name and its dead-letter queue NAME-dead, or gives
// them the attributes they should have: kept for 14 days, long polling, and
// encrypted by SQS's own key if they are new. Where no stack makes them: development, emulators.
func Create(ctx context.Context, cfg aws.Config, name string, s Settings) (Created, error) {
	c := newClient(cfg)
	defer c.close()
	created := Created{Name: name, DeadLetters: DeadLettersOf(name)}
	for _, n := range []string{created.Name, created.DeadLetters} {
		if _, err := locate(n); err != nil {
			return Created{}, fmt.Errorf("create queue: %w", err)
		}
	}
	if s.Visibility == 0 {
		s.Visibility = visibility
	}
	if s.MaxReceives == 0 {
		s.MaxReceives = maxReceives
	}
	attrs := map[string]string{
		string(types.QueueAttributeNameMessageRetentionPeriod):        strconv.Itoa(int(retention / time.Second)),
		string(types.QueueAttributeNameReceiveMessageWaitTimeSeconds): strconv.Itoa(int(maxWait / time.Second)),
		string(types.QueueAttributeNameSqsManagedSseEnabled):          "true",
		string(types.QueueAttributeNameVisibilityTimeout):             strconv.Itoa(int(seconds(s.Visibility))),
		string(types.QueueAttributeNameMaximumMessageSize):            strconv.Itoa(maxBytes),
	}
	dead := &Queue{client: c, name: created.DeadLetters}
	if err := dead.create(ctx, attrs); err != nil {
		return Created{}, fmt.Errorf("create queue: %w", err)
	}
	arn, err := dead.attributes(ctx, types.QueueAttributeNameQueueArn)
	if err != nil {
		return Created{}, fmt.Errorf("create queue: %w", err)
	}
	policy, err := json.Marshal(redrivePolicy{Target: arn[string(types.QueueAttributeNameQueueArn)], MaxReceives: s.MaxReceives})
	if err != nil {
		return Created{}, fmt.Errorf("create queue: %w", err)
	}
	attrs[string(types.QueueAttributeNameRedrivePolicy)] = string(policy)
	main := &Queue{client: c, name: created.Name}
	if err := main.create(ctx, attrs); err != nil {
		return Created{}, fmt.Errorf("create queue: %w", err)
	}
	created.URL, created.DeadLettersURL = *main.url, *dead.url
	return created, nil
}

// create makes one queue or, where it has other attributes, sets them. How it is
// encrypted stays: by a key of its owner, perhaps.
func (q *Queue) create(ctx context.Context, attrs map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	out, err := q.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &q.name, Attributes: attrs})
	if err == nil {
		q.url = out.QueueUrl
		return nil
	}
	if !sqsapi.Taken(err) {
		return q.problem("CreateQueue", err)
	}
	found, err := q.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &q.name})
	if err != nil {
		return q.problem("GetQueueUrl", err)
	}
	q.url = found.QueueUrl
	attrs = maps.Clone(attrs)
	delete(attrs, string(types.QueueAttributeNameSqsManagedSseEnabled))
	if _, err := q.client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: q.url, Attributes: attrs}); err != nil {
		return q.problem("SetQueueAttributes", err)
	}
	return nil
}
