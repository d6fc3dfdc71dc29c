package dynamodb

import (
	"context"
	"time"

	"github.com/ramify/ramify/ledger"
)

var _ ledger.Ticks = (*Ledger)(nil)

// tickAt is the attribute of a mark, in microseconds since 1970.
const tickAt = "to"

// Ticked is the mark of a schedule, as ledger.Ticks says.
func (l *Ledger) Ticked(ctx context.Context, schedule string) (time.Time, error) {
	key := tickKey(schedule)
	items, err := l.get(ctx, []string{key})
	if err != nil {
		return time.Time{}, l.explain("read tick of "+schedule, err)
	}
	return l.tick(schedule, items[key])
}

// Tick moves the mark of a schedule, as ledger.Ticks says.
func (l *Ledger) Tick(ctx context.Context, schedule string, to time.Time) (time.Time, error) {
	e := newExpression()
	e.set(tickAt, number(to.UnixMicro()))
	e.where("attribute_not_exists("+e.name(tickAt)+") OR", e.name(tickAt), "<", e.value(number(to.UnixMicro())))
	i, err := l.update(ctx, tickKey(schedule), e)
	if old, refused := refusal(err); refused {
		i, err = old, nil
	}
	if err != nil {
		return time.Time{}, l.explain("move tick of "+schedule, err)
	}
	return l.tick(schedule, i)
}

func (l *Ledger) tick(schedule string, i item) (time.Time, error) {
	if i == nil {
		return time.Time{}, nil
	}
	r := reader{item: i}
	at := time.UnixMicro(r.number(tickAt)).UTC()
	return at, l.explain("read tick of "+schedule, r.err)
}
