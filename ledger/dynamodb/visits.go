package dynamodb

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// Attributes of a visit.
const (
	claims  = "c" // a set: those that were ever made, packed
	nearest = "d" // the least depth of them
)

// claimsAtATime is how many claims of one call are under way: an answer takes
// milliseconds, and a hub has thousands of neighbours.
const claimsAtATime = 16

// Visit makes claims, as ledger.Visits says.
//
// A vertex is an item of some 60 bytes, found by the hash of its name, so that hubs
// spread over partitions like any record. First all are read, a hundred to a
// request: in most graphs most edges lead to a vertex that somebody has claimed, and
// a read costs half a unit where a write costs one, also one that is refused. The
// read may be old: claims are only added, so what refuses a claim once refuses it
// for ever, and all others are conditional writes.
//
// These are single UpdateItems, some at a time. TransactWriteItems would take two
// units for each, and let one vertex that somebody else has just claimed cancel
// ninety-nine others; BatchWriteItem has no conditions; BatchExecuteStatement would
// save requests and no units, for rights that tables of ours do not need yet.
//
// An edge so costs 0.5 read units and a vertex 1 write unit: at on-demand prices a
// million of each $0.06 and $0.63 (Amazon DynamoDB pricing, us-east-1: $0.125 and
// $0.625 per million request units).
//
// Source: Amazon DynamoDB Developer Guide, "DynamoDB read and write operations" and
// "Amazon DynamoDB Transactions: How it works".
func (l *Ledger) Visit(ctx context.Context, c ledger.Claim, vertices []schema.PID) ([]ledger.Visit, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	visits, err := l.readVisits(ctx, vertices, false)
	if err == nil {
		err = l.claimVisits(ctx, c, vertices, visits)
	}
	if err != nil {
		return nil, l.explain(fmt.Sprintf("claim %d visits", len(vertices)), err)
	}
	return visits, nil
}

// Visited reads what is kept of some vertices, as ledger.Visits says.
func (l *Ledger) Visited(ctx context.Context, vertices []schema.PID) ([]ledger.Visit, error) {
	visits, err := l.readVisits(ctx, vertices, true)
	if err != nil {
		return nil, l.explain(fmt.Sprintf("read %d visits", len(vertices)), err)
	}
	return visits, nil
}

func (l *Ledger) readVisits(ctx context.Context, vertices []schema.PID, consistent bool) ([]ledger.Visit, error) {
	keys := make([]string, len(vertices))
	for i, v := range vertices {
		keys[i] = visitKey(v)
	}
	items, err := l.getMany(ctx, keys, consistent)
	if err != nil {
		return nil, err
	}
	visits := make([]ledger.Visit, len(vertices))
	for i, k := range keys {
		if visits[i], err = readVisit(items[k]); err != nil {
			return nil, err
		}
	}
	return visits, nil
}

// claimVisits makes a claim on those vertices that, as far as visits tells, take it,
// and brings visits up to date.
func (l *Ledger) claimVisits(ctx context.Context, c ledger.Claim, vertices []schema.PID, visits []ledger.Visit) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var failed error
	var requests sync.WaitGroup
	turn := make(chan struct{}, claimsAtATime)
	for i := range vertices {
		if !visits[i].Takes(c) {
			continue
		}
		turn <- struct{}{}
		requests.Go(func() {
			defer func() { <-turn }()
			v, err := l.claimVisit(ctx, c, vertices[i])
			if err == nil {
				visits[i] = v // its own alone
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = err
				cancel()
			}
		})
	}
	requests.Wait()
	return failed
}

// claimVisit adds a claim where nobody has a nearer one. An answer that was lost is
// no matter: the claim is then among those that refuse it.
func (l *Ledger) claimVisit(ctx context.Context, c ledger.Claim, vertex schema.PID) (ledger.Visit, error) {
	e := newExpression()
	e.add(claims, &types.AttributeValueMemberBS{Value: [][]byte{ledger.AppendClaim(nil, c)}})
	depth := number(int64(c.Depth))
	e.set(nearest, depth)
	free := "attribute_not_exists(" + e.name(nearest) + ")"
	if c.Nearer {
		free += " OR " + e.name(nearest) + " > " + e.value(depth)
	}
	e.where(free)
	i, err := l.update(ctx, visitKey(vertex), e)
	if old, refused := refusal(err); refused {
		i, err = old, nil
	}
	if err != nil {
		return nil, err
	}
	return readVisit(i)
}

// readVisit reads the claims of an item, which may be nil.
func readVisit(i item) (ledger.Visit, error) {
	r := &reader{item: i}
	set, _ := attribute[*types.AttributeValueMemberBS](r, claims)
	if r.err != nil || set == nil {
		return nil, r.err
	}
	return ledger.UnpackVisit(slices.Concat(set.Value...))
}
