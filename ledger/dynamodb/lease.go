package dynamodb

import (
	"context"
	"time"

	"github.com/ramify/ramify/ledger"
)

// Lease takes or renews a lease, as ledger.Leaser says.
func (l *Ledger) Lease(ctx context.Context, want ledger.Lease) (ledger.Lease, error) {
	e := newExpression()
	e.set("owner", text(want.Owner))
	e.set("until", number(want.Until.UnixMicro()))
	e.where("attribute_not_exists("+e.name("until")+") OR", e.name("owner"), "=", e.value(text(want.Owner)),
		"OR", e.name("until"), "<=", e.value(number(want.From.UnixMicro())))
	i, err := l.update(ctx, leaseKey(want.Name), e)
	if old, refused := refusal(err); refused {
		i, err = old, nil
	}
	r := reader{item: i}
	held := ledger.Lease{Name: want.Name, Owner: r.text("owner"), Until: time.UnixMicro(r.number("until")).UTC()}
	if err == nil {
		err = r.err
	}
	if err != nil {
		return ledger.Lease{}, l.explain("lease "+want.Name, err)
	}
	return held, nil
}

// Release gives a lease back, as ledger.Leaser says.
func (l *Ledger) Release(ctx context.Context, name, owner string) error {
	e := newExpression()
	e.set("until", number(0))
	e.is("owner", text(owner))
	_, err := l.update(ctx, leaseKey(name), e)
	if _, refused := refusal(err); err != nil && !refused {
		return l.explain("release lease "+name, err)
	}
	return nil
}
