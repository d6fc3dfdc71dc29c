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

func listWorkers(run string) string { return "W#" + run }

// Workers are all that reported on a run, by their ids.
func (l *Ledger) Workers(ctx context.Context, run string) (all []ledger.Worker, err error) {
	items, err := l.list(ctx, listWorkers(run), true)
	for _, i := range items {
		r := reader{item: i}
		var w ledger.Worker
		if err = json.Unmarshal([]byte(r.text("body")), &w); err != nil {
			break
		}
		all = append(all, w)
	}
	if err != nil {
		return nil, l.explain("read workers of run "+run, err)
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
