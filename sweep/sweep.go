// Package sweep finds what the queue lost: it walks the unsettled part of a run
// and posts again what nobody may be working on. It is always safe, any number
// of times; what it posts in vain costs a message each.
package sweep

import (
	"context"
	"fmt"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/schema"
)

// Run sweeps one run and returns how many messages it posted; none where the run
// is over.
func Run(ctx context.Context, l ledger.Ledger, p *post.Poster, run string) (int, error) {
	r, err := l.Run(ctx, run)
	if err != nil {
		return 0, err
	}
	if r.State.Over() {
		return 0, nil
	}
	s := sweeper{ctx: ctx, ledger: l, poster: p, run: r}
	root := child{
		pid: schema.PIDOf(r.ID, schema.Place{}),
		letter: post.Letter{Message: schema.Message{
			V: schema.Version, Run: r.ID, Op: schema.OpNode, Kind: r.Root.Kind, ID: r.Root.ID, Args: r.Root.Args,
			MID: schema.NewMID(), Re: schema.PostAdopt, Epoch: r.Epoch, Share: schema.Whole,
		}},
	}
	stack := []child{root}
	for len(stack) > 0 {
		next := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		more, err := s.visit(next)
		if err != nil {
			return s.posted, fmt.Errorf("sweep run %s: %w", run, err)
		}
		stack = append(stack, more...)
	}
	return s.posted, nil
}

type sweeper struct {
	ctx    context.Context
	ledger ledger.Ledger
	poster *post.Poster
	run    ledger.Run
	posted int
}

// child is a node that has not settled, with the message that would post it.
type child struct {
	pid    schema.PID
	letter post.Letter
}

// visit goes below a node if some of its children have settled, so that it surely
// posted them; otherwise it posts the node itself, which will follow its plan if
// it has one. A plan of an earlier epoch is followed step by step anyway.
func (s *sweeper) visit(c child) ([]child, error) {
	rec, err := s.ledger.Read(s.ctx, []ledger.Key{
		{PID: c.pid},
		{PID: c.pid, Tally: true, Epoch: s.run.Epoch},
	})
	if err != nil {
		return nil, err
	}
	p, tally := rec[0].Plan, rec[1].Tally
	switch {
	case p == nil, tally == nil, p.Epoch != s.run.Epoch, p.Type != ledger.Live && p.Type != ledger.Group:
		return nil, s.post(c.letter)
	case tally.Done.Len() == 0:
		return nil, s.post(c.letter)
	}
	missing := ledger.FirstSlots(len(p.Kids)).Minus(tally.Done)
	if missing.Len() == 0 {
		m := c.letter.Message
		m.Op, m.Hdr = schema.OpClimb, nil
		return nil, s.post(post.Letter{Message: m})
	}
	share := p.Share
	if p.Type == ledger.Group {
		share = c.letter.Message.Share
	}
	parent := post.Parent{
		Run: s.run.ID, Plan: p, Epoch: s.run.Epoch, Share: share,
		Header: schema.Header{Required: len(p.Kids), Own: p.Own, Up: p.Up, Reduce: p.Reduce},
		Kind:   c.letter.Message.Kind, Re: schema.PostAdopt,
	}
	var more []child
	for _, l := range parent.Children(missing) {
		more = append(more, child{pid: l.Message.PID(), letter: l})
	}
	return more, nil
}

func (s *sweeper) post(l post.Letter) error {
	if err := s.poster.Send(s.ctx, l); err != nil {
		return err
	}
	s.posted++
	return nil
}
