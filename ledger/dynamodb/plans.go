package dynamodb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// Plan puts a plan, as ledger.Ledger says.
func (l *Ledger) Plan(ctx context.Context, p ledger.Plan) (stored ledger.Plan, won bool, err error) {
	p.At = p.At.UTC().Truncate(time.Millisecond)
	kids := ledger.PackKids(p.Kids)
	var e *expression
	if p.Type != ledger.Group {
		e = newExpression()
		e.where("attribute_not_exists("+e.name(partition)+") OR",
			e.name("t"), "=", e.value(text(string(ledger.Tomb))), "AND", e.name("ep"), "<", e.value(number(int64(p.Epoch))))
	}
	err = l.put(ctx, planItem(p, kids), e)
	if old, refused := refusal(err); refused {
		if stored, err = readPlan(old); err == nil {
			won = sameTry(&stored, &p)
			return stored, won, nil
		}
	}
	if err == nil {
		p.Kids, err = ledger.UnpackKids(kids)
	}
	if err != nil {
		return ledger.Plan{}, false, l.explain(fmt.Sprintf("put plan %s", p.PID), err)
	}
	return p, true, nil
}

// sameTry reports whether the stored plan was put by an earlier try of the call
// that puts p.
func sameTry(stored, p *ledger.Plan) bool {
	return stored.MID == p.MID && stored.Attempt == p.Attempt && stored.Type == p.Type && stored.Epoch == p.Epoch
}

func planItem(p ledger.Plan, kids []byte) item {
	i := item{
		partition: text(planKey(p.PID)),
		"run":     text(p.Run),
		"t":       text(string(p.Type)),
		"ep":      number(int64(p.Epoch)),
		"att":     unsigned(p.Attempt),
		"mid":     unsigned(uint64(p.MID)),
		"depth":   number(int64(p.Depth)),
		"share":   unsigned(uint64(p.Share)),
		"up":      binary(p.Up.Parent[:]),
		"slot":    number(int64(p.Up.Slot)),
	}
	if len(kids) > 0 {
		i["k"] = number(int64(len(p.Kids)))
		i["kids"] = binary(kids)
	}
	if own := account(p.Own); len(own) > 0 {
		i["own"] = &types.AttributeValueMemberM{Value: own}
	}
	if p.Reduce {
		i["red"] = truth(true)
	}
	if p.Err != "" {
		i["err"] = text(p.Err)
	}
	if p.Tries != 0 {
		i["try"] = number(int64(p.Tries))
	}
	if !p.At.IsZero() {
		i["on"] = number(p.At.UnixMilli()) // "at" is the index's
	}
	return i
}

func readPlan(i item) (p ledger.Plan, err error) {
	r := &reader{item: i}
	p = ledger.Plan{
		Run: r.text("run"), Type: ledger.PlanType(r.text("t")), Epoch: int(r.number("ep")),
		Up:     schema.Place{Parent: r.pid("up"), Slot: int(r.number("slot"))},
		Reduce: r.truth("red"), Attempt: r.unsigned("att"), MID: schema.MID(r.unsigned("mid")),
		Depth: int(r.number("depth")), Share: schema.Share(r.unsigned("share")), Err: r.text("err"),
		Tries: int(r.number("try")),
	}
	r.below("own", func(r *reader) { p.Own = r.account() })
	if on := r.number("on"); on != 0 {
		p.At = time.UnixMilli(on).UTC()
	}
	kids := r.binary("kids")
	if r.err != nil {
		return ledger.Plan{}, r.err
	}
	if err := p.PID.UnmarshalText([]byte(strings.TrimPrefix(r.text(partition), "P#"))); err != nil {
		return ledger.Plan{}, err
	}
	p.Kids, err = ledger.UnpackKids(kids)
	return p, err
}
