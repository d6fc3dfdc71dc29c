package ledger

import (
	"time"

	"github.com/ramify/ramify/schema"
)

// State of a run.
type State string

// The states of a run. A paused run is running with Paused set.
const (
	Running   State = "running"
	Finished  State = "finished"
	Failed    State = "finished_with_failures"
	Cancelled State = "cancelled"
)

// Over reports whether no node of the run will be processed any more, unless a
// redrive begins a new epoch.
func (s State) Over() bool { return s != Running }

// Run is the record of a run: one item, so that finishing, cancelling and
// redriving exclude each other. It also keeps the root's one slot.
type Run struct {
	ID       string         `json:"run"`
	Target   string         `json:"target"`
	State    State          `json:"state"`
	Epoch    int            `json:"epoch"`            // how often it was redriven
	Paused   bool           `json:"paused,omitempty"` // nodes wait, nothing is lost
	Root     Kid            `json:"root"`
	Options  Options        `json:"options"`
	Claim    int            `json:"claim,omitempty"` // epoch+1 in which a plan claimed the root's slot; 0 none
	Via      bool           `json:"via,omitempty"`   // the root last settled through a plan of its own
	Totals   schema.Account `json:"totals"`          // exact once the run is over; one addition an epoch
	Created  time.Time      `json:"created"`
	Finished time.Time      `json:"finished,omitzero"`
}

// Options belong to the run and not to the task that happens to work on it.
type Options struct {
	Out         string            `json:"out,omitempty"`         // where results go: a folder, s3://…, - or nothing
	Format      string            `json:"format,omitempty"`      // of the results
	Retries     int               `json:"retries"`               // failures of a node before it is given up
	Inline      int               `json:"inline"`                // nodes a unit may process itself; 0: one message a node
	Concurrency int               `json:"concurrency,omitempty"` // slots of a task; 0: the task's own setting
	Params      map[string]string `json:"params,omitempty"`      // of the processors, by name
}

// Kid is a child as its parent's plan keeps it.
type Kid struct {
	Kind   string      `json:"kind"`
	ID     string      `json:"id"`
	Args   schema.Args `json:"args,omitempty"`
	Weight uint32      `json:"w,omitempty"`   // its part of the share that the plan divides; 0 counts 1
	Deeper int         `json:"d,omitempty"`   // levels below the plan's node: 1 for a child, 0 for the rest of the node
	Group  *schema.PID `json:"grp,omitempty"` // the kid is a group of children: the key of its plan
	Count  uint64      `json:"c,omitempty"`   // of a group: the children below it
}

// PlanType tells how a node's attempt ended.
type PlanType string

// The types of a plan.
const (
	Live  PlanType = "live"  // the node has children
	Leaf  PlanType = "leaf"  // a suspect attempt found none: kept so that all attempts agree
	Tomb  PlanType = "tomb"  // the node was given up
	Group PlanType = "group" // a page of the children of a wide node; referenced by a live plan or never read
)

// Plan is the durable record that a node has exactly these children, written
// before they are posted. The first writer wins; it never changes, except that
// a tomb may be replaced in a later epoch.
type Plan struct {
	PID     schema.PID
	Run     string
	Type    PlanType
	Epoch   int            // in which it was written
	Kids    []Kid          // at most 256 and 3.5 KB packed
	Own     schema.Account // the node itself and what was done inline
	Up      schema.Place   // where the node hangs
	Reduce  bool           // the node reduces when its children have settled
	Attempt uint64         // the attempt whose results count
	MID     schema.MID     // the message that owns the plan and will post the children
	Depth   int            // of the node
	Share   schema.Share   // that the children divide; 0 in a group, whose message has it
	Err     string         // of a tomb: why
	Tries   int            // of a tomb: attempts that failed in its epoch, the last one included; 0: not told
	At      time.Time      // of a tomb: when the node was given up, kept to the millisecond; zero: not told
}

// Tally counts what has settled of a plan in one epoch.
type Tally struct {
	PID    schema.PID
	Epoch  int
	Done   Slots          // settled
	Fail   Slots          // settled as failed; a subset of Done
	Claim  Slots          // a plan exists below: only it may settle the slot
	Via    Slots          // settled through a plan of the child's own; a subset of Done
	Sum    schema.Account // of the settled slots
	Header *schema.Header // of the plan, once a settler knew it
}

// Complete reports whether all required slots have settled; it needs the header.
func (t *Tally) Complete() bool {
	return t.Header != nil && t.Done.Len() >= t.Header.Required
}

// Settlement is the one write of a leaf: its slot and its account.
type Settlement struct {
	Run      string
	At       schema.Place // whose slot settles
	Epoch    int
	Account  schema.Account
	Failed   bool
	Via      bool           // it settles through a plan of its own
	Unfenced bool           // refuse where another attempt's plan has claimed the slot
	Header   *schema.Header // of the plan At.Parent, if known
}

// Outcome of a settlement or a claim.
type Outcome int

// The outcomes of Settle and Claim.
const (
	Won     Outcome = iota + 1 // written by this call
	Already                    // the slot had settled before, perhaps by an earlier try of this call
	Claimed                    // refused: the slot is claimed by a plan (Unfenced settlements only)
	Over                       // at the root only: the run is over, or in another epoch
)
