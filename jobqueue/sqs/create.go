package sqs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ramify/ramify/internal/sqsapi"
	"github.com/ramify/ramify/jobqueue"
)

// retention is for how long jobs are kept: the longest that SQS offers.
const retention = 14 * 24 * time.Hour

// ready finds a queue or makes it, with its failed queue: at most three requests more,
// unless one of that name is there with other attributes.
func (q *Queues) ready(ctx context.Context, name, failed string) (made bool, err error) {
	p := q.place(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := q.locate(ctx, p, name); !errors.Is(err, jobqueue.ErrNoQueue) {
		return false, err
	}
	attrs := q.attributes(name)
	if failed != "" && failed != name {
		arn, err := q.readyFailed(ctx, failed)
		if err != nil {
			return false, err
		}
		policy, err := json.Marshal(map[string]any{"deadLetterTargetArn": arn, "maxReceiveCount": max(q.o.Tries, 1)})
		if err != nil {
			return false, err
		}
		attrs[string(types.QueueAttributeNameRedrivePolicy)] = string(policy)
	}
	url, err := q.create(ctx, name, attrs)
	if err != nil {
		return false, err
	}
	p.url = url
	return true, nil
}

// readyFailed finds or makes a failed queue and returns its ARN.
func (q *Queues) readyFailed(ctx context.Context, name string) (string, error) {
	p := q.place(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.url == "" {
		// Most likely it is not there, either; and where it is, with the attributes that
		// we give, this finds it.
		url, err := q.create(ctx, name, q.attributes(name))
		if err != nil {
			return "", err
		}
		p.url = url
	}
	arn := types.QueueAttributeNameQueueArn
	out, err := q.api.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &p.url, AttributeNames: []types.QueueAttributeName{arn}})
	if err != nil {
		return "", problem("GetQueueAttributes", name, err)
	}
	return out.Attributes[string(arn)], nil
}

// create makes one queue. One that somebody has just made, or that is there with other
// attributes, is taken as it is.
func (q *Queues) create(ctx context.Context, name string, attrs map[string]string) (string, error) {
	out, err := q.api.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attrs})
	if err == nil {
		return aws.ToString(out.QueueUrl), nil
	}
	if !sqsapi.Taken(err) {
		return "", problem("CreateQueue", name, err)
	}
	found, err := q.api.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return "", problem("GetQueueUrl", name, err)
	}
	return aws.ToString(found.QueueUrl), nil
}

// attributes are those of a new queue: kept as long as SQS can, and encrypted by its own
// key.
func (q *Queues) attributes(name string) map[string]string {
	attrs := map[string]string{}
	if jobqueue.IsFIFO(name) {
		attrs[string(types.QueueAttributeNameFifoQueue)] = "true"
	}
	if !q.o.Bare {
		attrs[string(types.QueueAttributeNameMessageRetentionPeriod)] = strconv.Itoa(int(retention / time.Second))
		attrs[string(types.QueueAttributeNameSqsManagedSseEnabled)] = "true"
	}
	return attrs
}

// Remove deletes a queue as jobqueue.Past says.
func (q *Queues) Remove(ctx context.Context, name string) error {
	ctx, leave, err := q.enter(ctx, patience)
	if err != nil {
		return fmt.Errorf("delete queue: %w", err)
	}
	defer leave()
	p := q.place(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := q.locate(ctx, p, name); err != nil {
		return fmt.Errorf("delete queue: %w", err)
	}
	if _, err := q.api.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &p.url}); err != nil {
		return fmt.Errorf("delete queue: %w", problem("DeleteQueue", name, err))
	}
	p.url = ""
	return nil
}
