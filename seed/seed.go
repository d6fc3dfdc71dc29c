// Package seed is how a run begins, and how it begins again: a run's record in
// the ledger and a root on the queue.
package seed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/schema"
)

// Name is a fresh name for a run: its time to the second and four random letters,
// so that names sort by age.
func Name(now time.Time) string {
	const letters = "abcdefghjkmnpqrstuvwxyz"
	b := []byte(now.UTC().Format("20060102-150405-"))
	for range 4 {
		b = append(b, letters[rand.IntN(len(letters))])
	}
	return string(b)
}

// Check says what makes it impossible to begin a run: its name, or a root that no
// message can carry. Run asks it too; whoever makes room for a run asks first.
func Check(r ledger.Run) error {
	if err := schema.CheckRunName(r.ID); err != nil {
		return err
	}
	if err := schema.CheckKind(r.Root.Kind); err != nil {
		return err
	}
	m := root(r)
	return m.Validate()
}

// Run creates a run and posts its root. ledger.ErrExists: the name is taken. If
// the post fails the run exists without a message; Sweep mends that.
func Run(ctx context.Context, l ledger.Ledger, p *post.Poster, r ledger.Run) error {
	if err := Check(r); err != nil {
		return fmt.Errorf("seed run: %w", err)
	}
	m := root(r)
	r.State = ledger.Running
	if err := l.Create(ctx, r); err != nil {
		return fmt.Errorf("seed run %s: %w", r.ID, err)
	}
	return p.Send(ctx, post.Letter{Message: m})
}

// Redrive begins a new epoch of a run that finished with failures: what failed,
// and only that, is processed again. ledger.ErrConflict: the run is in another
// state.
func Redrive(ctx context.Context, l ledger.Ledger, p *post.Poster, run string) (ledger.Run, error) {
	r, err := l.Run(ctx, run)
	if err != nil {
		return ledger.Run{}, err
	}
	no := false // a pause that came too late to hold the epoch before must not hold this one
	r, err = l.Amend(ctx, run, ledger.Change{From: ledger.Failed, Epoch: r.Epoch, State: ledger.Running, NextEpoch: true, Paused: &no})
	if err != nil {
		return r, fmt.Errorf("redrive run %s: %w", run, err)
	}
	m := root(r)
	m.Re = schema.PostAgain
	return r, p.Send(ctx, post.Letter{Message: m})
}

func root(r ledger.Run) schema.Message {
	return schema.Message{
		V: schema.Version, Run: r.ID, Op: schema.OpNode, Kind: r.Root.Kind, ID: r.Root.ID, Args: r.Root.Args,
		MID: schema.NewMID(), Epoch: r.Epoch, Share: schema.Whole,
	}
}
