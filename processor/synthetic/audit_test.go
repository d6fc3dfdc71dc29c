package synthetic

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// Audit checks reduces as they happen: that a node reduces after its children,
// and with the account of all that is below it. The zero Audit is ready.
type Audit struct {
	mu      sync.Mutex
	reduced map[string]int
	faults  []error
}

// Check is a Reducer's Hook. What it finds wrong it returns, and keeps for Faults.
// It walks all that is below the node.
func (a *Audit) Check(n *processor.Node, sum schema.Account) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.check(n, sum)
	if err != nil {
		a.faults = append(a.faults, err)
	}
	if a.reduced == nil {
		a.reduced = map[string]int{}
	}
	a.reduced[n.ID]++
	return err
}

func (a *Audit) check(n *processor.Node, sum schema.Account) error {
	spec, err := ParseSpec(n.Args)
	if err != nil {
		return err
	}
	at, err := spec.locate(n.ID)
	if err != nil {
		return err
	}
	stem := spec.appendStem(nil, []byte(n.ID))
	for slot := range spec.children(at) {
		child := spec.appendChild(stem, at, slot)
		if a.reduced[string(child)] == 0 {
			return fmt.Errorf("node %s reduces before its child %s", n.ID, child)
		}
	}

	// A node reduces only when nothing below it has failed: whatever failed once
	// has succeeded since.
	healed := *spec
	healed.Fail, healed.Poison = 0, 0
	w := walk{spec: &healed}
	w.node(at, []byte(n.ID))
	want := w.Account
	want.Reduces = w.Reduces - 1 // its own is not over yet
	if sum != want {
		return fmt.Errorf("node %s reduces with %+v, want %+v", n.ID, sum, want)
	}
	return nil
}

// Reduced is how often each node has reduced, by ID: once, or more often where
// attempts were repeated.
func (a *Audit) Reduced() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.reduced)
}

// Faults is all that Check found wrong.
func (a *Audit) Faults() []error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.faults)
}
