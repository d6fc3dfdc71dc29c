package audit

import (
	"fmt"
	"strings"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/proof/tree"
	"github.com/ramify/ramify/schema"
)

// Truth is what the auditor is told of the run.
type Truth struct {
	Run    string
	Shape  tree.Shape
	Rows   func(pid schema.PID, attempt uint64, leaf bool) []string // of a unit that counts, as the sink keeps them
	Listed func() ([]ledger.Unit, []ledger.Failure, error)          // what the ledger says of a run that is over; nil: nobody asks
	Units  int                                                      // that one worker may work on at a time
	Tries  int                                                      // failed attempts after which a node is given up; 0: the queue may give it up before
	Loses  bool                                                     // the queue loses messages
	Lies   bool                                                     // the queue says of what it delivers again that it is the first time
}

// How many requests a worker has under way at a time, at most, whatever the order of its
// goroutines: each bound is the sum of those of the engine that make some (package task,
// but for keepers).
const (
	mostDeletes = 64 // calls of the deleter (deleteCalls): beyond them messages wait

	// The heartbeat, reports, flags for other tasks, a look whether the run is paused, and
	// what is not begun and put back: by the dispatcher, and by two receives. Of a keeper
	// its lease, and the messages that it looks after, a batch at a time.
	mostOthers = 7 + 1 + batch

	batch = 10 // messages of one request
)

// mostReceives is how many receives there are at a time: as many as fill the slots, and
// one (inbox.adapt).
func mostReceives(units int) int { return (units+batch-1)/batch + 1 }

// mostLost is how many nodes a keeper gives up at a time, beside the worker's slots: one
// batch of what the queue has moved to its dead-letter queue.
const mostLost = 10

// stops is how long what was under way may take to stop: stalls are of minutes.
const stops = 15 * time.Minute

// most is how many problems are worth reading.
const most = 10

// Check audits a history and returns what is wrong with it, the first thing first.
func Check(events []history.Event, truth Truth) []string {
	a := &auditor{
		Truth: truth, model: newModel(truth.Run),
		calls: map[int]*call{}, open: map[int]int{}, lost: map[int]int{}, leaves: map[by]int{}, planned: map[uint64]bool{},
		failures: map[string]int{}, gaveUp: map[string][]*call{}, letters: map[letter]bool{}, reasons: map[uint64][]string{},
		posted: map[schema.PID]bool{}, superseded: map[schema.PID]bool{},
	}
	for i := range events {
		a.event(&events[i])
		if len(a.problems) >= most {
			return a.problems
		}
	}
	a.at = nil
	a.refused()
	a.ending()
	return a.problems
}

// call is one call of a processor.
type call struct {
	id      string
	kind    string
	reduce  bool
	given   schema.Account // the sum, of a reduce
	kids    []string
	account schema.Account
	ok      bool
	pid     schema.PID
}

// by is a worker's work on a node.
type by struct {
	worker int
	pid    schema.PID
}

type auditor struct {
	Truth
	model      *model
	calls      map[int]*call
	open       map[int]int         // calls under way, by worker
	gaveUp     map[string][]*call  // answers to what becomes of a node, by its name
	lost       map[int]int         // nodes that are being given up, by worker
	leaves     map[by]int          // a worker's attempts on a node that went well, and have not planned or reduced it since
	planned    map[uint64]bool     // attempts that have: a plan is sent again when its answer is lost
	at         *history.Event      // that is looked at
	failures   map[string]int      // attempts that failed, by node and epoch
	letters    map[letter]bool     // what the dead-letter queue has of nodes, with a reason
	reasons    map[uint64][]string // of all that it has, by the hash of the body
	posted     map[schema.PID]bool // plans of which a child was sent
	superseded map[schema.PID]bool // plans of nodes that have settled as leaves
	forged     []*history.Event
	idle       time.Duration // since when the run is paused or cancelled; 0: it is not
	problems   []string
}

func (a *auditor) bad(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if a.at != nil {
		what += "\n      at " + a.at.String()
	}
	a.problems = append(a.problems, what)
}

func (a *auditor) event(e *history.Event) {
	a.at = e
	switch e.What {
	case history.Create:
		if a.model.run.State != "" {
			a.bad("I5: a run was begun though its name was taken")
		}
		a.model.create(*e.Run)
	case history.Amend:
		a.amend(e)
	case history.Plan:
		a.plan(e)
	case history.Claim, history.Settle:
		a.slot(e)
	case history.Commit:
		a.model.commit(e)
	case history.Hold:
		a.holds(e)
	case history.Send:
		a.sends(e)
	case history.Forge:
		a.forged = append(a.forged, e)
	case history.Letter:
		a.letter(e)
	case history.Process, history.Reduce, history.GiveUp:
		if e.ID == "forged" {
			a.bad("I6: a message that nobody signed was executed")
		}
		if a.idle > 0 && e.At-a.idle > stops {
			a.bad("a node is processed %s after the run was paused or cancelled", e.At-a.idle)
		}
		a.works(e)
		a.calls[e.Serial] = &call{id: e.ID, kind: e.Kind, reduce: e.What == history.Reduce, given: e.Account, pid: e.PID}
		if e.What == history.Reduce {
			a.reduces(e)
		}
	case history.Processed, history.Reduced, history.GaveUp:
		if e.What == history.GaveUp {
			a.lost[e.Worker]--
		} else {
			a.open[e.Worker]--
		}
		c := a.calls[e.Serial]
		c.kids, c.account, c.ok = e.Kids, e.Account, e.Err == ""
		if e.What == history.Processed && c.ok {
			a.leaves[by{e.Worker, c.pid}]++
		}
		switch {
		case e.What == history.GaveUp:
			a.gaveUp[c.id] = append(a.gaveUp[c.id], c)
		case strings.Contains(e.Err, tree.Permanent):
			a.failures[failing(c.id, c.reduce, e.Epoch)] += a.Tries
		case e.Err != "":
			a.failures[failing(c.id, c.reduce, e.Epoch)]++
		}
	}
}

// works asks whether what a worker works on is bounded by its slots. What it gives up may
// be its keeper's.
func (a *auditor) works(e *history.Event) {
	if e.What == history.GiveUp {
		a.lost[e.Worker]++
	} else {
		a.open[e.Worker]++
	}
	if n := a.open[e.Worker]; n > a.Units {
		a.bad("I7: a worker with %d slots works on %d nodes", a.Units, n)
	}
	if n := a.open[e.Worker] + a.lost[e.Worker]; n > a.Units+mostLost {
		a.bad("I7: a worker with %d slots, and its keeper, work on %d nodes", a.Units, n)
	}
}

func (a *auditor) amend(e *history.Event) {
	if err := a.model.amend(*e.Change); (err == nil) != (e.Err == "") {
		a.bad("I5: the run's record was changed against the rules, or not changed by them (the model says %v)", err)
	}
	if r := a.model.run; !r.Paused && r.State != ledger.Cancelled {
		a.idle = 0
	} else if a.idle == 0 {
		a.idle = e.At
	}
	if got, want := e.Run, a.model.run; got.State != want.State || got.Epoch != want.Epoch || got.Paused != want.Paused || got.Totals != want.Totals {
		a.bad("I5: the run's record is %s in epoch %d with %v, want %s in epoch %d with %v", got.State, got.Epoch, got.Totals, want.State, want.Epoch, want.Totals)
	}
}

func (a *auditor) plan(e *history.Event) {
	p := *e.Plan
	if len(p.Kids) > ledger.MaxKids {
		a.bad("I7: a plan has %d children", len(p.Kids))
	}
	if n := len(ledger.PackKids(p.Kids)); n > ledger.MaxBytes && len(p.Kids) > 1 {
		a.bad("I7: a plan has %d bytes", n)
	}
	left := a.model.left(p)
	if p.Type == ledger.Tomb || left != "" {
		a.givenUp(p)
	}
	if left != "" {
		a.fallsBack(p, left, e.Won)
	} else if e.Won && p.Type == ledger.Live && len(p.Kids) > 0 {
		a.own(p)
	}
	if p.Type == ledger.Live && left == "" && !a.planned[p.Attempt] && !a.model.ofSecond(p) {
		a.planned[p.Attempt] = true
		a.leaves[by{e.Worker, p.PID}]--
	}
	stored, won := a.model.plan(p)
	if won != e.Won || !samePlan(stored, *e.Stored) {
		a.bad("I5: a plan was replaced against the rules, or not kept by them")
	}
}

func (a *auditor) slot(e *history.Event) {
	s := *e.Settlement
	if e.What == history.Settle {
		a.settlement(s)
	}
	outcome := a.model.slot(s, e.What == history.Claim)
	if outcome != e.Outcome {
		a.bad("I5: a slot was written against the rules: outcome %d, want %d", e.Outcome, outcome)
	}
	if !s.At.IsRoot() {
		want := a.model.tallies[tallyKey{s.At.Parent, s.Epoch}]
		if got := e.Tally; got.Done != want.Done || got.Fail != want.Fail || got.Via != want.Via || got.Claim != want.Claim || got.Sum != want.Sum {
			a.bad("I2: a tally is %+v, want %+v", *got, *want)
		}
	}
	if s.At.IsRoot() && e.What == history.Settle && outcome == ledger.Won {
		a.whole()
	}
}

// settlement asks whether what is about to be settled is the account of something that
// is done, or was given up, whole. One that will be refused may be of the past.
func (a *auditor) settlement(s ledger.Settlement) {
	if a.model.refuses(s) {
		return
	}
	m := a.model
	node := m.nodeAt(s.At)
	p, planned := m.plans[node]
	if !s.Via {
		if planned && p.Type == ledger.Live {
			a.supersedes(p.PID)
		}
		switch {
		case s.Failed:
			if !planned || p.Type != ledger.Tomb || p.Epoch != s.Epoch {
				a.bad("I5: a node settles as given up, and no tomb keeps a slower attempt from planning it")
			} else if s.Account != p.Own {
				a.bad("I2: a tomb of %v settles as %v", p.Own, s.Account)
			}
		case planned && p.Type == ledger.Live && !a.beforeClaim(s):
			a.bad("I3: a node settles as a leaf, and has a plan with %d children", len(p.Kids))
		case planned && p.Type == ledger.Leaf:
			if s.Account != p.Own {
				a.bad("I2: a leaf planned with %v settles as %v", p.Own, s.Account)
			}
		default:
			won, ok := m.leaves[node]
			if planned && p.Type == ledger.Tomb && p.Epoch < s.Epoch {
				won.Failures--
			}
			if !ok || s.Account != won {
				a.bad("I2: a leaf settles as %v, its results as %v", s.Account, won)
			}
		}
		return
	}
	if !planned || p.Type != ledger.Live && p.Type != ledger.Group {
		a.bad("I1: a node settles through a plan that is not there")
		return
	}
	done, sum, failed := m.below(p, s.Epoch)
	if !done {
		a.bad("I3: a node settles, and not all of its children have")
	}
	switch _, sequel := tree.Reduces(m.kidAt(s.At).Kind); {
	case p.Reduce && sequel && !failed:
		a.second(s, node, sum)
		return
	case p.Reduce && !failed:
		if s.Failed {
			sum.Failures++
		} else {
			sum = sum.Add(m.leaves[schema.ReducePID(node)])
		}
		if p.Epoch < s.Epoch && !m.failedIn(p.PID, s.Epoch-1) {
			sum.Failures-- // its reduce had been given up
		}
	case s.Failed != failed:
		a.bad("I3: a node settles as failed=%v, of its children failed=%v", s.Failed, failed)
	}
	if s.Account != sum {
		a.bad("I2: a node settles as %v, it and its children come to %v", s.Account, sum)
	}
}

// beforeClaim reports whether the leaf is one that the protocol lets pass: another
// attempt has found children, and has not claimed the slot yet, which it now cannot.
func (a *auditor) beforeClaim(s ledger.Settlement) bool {
	return s.Unfenced && !a.model.claimed(s)
}

// reduces asks whether all below a node that is reduced has settled.
func (a *auditor) reduces(e *history.Event) {
	pid := e.PID
	if of, is := a.model.reduces[pid]; is {
		pid = of
	}
	w := by{e.Worker, e.PID}
	inline := a.leaves[w] > 0 // it has no children in this attempt, or all were done inline
	if inline {
		a.leaves[w]--
	}
	p, planned := a.model.plans[pid]
	if inline || !planned || p.Type != ledger.Live {
		return
	}
	if done, _, failed := a.model.below(p, e.Epoch); (!done || failed) && e.Epoch == a.model.run.Epoch {
		a.bad("I4: a node is reduced before all its children have settled, or though some have failed")
	}
}

// holds asks whether what a worker has in its hands is bounded by its slots, whatever the
// tree is like: a message for each, one more that waits for it, and requests.
func (a *auditor) holds(e *history.Event) {
	for _, b := range []struct {
		what       string
		have, most int
	}{
		{"messages asked for, waiting or worked on", e.Held, 2 * a.Units},
		{"receives under way", e.Receives, mostReceives(a.Units)},
		{"deletes under way", e.Deletes, mostDeletes},
		{"other requests under way", e.Calls, a.Units + mostOthers},
	} {
		if b.have > b.most {
			a.bad("I7: a worker with %d slots has %d %s, want at most %d", a.Units, b.have, b.what, b.most)
		}
	}
}

func failing(id string, reduce bool, epoch int) string { return fmt.Sprint(id, reduce, epoch) }

// givenUp asks whether as many attempts on a node have failed as it was to have.
func (a *auditor) givenUp(p ledger.Plan) {
	reduce := p.PID != a.model.nodeAt(p.Up)
	id := a.model.run.Root.ID
	if !p.Up.IsRoot() {
		id = a.model.plans[p.Up.Parent].Kids[p.Up.Slot].ID
	}
	if n := a.failures[failing(tree.Path(id), reduce, p.Epoch)]; n < a.Tries {
		// Where a node has no children its reduce is part of its attempt.
		n += a.failures[failing(tree.Path(id), true, p.Epoch)]
		if n < a.Tries {
			a.bad("a node is given up after %d failed attempts, want %d", n, a.Tries)
		}
	}
}
