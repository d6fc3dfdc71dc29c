package post

import (
	"context"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// Parent is what the messages of a plan's children are made from.
type Parent struct {
	Run    string
	Plan   *ledger.Plan
	Header schema.Header // of the plan, in the epoch of the messages
	Epoch  int
	Share  schema.Share // that all children of the plan divide
	Kind   string       // of the plan's node; names the messages of groups
	Re     int
	By     schema.MID // of what adopts, where Re says so: the children's posts are its kin
}

// Children makes the messages of the children in the given slots.
func (p *Parent) Children(slots ledger.Slots) []Letter {
	shares := p.Share.Split(weights(p.Plan.Kids))
	letters := make([]Letter, 0, slots.Len())
	for slot := range slots.All {
		if slot >= len(p.Plan.Kids) {
			break
		}
		kid := &p.Plan.Kids[slot]
		h := p.Header
		m := schema.Message{
			V: schema.Version, Run: p.Run, Op: schema.OpNode, Kind: kid.Kind, ID: kid.ID, Args: kid.Args,
			Up:  schema.Place{Parent: p.Plan.PID, Slot: slot},
			Hdr: &h, MID: fresh(p.By, p.Re), Re: p.Re, Epoch: p.Epoch,
			Depth: p.Plan.Depth + kid.Deeper, Share: shares[slot],
		}
		if kid.Group != nil {
			g := *kid.Group
			m.Op, m.Group, m.Kind = schema.OpGroup, &g, p.Kind
		}
		letters = append(letters, Letter{Message: m})
	}
	return letters
}

// fresh is the id of another post of a node.
func fresh(by schema.MID, re int) schema.MID {
	if re == schema.PostAdopt {
		return by.Kin()
	}
	return schema.NewMID()
}

// weights are the weights of children, none of them 0; a group weighs as many as
// the children below it.
func weights(kids []ledger.Kid) []uint32 {
	w := make([]uint32, len(kids))
	for i := range kids {
		w[i] = max(kids[i].Weight, 1)
	}
	return w
}

// Page posts the children of a page of a wide node, as original posts of the
// page's epoch. It is for a ledger that keeps no pages, where their messages would
// find none: the part of the run that the node stands for is not known to a page,
// so the children stand for nothing.
func (p *Poster) Page(ctx context.Context, page ledger.Plan) error {
	parent := Parent{
		Run: page.Run, Plan: &page, Epoch: page.Epoch, Re: schema.PostOriginal,
		Header: schema.Header{Required: len(page.Kids), Up: page.Up},
	}
	return p.Send(ctx, parent.Children(ledger.FirstSlots(len(page.Kids)))...)
}
