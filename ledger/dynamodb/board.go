package dynamodb

import (
	"context"
	"encoding/json"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ramify/ramify/ledger"
)

// listing is the index by which runs and workers are listed. Only their items
// have its keys, so plans and tallies cost nothing more, and it has only their
// keys, which never change: an item is written to it once. One item with all
// names in it would grow with each run, be charged by its size each time, and
// end at 400 KB; a scan would read every plan there is.
//
// It follows the table within about a second: who has just created a run may not
// see it listed. What is listed is then read consistently from the table.
//
// Source: Amazon DynamoDB Developer Guide, "Take advantage of sparse indexes".
const listing = "listing"

// Report overwrites the figures of a worker.
func (l *Ledger) Report(ctx context.Context, w ledger.Worker) error {
	body, err := json.Marshal(w)
	if err == nil {
		err = l.put(ctx, item{
			partition: text(workerKey(w.Run, w.ID)),
			listed:    text(listWorkers(w.Run)), order: text(workerKey(w.Run, w.ID)),
			"body": text(string(body)),
		}, nil)
	}
	if err != nil {
		return l.explain("report figures of worker "+w.ID, err)
	}
	return nil
}

func listWorkers(run string) string  { return "W#" + run }
func listSketches(run string) string { return "K#" + run }

// Workers are all that reported on a run, by their ids.
func (l *Ledger) Workers(ctx context.Context, run string) ([]ledger.Worker, error) {
	all, err := bodies[ledger.Worker](ctx, l, listWorkers(run))
	if err != nil {
		return nil, l.explain("read workers of run "+run, err)
	}
	return all, nil
}

// Draw overwrites the sketch of a worker. It is an item of its own: figures are written
// more often, and charged by the size of theirs.
func (l *Ledger) Draw(ctx context.Context, s ledger.Sketch) error {
	body, err := json.Marshal(s)
	if err == nil {
		err = l.put(ctx, item{
			partition: text(sketchKey(s.Run, s.ID)),
			listed:    text(listSketches(s.Run)), order: text(sketchKey(s.Run, s.ID)),
			"body": text(string(body)),
		}, nil)
	}
	if err != nil {
		return l.explain("draw sketch of worker "+s.ID, err)
	}
	return nil
}

// Sketches are those of a run, by the ids of their workers.
func (l *Ledger) Sketches(ctx context.Context, run string) ([]ledger.Sketch, error) {
	all, err := bodies[ledger.Sketch](ctx, l, listSketches(run))
	if err != nil {
		return nil, l.explain("read sketches of run "+run, err)
	}
	return all, nil
}

// bodies are the listed items whose body is JSON.
func bodies[T any](ctx context.Context, l *Ledger, what string) (all []T, err error) {
	items, err := l.list(ctx, what, true)
	if err != nil {
		return nil, err
	}
	for _, i := range items {
		r := reader{item: i}
		var one T
		if err := json.Unmarshal([]byte(r.text("body")), &one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// Runs are all runs of the table, newest first.
func (l *Ledger) Runs(ctx context.Context) (all []ledger.Run, err error) {
	items, err := l.list(ctx, listRuns, false)
	for _, i := range items {
		var r ledger.Run
		if r, err = readRun(i); err != nil {
			break
		}
		all = append(all, r)
	}
	if err != nil {
		return nil, l.explain("read runs", err)
	}
	return all, nil
}

// list reads the items of a partition of the index, in its order.
func (l *Ledger) list(ctx context.Context, what string, forward bool) ([]item, error) {
	keys, err := l.listKeys(ctx, what, forward)
	if err != nil {
		return nil, err
	}
	found, err := l.get(ctx, keys)
	if err != nil {
		return nil, err
	}
	items := make([]item, 0, len(keys))
	for _, k := range keys {
		if i := found[k]; i != nil { // it may be gone since
			items = append(items, i)
		}
	}
	return items, nil
}

func (l *Ledger) listKeys(ctx context.Context, what string, forward bool) (keys []string, err error) {
	if err := l.calls.Enter(ctx); err != nil {
		return nil, err
	}
	defer l.calls.Leave()
	e := newExpression()
	e.is(listed, text(what))
	index := listing
	pages := sdk.NewQueryPaginator(l.client.Query, &sdk.QueryInput{
		TableName: &l.table, IndexName: &index, ScanIndexForward: &forward,
		KeyConditionExpression: e.condition(), ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.given(),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("query index %s: %w", index, err)
		}
		l.count("Query", page.ConsumedCapacity)
		for _, i := range page.Items {
			r := reader{item: i}
			keys = append(keys, r.text(partition))
		}
	}
	return keys, nil
}
