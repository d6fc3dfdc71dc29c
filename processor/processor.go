// Package processor is the seam for what is done to a node. A processor is
// chosen by the node's kind; it works the same inline, on one machine and on a
// fleet.
package processor

import (
	"context"
	"errors"
	"time"

	"github.com/ramify/ramify/schema"
)

// Processor does the work of one node and says what its children are.
//
// Process may run more than once for one node, also at the same time (a lost
// lease, a retry): results, counts and children of an attempt count only if the
// attempt is committed, and then once; any other effect is at least once, and
// Node.Key and Node.Epoch are there to make it idempotent. Children may differ
// between attempts; the first attempt committed decides.
//
// nil means done. An error fails the attempt: it is retried with backoff and
// jitter up to the run's retries, unless it is wrapped by Permanent or Trouble. When ctx
// ends the lease is lost or the task stops; return soon, with any error: the
// attempt counts neither as done nor as failed.
//
// Process is called from many goroutines. It must not keep n or out.
type Processor interface {
	Process(ctx context.Context, n *Node, out Out) error
}

// Reducer is a processor with a second step: Reduce runs after all children of
// a node have settled without failure, with the account of the node and
// everything below it; where a node has no children, at once, within the attempt
// that found none. The rules of Process hold; a reduce has no children, but for that
// of a Sequel.
type Reducer interface {
	Processor
	Reduce(ctx context.Context, n *Node, sum schema.Account, out Out) error
}

// Sequel is a Reducer whose second step has children, too: the node has settled when
// these have. It costs a write more than that of another reducer, the record that
// says what the second step came to. It is the mark that counts; Sequel does nothing.
type Sequel interface {
	Reducer
	Sequel()
}

// Fallback is a processor with children for a node that is given up: they are what
// becomes of it, and it has not failed itself. So that the run ends with a failure,
// one of them has to be what is left of the node (Child.Rest), and to fail as well;
// a redrive begins with that one. GiveUp reveals children and nothing else; where it
// reveals none, or returns an error, the node has failed as any. The rules of Process
// hold, and why is the error of the last attempt, if any came to its end.
type Fallback interface {
	Processor
	GiveUp(ctx context.Context, n *Node, why error, out Out) error
}

// Apart is a processor none of whose nodes is done within the unit of another,
// whatever the run's options say: each is a message, and its results can be told from
// those of all others.
type Apart interface {
	Processor
	Apart()
}

// Node is what a processor is told of a node.
type Node struct {
	Run   string
	Kind  string
	ID    string      // its name for people
	Args  schema.Args // a JSON object, or empty; may be shared with other nodes: do not change it
	Depth int         // 0 at the root
	Epoch int         // how often the run was redriven
	Tries int         // attempts on this node that have failed
	Share schema.Share

	// Params are the run's options for processors. Do not change them.
	Params map[string]string
	// Key names the node for idempotency: equal in all attempts on one posted
	// node. A node done inline has its key by its path below the posted one.
	Key func() schema.PID
}

// Child is a child of a node.
type Child struct {
	Kind   string      // "" is the parent's kind
	ID     string      // at most schema.MaxID bytes of UTF-8
	Args   schema.Args // a JSON object, or empty; kept, so do not change it afterwards
	Weight uint32      // its part of the share relative to its siblings; 0 counts 1
	Rest   bool        // it is what is left of the node itself: no level deeper
}

// Out takes what an attempt brings forth. All methods may be called from many
// goroutines until Process returns, and not after.
type Out interface {
	// Child reveals a child. The error (too large, no valid kind, storage) fails
	// the attempt: return it.
	Child(c Child) error

	// Write appends one block of encoded results to a stream. The block holds
	// whole rows and is not kept. Blocks of one attempt keep their order where
	// they are written from one goroutine. A processor that writes in some
	// attempts must call Write in all, with no rows if it has none, so that all
	// attempts commit by the same rule.
	Write(stream string, block []byte, rows int) error

	// Count adds to the node's objects and bytes.
	Count(objects, bytes int64)

	// Keep says which part of the node's share is done with the node itself,
	// from 0 (default: the children have it all) to 1. A leaf always has all.
	Keep(part float64)

	// Request counts requests made of the outside, for people; at once, whether
	// or not the attempt is committed.
	Request(name string, n int64)

	// Borrow takes an idle slot of the task for more work inside this node,
	// without waiting; false if there is none. Each slot must be returned.
	Borrow() (Slot, bool)

	// Due says whether the node should end soon by handing what is left to
	// children, and why. Work that takes more than a second asks often.
	Due() Due
}

// Slot is the right to do one thing at a time.
type Slot interface {
	// Wanted reports whether messages wait for a slot: return it at the next
	// good moment.
	Wanted() bool
	// Return gives the slot back; more than once has no effect.
	Return()
}

// Due is a reason to end a unit of work.
type Due int

// The reasons to end.
const (
	NotDue     Due = iota
	Checkpoint     // what is done should be committed: hand on the rest as one child
	Share          // somebody is idle: hand on the rest as several children
	Stop           // the task drains: hand on the rest as one child at once
)

// Set is the processors of a task by kind.
type Set map[string]Processor

// Permanent marks an error that no retry will mend: the node is given up at once.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanent{err}
}

// IsPermanent reports whether the error was marked by Permanent.
func IsPermanent(err error) bool {
	var p *permanent
	return errors.As(err, &p)
}

// Trouble marks an error of something that all nodes need, such as a ledger, and that
// says nothing of this one: the attempt counts neither as done nor as failed, and the
// node is tried again after a while.
func Trouble(err error) error {
	if err == nil {
		return nil
	}
	return &trouble{err}
}

// IsTrouble reports whether the error was marked by Trouble.
func IsTrouble(err error) bool {
	var t *trouble
	return errors.As(err, &t)
}

type trouble struct{ err error }

func (t *trouble) Error() string { return t.err.Error() }
func (t *trouble) Unwrap() error { return t.err }

type permanent struct{ err error }

func (p *permanent) Error() string { return p.err.Error() }
func (p *permanent) Unwrap() error { return p.err }

// Later marks an error whose node should not be tried again before some time has
// passed: somebody outside has said so. It is a wish: the backoff may be longer, and
// the queue may not delay a message for so long.
func Later(err error, after time.Duration) error {
	if err == nil || after <= 0 {
		return err
	}
	return &later{err, after}
}

// WantedAfter is for how long the retry should wait at least, by Later; 0 without it.
func WantedAfter(err error) time.Duration {
	if l := (*later)(nil); errors.As(err, &l) {
		return l.after
	}
	return 0
}

type later struct {
	error
	after time.Duration
}

func (l *later) Unwrap() error { return l.error }
