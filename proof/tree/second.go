package tree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/schema"
)

// Backed is what the kinds end with that have children for a node that is given up.
const Backed = ".back"

// Reduces reports whether nodes of a kind have a second step, and whether that one
// has children.
func Reduces(kind string) (reduces, sequel bool) {
	kind = strings.TrimSuffix(kind, Backed)
	return kind == Summed || kind == Twofold, kind == Twofold
}

// twofold is nodes whose second step has children.
type twofold struct{ summed }

// Sequel implements processor.Sequel.
func (twofold) Sequel() {}

// Reduce implements processor.Reducer.
func (t twofold) Reduce(ctx context.Context, n *processor.Node, sum schema.Account, out processor.Out) error {
	return t.attempt(history.Reduce, history.Reduced, t.worker, n, out, sum, func(r *recorder, variant, attempt int) error {
		p := Path(n.ID)
		name := "reduce:" + p
		if err := t.linger(ctx, name, "before", variant); err != nil {
			return err
		}
		var a args
		if err := json.Unmarshal(n.Args, &a); err != nil {
			return processor.Permanent(err)
		}
		_, left := a.halves()
		if t.roll(name, "leaf", variant) < 0.3 {
			left = 0
		}
		if err := t.some(r, p+"/", min(1+int(t.roll(name, "kids", variant)*float64(t.Fanout)), left), left); err != nil {
			return err
		}
		return t.mood(name, n, variant, attempt)
	})
}

// halves of the nodes that are left below a node: for its first step and its second.
func (a args) halves() (first, second int) {
	left := max(a.Left-1, 0)
	return left - left/2, left / 2
}

// giver is what becomes of nodes that are given up.
type giver struct {
	t      *Tree
	worker int
}

// The kinds with children for a node that is given up.
type (
	plainBack struct {
		plain
		giver
	}
	summedBack struct {
		summed
		giver
	}
	twofoldBack struct {
		twofold
		giver
	}
)

// GiveUp implements processor.Fallback: most have what is left of the node, which has
// failed until a redrive, and alerts.
func (g giver) GiveUp(_ context.Context, n *processor.Node, _ error, out processor.Out) (err error) {
	t := g.t
	serial, attempt, variant := t.begin(history.GiveUp, g.worker, n, schema.Account{})
	r := &recorder{Out: out}
	p := Path(n.ID)
	panics := true
	defer func() {
		e := history.Event{Worker: g.worker, What: history.GaveUp, Serial: serial, ID: p, Epoch: n.Epoch, Kids: r.kids}
		t.ended(e, panics, err)
	}()
	var a args
	if err = json.Unmarshal(n.Args, &a); err != nil {
		panics = false
		return err
	}
	how := t.roll(p, "give up", n.Epoch, variant)
	switch {
	case a.Given == n.Epoch+1, how < 0.1: // as any
		panics = false
		return nil
	case how < 0.15 && attempt%2 == 1:
		panic("as it was told to")
	}
	a.Given = n.Epoch + 1
	left := fmt.Sprintf("%s^%d", p, n.Epoch)
	err = r.Child(processor.Child{ID: t.id(left), Args: a.json(), Rest: true})
	for i := range int(t.roll(p, "alerts", n.Epoch, variant) * 3) {
		alert := fmt.Sprintf("%s!%d.%d", p, n.Epoch, i)
		err = errors.Join(err, r.Child(processor.Child{Kind: Plain, ID: t.id(alert), Args: args{Left: 1}.json()}))
	}
	if how < 0.2 && attempt%2 == 1 {
		err = errors.New("it cannot say what becomes of it")
	}
	panics = false
	return err
}

// Left reads the name of what is left of a node that was given up in an epoch: the
// node, and the epoch.
func Left(id string) (of string, epoch int, ok bool) {
	of, text, ok := cutLast(id, "^")
	epoch, err := strconv.Atoi(text)
	return of, epoch, ok && err == nil
}

// stem is the name of the node that an id is what is left of; of any other its own.
func stem(p string) string {
	for {
		of, _, ok := Left(p)
		if !ok {
			return p
		}
		p = of
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
