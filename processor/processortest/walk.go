package processortest

import (
	"context"
	"fmt"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// Tree is what a walk of a whole tree brought forth.
type Tree struct {
	Account  schema.Account
	Streams  map[string]*Stream // of the attempts that count, parents before children
	Requests map[string]int64   // of all attempts
	Failed   []Failure          // nodes given up, parents before children
	Settled  schema.Share       // schema.Whole: no part of the run is lost
}

// Failure is a node that was given up.
type Failure struct {
	ID  string
	Err error // of the last attempt
}

// Walker is the simplest engine there is: one goroutine, no queue, no ledger,
// nothing that survives. What a real engine reports must equal what it reports.
type Walker struct {
	Set     processor.Set
	Retries int              // failures of a node, or of its reduce, before it is given up; 0 is one
	Out     func() *Recorder // makes the recorder of an attempt; nil is a zero Recorder
}

// Walk walks a whole tree, depth-first. A node that fails is given up at once.
// See Walker.Walk.
func Walk(ctx context.Context, set processor.Set, root processor.Node) (*Tree, error) {
	return Walker{Set: set}.Walk(ctx, root)
}

// Walk walks a whole tree, depth-first. The root needs a Kind; Run, Share and
// Key have defaults. Nodes that fail are part of the result and not an error;
// errors are a kind without a processor, a tree too deep, and the cause of ctx
// when it ends, together with what was done until then.
func (w Walker) Walk(ctx context.Context, root processor.Node) (*Tree, error) {
	if root.Run == "" {
		root.Run = "test"
	}
	if root.Share == 0 {
		root.Share = schema.Whole
	}
	v := visit{Walker: w, ctx: ctx, tree: &Tree{Streams: map[string]*Stream{}, Requests: map[string]int64{}}}
	_, _, err := v.node(root, schema.PIDOf(root.Run, schema.Place{}))
	return v.tree, err
}

type visit struct {
	Walker
	ctx  context.Context
	tree *Tree
}

// node walks a node and all below it. It returns their account and whether
// nothing of it has failed.
func (v *visit) node(n processor.Node, pid schema.PID) (sum schema.Account, whole bool, err error) {
	p := v.Set[n.Kind]
	switch {
	case p == nil:
		return sum, false, fmt.Errorf("walk node %s: kind is %q, want one of the set", n.ID, n.Kind)
	case n.Depth > schema.MaxDepth:
		return sum, false, fmt.Errorf("walk node %s: more than %d levels deep: has the tree a cycle?", n.ID, schema.MaxDepth)
	}
	n.Key = func() schema.PID { return pid }

	result, failed, err := v.attempt(n, func(n *processor.Node, r *Recorder) (*Result, error) { return r.Run(v.ctx, p, n) })
	if err != nil {
		return sum, false, err
	}
	if failed {
		v.tree.Settled += n.Share
		return v.add(sum, schema.Account{Failures: 1}), false, nil
	}
	own := schema.Account{Nodes: 1, Objects: result.Objects, Bytes: result.Bytes}
	sum = v.add(sum, own)
	leaf := len(result.Children) == 0

	kept := min(n.Share, schema.Share(result.Kept*float64(n.Share)))
	if leaf {
		kept = n.Share
	}
	v.tree.Settled += kept
	shares := (n.Share - kept).Split(weights(result.Children))
	whole = true
	for slot, c := range result.Children {
		child := n
		child.ID, child.Args, child.Share, child.Depth, child.Tries = c.ID, c.Args, shares[slot], n.Depth+1, 0
		if c.Kind != "" {
			child.Kind = c.Kind
		}
		below, ok, err := v.node(child, schema.PIDOf(n.Run, schema.Place{Parent: pid, Slot: slot}))
		if err != nil {
			return sum, false, err
		}
		sum, whole = sum.Add(below), whole && ok
	}

	reducer, reduces := p.(processor.Reducer)
	if !reduces || !whole {
		return sum, whole, nil
	}
	below := sum
	result, failed, err = v.attempt(n, func(n *processor.Node, r *Recorder) (*Result, error) { return r.Reduce(v.ctx, reducer, n, below) })
	switch {
	case err != nil:
		return sum, false, err
	case failed && leaf:
		// One attempt processes and reduces a node without children: it is given up.
		return v.add(sum, schema.Account{Nodes: -own.Nodes, Objects: -own.Objects, Bytes: -own.Bytes, Failures: 1}), false, nil
	case failed:
		return v.add(sum, schema.Account{Failures: 1}), false, nil
	}
	return v.add(sum, schema.Account{Objects: result.Objects, Bytes: result.Bytes, Reduces: 1}), true, nil
}

// add adds to the account of a subtree and to that of the tree.
func (v *visit) add(sum, own schema.Account) schema.Account {
	v.tree.Account = v.tree.Account.Add(own)
	return sum.Add(own)
}

// attempt tries until an attempt succeeds, whose result counts, or the node is
// given up.
func (v *visit) attempt(n processor.Node, try func(*processor.Node, *Recorder) (*Result, error)) (_ *Result, failed bool, _ error) {
	for {
		if v.ctx.Err() != nil {
			return nil, false, context.Cause(v.ctx)
		}
		r := &Recorder{}
		if v.Out != nil {
			r = v.Out()
		}
		own := n // a processor that changes its node changes no other attempt
		result, err := try(&own, r)
		for name, count := range result.Requests {
			v.tree.Requests[name] += count
		}
		if err == nil {
			v.write(result.Streams)
			return result, false, nil
		}
		if v.ctx.Err() != nil {
			return nil, false, context.Cause(v.ctx) // neither done nor failed
		}
		n.Tries++
		if n.Tries >= v.Retries || processor.IsPermanent(err) {
			v.tree.Failed = append(v.tree.Failed, Failure{ID: n.ID, Err: err})
			return nil, true, nil
		}
	}
}

func (v *visit) write(streams map[string]*Stream) {
	for name, s := range streams {
		all := v.tree.Streams[name]
		if all == nil {
			all = &Stream{}
			v.tree.Streams[name] = all
		}
		all.Rows += s.Rows
		all.Blocks = append(all.Blocks, s.Blocks...)
	}
}

// weights is what an engine makes of the children's weights: 0 counts 1.
func weights(children []processor.Child) []uint32 {
	w := make([]uint32, len(children))
	for i, c := range children {
		w[i] = max(c.Weight, 1)
	}
	return w
}
