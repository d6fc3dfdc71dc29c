package dynamodb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ramify/ramify/ledger"
)

// listRuns is the partition of the index that lists all runs.
const listRuns = "R"

// sortable is a time that sorts as text.
const sortable = "2006-01-02T15:04:05.000000000Z"

// Traces of the call that made a run's record, and of the one that changed it
// last: a repeated call whose first answer was lost finds its own.
const (
	madeBy    = "made"
	changedBy = "last"
)

// changedParam begins the attribute of a param that was changed: the others stay in
// the options as they were written.
const changedParam = "param:"

func trace() []byte {
	b := make([]byte, 0, 8)
	for v := rand.Uint64(); len(b) < cap(b); v >>= 8 {
		b = append(b, byte(v))
	}
	return b
}

// Create puts a run, as ledger.Ledger says.
func (l *Ledger) Create(ctx context.Context, run ledger.Run) error {
	mine := trace()
	i, err := runItem(run)
	if err == nil {
		i[madeBy] = binary(mine)
		e := newExpression()
		e.where("attribute_not_exists(" + e.name(partition) + ")")
		err = l.put(ctx, i, e)
	}
	if old, refused := refusal(err); refused {
		r := reader{item: old}
		if bytes.Equal(r.binary(madeBy), mine) {
			return nil
		}
		err = ledger.ErrExists
	}
	if err != nil {
		return l.explain("create run "+run.ID, err)
	}
	return nil
}

// Run reads a run, as ledger.Ledger says.
func (l *Ledger) Run(ctx context.Context, run string) (r ledger.Run, err error) {
	if r, err = l.getRun(ctx, run); err != nil {
		return ledger.Run{}, l.explain("read run "+run, err)
	}
	return r, nil
}

func (l *Ledger) getRun(ctx context.Context, run string) (r ledger.Run, err error) {
	if err := l.calls.Enter(ctx); err != nil {
		return r, err
	}
	defer l.calls.Leave()
	consistent := true
	out, err := l.client.GetItem(ctx, &sdk.GetItemInput{
		TableName: &l.table, Key: item{partition: text(runKey(run))}, ConsistentRead: &consistent,
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if err != nil {
		return r, err
	}
	l.count("GetItem", out.ConsumedCapacity)
	if out.Item == nil {
		return r, ledger.ErrNoRun
	}
	return readRun(out.Item)
}

// Amend changes a run, as ledger.Ledger says.
func (l *Ledger) Amend(ctx context.Context, run string, c ledger.Change) (r ledger.Run, err error) {
	mine := trace()
	e := newExpression()
	e.set(changedBy, binary(mine))
	if c.State != "" {
		e.set("state", text(string(c.State)))
		if c.State.Over() {
			e.set("finished", stamp(c.At))
		}
	}
	if c.NextEpoch {
		e.set("ep", number(int64(c.Epoch)+1)) // the condition says what it is
	}
	if c.Paused != nil {
		e.set("pause", truth(*c.Paused))
	}
	if c.Concurrency != nil {
		e.set("conc", number(int64(*c.Concurrency)))
	}
	for name, v := range c.Params {
		e.setAs(changedParam+name, text(v))
	}
	e.is("state", text(string(c.From)))
	e.is("ep", number(int64(c.Epoch)))

	i, err := l.update(ctx, runKey(run), e)
	if old, refused := refusal(err); refused {
		i, err = old, refusedRun(old, mine)
	}
	if err != nil && !errors.Is(err, ledger.ErrConflict) {
		return ledger.Run{}, l.explain("change run "+run, err)
	}
	r, unreadable := readRun(i)
	switch {
	case unreadable != nil:
		return ledger.Run{}, l.explain("change run "+run, unreadable)
	case err != nil:
		return r, fmt.Errorf("change run %s, which is %s in epoch %d: %w", run, r.State, r.Epoch, err)
	}
	return r, nil
}

// refusedRun tells why a run was not changed; nil if this call had changed it
// before.
func refusedRun(old item, mine []byte) error {
	r := reader{item: old}
	switch {
	case old == nil:
		return ledger.ErrNoRun
	case bytes.Equal(r.binary(changedBy), mine):
		return nil
	default:
		return ledger.ErrConflict
	}
}

// claimRoot marks that the root has a plan.
func (l *Ledger) claimRoot(ctx context.Context, run string, epoch int) (ledger.Outcome, error) {
	e := newExpression()
	e.set("claim", number(int64(epoch)+1))
	return l.writeRoot(ctx, run, epoch, e, false)
}

// settleRoot ends a run.
func (l *Ledger) settleRoot(ctx context.Context, s ledger.Settlement) (ledger.Outcome, error) {
	state := ledger.Finished
	if s.Failed {
		state = ledger.Failed
	}
	e := newExpression()
	e.set("state", text(string(state)))
	e.set("via", truth(s.Via))
	e.set("finished", stamp(time.Now()))
	for name, v := range account(s.Account) {
		e.add(name, v)
	}
	return l.writeRoot(ctx, s.Run, s.Epoch, e, s.Unfenced)
}

// writeRoot changes a run's record if it is running in the epoch and, where that
// matters, not claimed. Over comes before Claimed: of a run that is over there is
// nothing left to fence.
func (l *Ledger) writeRoot(ctx context.Context, run string, epoch int, e *expression, unfenced bool) (ledger.Outcome, error) {
	mine := trace()
	e.set(changedBy, binary(mine))
	e.is("state", text(string(ledger.Running)))
	e.is("ep", number(int64(epoch)))
	if unfenced {
		e.where("attribute_not_exists("+e.name("claim")+") OR", e.name("claim"), "<>", e.value(number(int64(epoch)+1)))
	}
	_, err := l.update(ctx, runKey(run), e)
	old, refused := refusal(err)
	if !refused {
		return ledger.Won, err
	}
	switch err := refusedRun(old, mine); {
	case err == nil:
		return ledger.Won, nil
	case !errors.Is(err, ledger.ErrConflict):
		return 0, err
	}
	r, err := readRun(old)
	switch {
	case err != nil:
		return 0, err
	case r.State.Over() || r.Epoch != epoch:
		return ledger.Over, nil
	default:
		return ledger.Claimed, nil
	}
}

func stamp(t time.Time) types.AttributeValue { return text(t.UTC().Format(time.RFC3339Nano)) }

func runItem(r ledger.Run) (item, error) {
	concurrency := r.Options.Concurrency
	r.Options.Concurrency = 0 // it changes, on its own
	options, err := json.Marshal(r.Options)
	if err != nil {
		return nil, err
	}
	i := account(r.Totals)
	i[partition] = text(runKey(r.ID))
	i[listed] = text(listRuns)
	i[order] = text(r.Created.UTC().Format(sortable) + " " + r.ID)
	i["target"] = text(r.Target)
	i["state"] = text(string(r.State))
	i["ep"] = number(int64(r.Epoch))
	i["pause"] = truth(r.Paused)
	i["root"] = binary(ledger.PackKids([]ledger.Kid{r.Root}))
	i["opt"] = text(string(options))
	i["conc"] = number(int64(concurrency))
	i["via"] = truth(r.Via)
	i["created"] = stamp(r.Created)
	i["finished"] = stamp(r.Finished)
	if r.Claim != 0 {
		i["claim"] = number(int64(r.Claim))
	}
	return i, nil
}

func readRun(i item) (ledger.Run, error) {
	r := &reader{item: i}
	run := ledger.Run{
		ID: strings.TrimPrefix(r.text(partition), runKey("")), Target: r.text("target"),
		State: ledger.State(r.text("state")), Epoch: int(r.number("ep")), Paused: r.truth("pause"),
		Claim: int(r.number("claim")), Via: r.truth("via"), Totals: r.account(),
		Created: r.time("created"), Finished: r.time("finished"),
	}
	root, err := ledger.UnpackKids(r.binary("root"))
	switch {
	case r.err != nil:
		return ledger.Run{}, r.err
	case err != nil:
		return ledger.Run{}, err
	case len(root) != 1:
		return ledger.Run{}, fmt.Errorf("unpack root of run %s: %d nodes", run.ID, len(root))
	}
	run.Root = root[0]
	if err := json.Unmarshal([]byte(r.text("opt")), &run.Options); err != nil {
		return ledger.Run{}, fmt.Errorf("unpack options of run %s: %w", run.ID, err)
	}
	run.Options.Concurrency = int(r.number("conc"))
	changed := map[string]string{}
	for name := range i {
		if param, is := strings.CutPrefix(name, changedParam); is {
			changed[param] = r.text(name)
		}
	}
	run.Options = run.Options.With(changed)
	return run, r.err
}

func (r *reader) time(name string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, r.text(name))
	if err != nil {
		r.fail(name, err)
	}
	return t
}
