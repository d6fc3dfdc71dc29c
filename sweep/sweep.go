// Package sweep finds what the queue lost: it walks the unsettled part of a run
// and posts again what nobody may be working on. It is always safe, any number
// of times; what it posts in vain costs a message each.
package sweep

import (
	"context"
	"fmt"
	"slices"

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
	s := sweeper{ctx: ctx, ledger: l, poster: p, run: r, by: schema.NewMID()}
	root := child{
		pid: schema.PIDOf(r.ID, schema.Place{}),
		letter: post.Letter{Message: schema.Message{
			V: schema.Version, Run: r.ID, Op: schema.OpNode, Kind: r.Root.Kind, ID: r.Root.ID, Args: r.Root.Args,
			MID: s.by.Kin(), Re: schema.PostAdopt, Epoch: r.Epoch, Share: schema.Whole,
		}},
	}
	stack := []child{root}
	for len(stack) > 0 {
		n := min(len(stack), width)
		next := slices.Clone(stack[len(stack)-n:])
		more, err := s.visit(next)
		if err != nil {
			return s.posted, fmt.Errorf("sweep run %s: %w", run, err)
		}
		stack = append(stack[:len(stack)-n], more...)
	}
	return s.posted, nil
}

// width is how many nodes are visited at a time, with two records each: what one
// request of DynamoDB reads.
const width = 50

type sweeper struct {
	ctx    context.Context
	ledger ledger.Ledger
	poster *post.Poster
	run    ledger.Run
	by     schema.MID // of which all posts are kin
	posted int
}

// child is a node that has not settled, with the message that would post it.
type child struct {
	pid    schema.PID
	letter post.Letter
}

// visit looks at some nodes, posts what is to be posted of them, and returns those
// below them to be visited.
func (s *sweeper) visit(nodes []child) ([]child, error) {
	keys := make([]ledger.Key, 0, 2*len(nodes))
	for _, c := range nodes {
		keys = append(keys, ledger.Key{PID: c.pid}, ledger.Key{PID: c.pid, Tally: true, Epoch: s.run.Epoch})
	}
	rec, err := s.ledger.Read(s.ctx, keys)
	if err != nil {
		return nil, err
	}
	var lost []post.Letter
	var more []child
	for i, c := range nodes {
		below, letter := s.judge(c, rec[2*i].Plan, rec[2*i+1].Tally)
		if letter != nil {
			lost = append(lost, *letter)
		}
		more = append(more, below...)
	}
	if err := s.poster.Send(s.ctx, lost...); err != nil {
		return nil, err
	}
	s.posted += len(lost)
	return more, nil
}

// judge goes below a node if some of its children have settled, so that it surely
// posted them; otherwise it has the node itself posted, which will follow its plan
// if it has one. A plan of an earlier epoch is followed step by step anyway.
func (s *sweeper) judge(c child, p *ledger.Plan, tally *ledger.Tally) (below []child, lost *post.Letter) {
	switch {
	case p == nil, tally == nil, p.Epoch != s.run.Epoch, p.Type != ledger.Live && p.Type != ledger.Group:
		return nil, &c.letter
	case tally.Done.Len() == 0:
		return nil, &c.letter
	}
	missing := ledger.FirstSlots(len(p.Kids)).Minus(tally.Done)
	if missing.Len() == 0 {
		m := c.letter.Message
		m.Op, m.Hdr = schema.OpClimb, nil
		return nil, &post.Letter{Message: m}
	}
	share := p.Share
	if p.Type == ledger.Group {
		share = c.letter.Message.Share
	}
	parent := post.Parent{
		Run: s.run.ID, Plan: p, Epoch: s.run.Epoch, Share: share,
		Header: schema.Header{Required: len(p.Kids), Own: p.Own, Up: p.Up, Reduce: p.Reduce},
		Kind:   c.letter.Message.Kind, Re: schema.PostAdopt, By: s.by,
	}
	for _, l := range parent.Children(missing) {
		below = append(below, child{pid: l.Message.PID(), letter: l})
	}
	return below, nil
}
