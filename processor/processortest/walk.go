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

	result, why, err := v.attempt(n, func(n *processor.Node, r *Recorder) (*Result, error) { return r.Run(v.ctx, p, n) })
	if err != nil {
		return sum, false, err
	}
	if why != nil {
		return v.giveUp(n, pid, why)
	}
	own := schema.Account{Nodes: 1, Objects: result.Objects, Bytes: result.Bytes}
	sum = v.add(sum, own)
	leaf := len(result.Children) == 0

	kept := min(n.Share, schema.Share(result.Kept*float64(n.Share)))
	if leaf {
		kept = n.Share
	}
	v.tree.Settled += kept
	below, whole, err := v.children(n, pid, result.Children, n.Share-kept)
	sum = sum.Add(below)

	reducer, reduces := p.(processor.Reducer)
	if !reduces || !whole || err != nil {
		return sum, whole, err
	}
	so := sum
	result, why, err = v.attempt(n, func(n *processor.Node, r *Recorder) (*Result, error) { return r.Reduce(v.ctx, reducer, n, so) })
	switch {
	case err != nil:
		return sum, false, err
	case why != nil && leaf:
		// One attempt processes and reduces a node without children: it is given up.
		v.fail(n, why)
		return v.add(sum, schema.Account{Nodes: -own.Nodes, Objects: -own.Objects, Bytes: -own.Bytes, Failures: 1}), false, nil
	case why != nil:
		v.fail(n, why)
		return v.add(sum, schema.Account{Failures: 1}), false, nil
	}
	sum = v.add(sum, schema.Account{Objects: result.Objects, Bytes: result.Bytes, Reduces: 1})
	below, whole, err = v.children(n, schema.ReducePID(pid), result.Children, 0)
	return sum.Add(below), whole, err
}

// giveUp ends a node that has failed: by what its processor has for that, if anything.
func (v *visit) giveUp(n processor.Node, pid schema.PID, why error) (sum schema.Account, whole bool, err error) {
	if f, is := v.Set[n.Kind].(processor.Fallback); is {
		own := n
		if result, err := v.recorder().GiveUp(v.ctx, f, &own, why); err == nil && len(result.Children) > 0 {
			return v.children(n, pid, result.Children, n.Share)
		}
	}
	v.fail(n, why)
	v.tree.Settled += n.Share
	return v.add(sum, schema.Account{Failures: 1}), false, nil
}

func (v *visit) fail(n processor.Node, why error) {
	v.tree.Failed = append(v.tree.Failed, Failure{ID: n.ID, Err: why})
}

// children walks what a node has revealed, below the plan of a place.
func (v *visit) children(n processor.Node, plan schema.PID, children []processor.Child, share schema.Share) (sum schema.Account, whole bool, err error) {
	shares := share.Split(weights(children))
	whole = true
	for slot, c := range children {
		child := n
		child.ID, child.Args, child.Share, child.Depth, child.Tries = c.ID, c.Args, shares[slot], n.Depth+1, 0
		if c.Kind != "" {
			child.Kind = c.Kind
		}
		below, ok, err := v.node(child, schema.PIDOf(n.Run, schema.Place{Parent: plan, Slot: slot}))
		if err != nil {
			return sum, false, err
		}
		sum, whole = sum.Add(below), whole && ok
	}
	return sum, whole, nil
}

// add adds to the account of a subtree and to that of the tree.
func (v *visit) add(sum, own schema.Account) schema.Account {
	v.tree.Account = v.tree.Account.Add(own)
	return sum.Add(own)
}

func (v *visit) recorder() *Recorder {
	if v.Out != nil {
		return v.Out()
	}
	return &Recorder{}
}

// attempt tries until an attempt succeeds, whose result counts, or the node is
// given up: why.
func (v *visit) attempt(n processor.Node, try func(*processor.Node, *Recorder) (*Result, error)) (_ *Result, why, _ error) {
	for {
		if v.ctx.Err() != nil {
			return nil, nil, context.Cause(v.ctx)
		}
		own := n // a processor that changes its node changes no other attempt
		result, err := try(&own, v.recorder())
		for name, count := range result.Requests {
			v.tree.Requests[name] += count
		}
		if err == nil {
			v.write(result.Streams)
			return result, nil, nil
		}
		if v.ctx.Err() != nil {
			return nil, nil, context.Cause(v.ctx) // neither done nor failed
		}
		n.Tries++
		if n.Tries >= v.Retries || processor.IsPermanent(err) {
			return nil, err, nil
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
