// Command watermill is a worker on watermill-aws. See ../README.md.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-aws/sqs"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
)

type node struct {
	Walk  int `json:"w"`
	Depth int `json:"d"`
	Path  int `json:"p"`
}

type order struct {
	Walk  int `json:"walk"`
	Depth int `json:"depth"`
}

type answer struct {
	Ready   bool    `json:"ready,omitempty"`
	Nodes   int     `json:"nodes,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
}

// known resolves the topic, which is a queue's URL, without asking.
type known struct{}

func (known) ResolveQueueUrl(_ context.Context, p sqs.ResolveQueueUrlParams) (sqs.QueueUrlResolverResult, error) {
	url := sqs.QueueURL(p.Topic)
	return sqs.QueueUrlResolverResult{QueueName: sqs.QueueName(p.Topic), QueueURL: &url, Exists: aws.Bool(true)}, nil
}

type worker struct {
	queue   string
	fanout  int
	publish *sqs.Publisher

	mu    sync.Mutex
	walk  int
	seen  []bool
	count int
	began time.Time
}

func main() {
	ctx := context.Background()
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = 256 // the SDK's 10 would have it connect again and again
	})
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(client))
	check(err)
	w := &worker{queue: os.Getenv("FLEET_QUEUE"), fanout: number("FLEET_FANOUT", 10)}
	w.publish, err = sqs.NewPublisher(sqs.PublisherConfig{
		AWSConfig: cfg, QueueUrlResolver: known{}, DoNotCreateQueueIfNotExists: true,
	}, watermill.NopLogger{})
	check(err)
	for range number("FLEET_SLOTS", 32) {
		// One message of a subscription is handled at a time.
		subscribe, err := sqs.NewSubscriber(sqs.SubscriberConfig{
			AWSConfig: cfg, QueueUrlResolver: known{}, DoNotCreateQueueIfNotExists: true,
			GenerateReceiveMessageInput: func(_ context.Context, url sqs.QueueURL) (*sdk.ReceiveMessageInput, error) {
				return &sdk.ReceiveMessageInput{QueueUrl: aws.String(string(url)), MaxNumberOfMessages: 10, WaitTimeSeconds: 20}, nil
			},
		}, watermill.NopLogger{})
		check(err)
		messages, err := subscribe.Subscribe(ctx, w.queue)
		check(err)
		go func() {
			for m := range messages {
				w.handle(m)
			}
		}()
	}
	say(answer{Ready: true})
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var o order
		check(json.Unmarshal(in.Bytes(), &o))
		w.begin(o)
		w.post(node{Walk: o.Walk, Depth: o.Depth})
	}
}

func (w *worker) begin(o order) {
	nodes, width := 0, 1
	for range o.Depth + 1 {
		nodes += width
		width *= w.fanout
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.walk, w.seen, w.count, w.began = o.Walk, make([]bool, nodes), 0, time.Now()
}

func (w *worker) handle(m *message.Message) {
	var n node
	check(json.Unmarshal(m.Payload, &n))
	if n.Depth > 0 {
		children := make([]node, w.fanout)
		for i := range children {
			children[i] = node{Walk: n.Walk, Depth: n.Depth - 1, Path: n.Path*w.fanout + i + 1}
		}
		w.post(children...)
	}
	w.done(n)
	m.Ack()
}

func (w *worker) done(n node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.Walk != w.walk || w.seen[n.Path] {
		return
	}
	w.seen[n.Path] = true
	if w.count++; w.count == len(w.seen) {
		say(answer{Nodes: w.count, Seconds: time.Since(w.began).Seconds()})
	}
}

// post sends messages, one request each: the publisher knows no other way.
func (w *worker) post(nodes ...node) {
	messages := make([]*message.Message, len(nodes))
	for i, n := range nodes {
		body, err := json.Marshal(n)
		check(err)
		messages[i] = message.NewMessage(watermill.NewUUID(), body)
	}
	check(w.publish.Publish(w.queue, messages...))
}

func say(a answer) { check(json.NewEncoder(os.Stdout).Encode(a)) }

func number(name string, otherwise int) int {
	if v := os.Getenv(name); v != "" {
		n, err := strconv.Atoi(v)
		check(err)
		return n
	}
	return otherwise
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
