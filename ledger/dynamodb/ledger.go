// Package dynamodb is a ledger on one DynamoDB table, for any number of tasks.
//
// A record of the protocol is an item, found by the hash of its key alone, and
// every write is one conditional PutItem or UpdateItem: no transaction, no scan,
// and no read where a condition fails, since the answer brings the item. The
// rules are those of docs/state-machine.md.
//
//	pk              item
//	R#run           a run
//	P#pid           a plan, a step or a group
//	T#pid#epoch     a tally
//	W#run#worker    the figures of a worker
//	L#name          a lease
//	V#pid           the claims on a vertex of a graph
//
// Source: Amazon DynamoDB Developer Guide, "Condition expressions", "Update
// expressions" and "DynamoDB read and write operations".
package dynamodb

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ramify/ramify/internal/gate"
	"github.com/ramify/ramify/internal/pace"
	"github.com/ramify/ramify/ledger"
)

// Options of a ledger. The zero value is good for production.
type Options struct {
	// Keep is how long a record stays after it was last written: DynamoDB deletes
	// it some days later. It must exceed the longest run and the wait for its
	// redrive. 0 is DefaultKeep, below 0 for ever.
	Keep time.Duration

	// Timeout of one attempt of a request, which is then repeated: 0 is
	// DefaultTimeout. The config's transport has its own if it is not the SDK's.
	Timeout time.Duration

	// Consumed is told the capacity units of each request that succeeded, by the
	// name of its operation; many goroutines call it. A write whose condition
	// fails consumes units, too, but DynamoDB does not say how many.
	Consumed func(operation string, units float64)
}

// DefaultKeep outlives any message: SQS keeps one for 14 days at most.
const DefaultKeep = 90 * 24 * time.Hour

// DefaultTimeout is much: items are small, answers take milliseconds.
const DefaultTimeout = 5 * time.Second

// idleConns are kept open: a task has as many calls under way as slots.
const idleConns = 256

// Ledger is the ledger, the board and the leases of a table. It implements
// ledger.Ledger, ledger.Board, ledger.Leaser and ledger.Visits.
type Ledger struct {
	table     string
	options   Options
	region    string
	client    requests
	closeIdle func()
	pace      *pace.Pacer

	calls *gate.Gate
}

var (
	_ ledger.Ledger = (*Ledger)(nil)
	_ ledger.Board  = (*Ledger)(nil)
	_ ledger.Leaser = (*Ledger)(nil)
	_ ledger.Visits = (*Ledger)(nil)
)

// New is the ledger of a table that Create has made, or a stack. It asks nothing
// of AWS yet. Of the config it takes credentials, region, endpoint and transport;
// retries are its own.
func New(config aws.Config, table string, o Options) *Ledger {
	if o.Keep == 0 {
		o.Keep = DefaultKeep
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	l := &Ledger{table: table, options: o, region: config.Region, closeIdle: func() {}, pace: pace.New(0), calls: gate.New(ledger.ErrClosed)}
	if own, ok := config.HTTPClient.(*awshttp.BuildableClient); ok || config.HTTPClient == nil {
		if own == nil {
			own = awshttp.NewBuildableClient()
		}
		transport := own.GetTransport()
		transport.MaxIdleConns, transport.MaxIdleConnsPerHost = idleConns, idleConns
		config.HTTPClient = &http.Client{Transport: transport, Timeout: o.Timeout}
		l.closeIdle = transport.CloseIdleConnections
	}
	l.client = requestsOf(sdk.NewFromConfig(config, func(o *sdk.Options) {
		o.Retryer = newRetryer()
		o.APIOptions = append(o.APIOptions, l.paced)
	}))
	return l
}

// Close waits for calls in progress.
func (l *Ledger) Close() error {
	l.calls.Close()
	l.closeIdle()
	return nil
}

// put writes a whole item where the condition holds; an empty one always does.
func (l *Ledger) put(ctx context.Context, i item, c *expression) error {
	if err := l.calls.Enter(ctx); err != nil {
		return err
	}
	defer l.calls.Leave()
	l.expire(i)
	in := &sdk.PutItemInput{TableName: &l.table, Item: i, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal}
	if c != nil {
		in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = c.condition(), c.names, c.given()
		in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	}
	out, err := l.client.PutItem(ctx, in)
	if err != nil {
		return err
	}
	l.count("PutItem", out.ConsumedCapacity)
	return nil
}

// update changes an item, or makes it, where the condition holds, and returns
// it as it then is.
func (l *Ledger) update(ctx context.Context, key string, e *expression) (item, error) {
	if err := l.calls.Enter(ctx); err != nil {
		return nil, err
	}
	defer l.calls.Leave()
	if at := l.expiry(); at != nil {
		e.set(expiresAt, at)
	}
	out, err := l.client.UpdateItem(ctx, &sdk.UpdateItemInput{
		TableName: &l.table, Key: item{partition: text(key)},
		UpdateExpression: e.update(), ConditionExpression: e.condition(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.given(),
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              types.ReturnConsumedCapacityTotal,
	})
	if err != nil {
		return nil, err
	}
	l.count("UpdateItem", out.ConsumedCapacity)
	return out.Attributes, nil
}

func (l *Ledger) count(operation string, c *types.ConsumedCapacity) {
	if l.options.Consumed != nil && c != nil {
		l.options.Consumed(operation, aws.ToFloat64(c.CapacityUnits))
	}
}

// expiry is when an item written now may go; nil for never.
func (l *Ledger) expiry() types.AttributeValue {
	if l.options.Keep < 0 {
		return nil
	}
	return number(time.Now().Add(l.options.Keep).Unix())
}

func (l *Ledger) expire(i item) {
	if at := l.expiry(); at != nil {
		i[expiresAt] = at
	}
}
