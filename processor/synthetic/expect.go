package synthetic

import "github.com/ramify/ramify/schema"

// Truth is what a run of a tree must report when it is over.
type Truth struct {
	Account schema.Account // of all nodes, reduces not included
	Reduces int64          // of ReduceKind: each node, unless it or any node below it was given up
	Rows    int64          // committed, where the spec has rows: one a node that succeeded
	Failed  []string       // IDs of the nodes given up, in depth-first order; what lies below them is never found
}

// Expect walks the tree of a spec by itself, without an engine, as in the first
// epoch. A node is given up when as many attempts as retries, at least one, have
// failed. The spec must pass Check; memory grows with Failed and the depth.
//
// After a redrive that heals everything the truth is that of the spec without
// Fail and Poison.
func Expect(s *Spec, retries int) Truth {
	w := walk{spec: s, retries: retries}
	w.node(s.root(), []byte(RootID))
	return w.Truth
}

type walk struct {
	spec    *Spec
	retries int
	Truth
}

// node adds a node and all below it and reports whether none has failed.
func (w *walk) node(at position, id []byte) bool {
	if w.givenUp(at) {
		w.Account.Failures++
		w.Failed = append(w.Failed, string(id))
		return false
	}
	w.Account.Nodes++
	w.Account.Objects += w.spec.objects(at)
	w.Account.Bytes += w.spec.bytes(at)
	if w.spec.Rows {
		w.Rows++
	}
	children, whole := w.spec.children(at), true
	stem := w.spec.appendStem(nil, id)
	for slot := range children {
		child := w.spec.appendChild(stem, at, slot)
		if !w.node(w.spec.child(at, slot), child) {
			whole = false
		}
	}
	if whole {
		w.Reduces++
	}
	return whole
}

func (w *walk) givenUp(at position) bool {
	for tries := range max(w.retries, 1) {
		if !w.spec.fails(at, tries, 0) {
			return false
		}
	}
	return true
}
