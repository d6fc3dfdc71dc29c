package dynamodb

import (
	"context"
	"slices"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ramify/ramify/ledger"
)

// maxKeys of one request (Amazon DynamoDB API Reference, "BatchGetItem").
const maxKeys = 100

// atATime is how many requests of one call are under way.
const atATime = 8

// Read reads records consistently, as ledger.Ledger says.
func (l *Ledger) Read(ctx context.Context, keys []ledger.Key) ([]ledger.Record, error) {
	names := make([]string, len(keys))
	for i, k := range keys {
		if names[i] = planKey(k.PID); k.Tally {
			names[i] = tallyKey(k.PID, k.Epoch)
		}
	}
	items, err := l.get(ctx, names)
	records := make([]ledger.Record, len(keys))
	for i := 0; i < len(keys) && err == nil; i++ {
		records[i], err = readRecord(items[names[i]], keys[i])
	}
	if err != nil {
		return nil, l.explain("read records", err)
	}
	return records, nil
}

func readRecord(i item, k ledger.Key) (r ledger.Record, err error) {
	switch {
	case i == nil:
	case k.Tally:
		var t ledger.Tally
		t, err = readTally(i, k.PID, k.Epoch)
		r.Tally = &t
	default:
		var p ledger.Plan
		p, err = readPlan(i)
		r.Plan = &p
	}
	return r, err
}

// get reads the items of some keys, which may repeat, and leaves out what does
// not exist. Requests go out some at a time: a list of a thousand runs, or a walk
// over a hundred thousand plans, would wait for each in turn.
func (l *Ledger) get(ctx context.Context, keys []string) (map[string]item, error) {
	return l.getMany(ctx, keys, true)
}

// getMany is get, at half the price where the answer may be a little old.
func (l *Ledger) getMany(ctx context.Context, keys []string, consistent bool) (map[string]item, error) {
	if err := l.calls.Enter(ctx); err != nil {
		return nil, err
	}
	defer l.calls.Leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	items := make(map[string]item, len(keys))
	var mu sync.Mutex
	var failed error
	var requests sync.WaitGroup
	turn := make(chan struct{}, atATime)
	for batch := range slices.Chunk(distinct(keys), maxKeys) {
		turn <- struct{}{}
		requests.Go(func() {
			defer func() { <-turn }()
			err := l.getBatch(ctx, batch, consistent, func(key string, i item) {
				mu.Lock()
				items[key] = i
				mu.Unlock()
			})
			mu.Lock()
			if err != nil && failed == nil {
				failed = err
				cancel()
			}
			mu.Unlock()
		})
	}
	requests.Wait()
	if failed != nil {
		return nil, failed
	}
	return items, nil
}

func distinct(keys []string) []item {
	asked := make(map[string]bool, len(keys))
	all := make([]item, 0, len(keys))
	for _, k := range keys {
		if !asked[k] {
			asked[k] = true
			all = append(all, item{partition: text(k)})
		}
	}
	return all
}

// getBatch reads up to maxKeys items. DynamoDB may answer a part only, where it
// throttles or the answer would be too large; the rest is asked for again.
func (l *Ledger) getBatch(ctx context.Context, keys []item, consistent bool, found func(key string, i item)) error {
	for attempt := 0; len(keys) > 0; attempt++ {
		if attempt > 0 {
			if err := rest(ctx, attempt); err != nil {
				return err
			}
		}
		out, err := l.client.BatchGetItem(ctx, &sdk.BatchGetItemInput{
			RequestItems:           map[string]types.KeysAndAttributes{l.table: {Keys: keys, ConsistentRead: &consistent}},
			ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			return err
		}
		for i := range out.ConsumedCapacity {
			l.count("BatchGetItem", &out.ConsumedCapacity[i])
		}
		for _, i := range out.Responses[l.table] {
			r := reader{item: i}
			found(r.text(partition), i)
		}
		rest := out.UnprocessedKeys[l.table].Keys
		if len(rest) < len(keys) {
			attempt = 0 // it gets on
		}
		keys = rest
	}
	return nil
}
