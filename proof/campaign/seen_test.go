package campaign_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// occurrences are in how many runs something occurred, and how often in all.
type occurrences map[string]struct{ runs, times int }

func (o occurrences) add(seen map[string]int) {
	for what, times := range seen {
		n := o[what]
		n.runs++
		n.times += times
		o[what] = n
	}
}

func (o occurrences) String() string {
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(o)) {
		fmt.Fprintf(&b, "%8d in %5d runs  %s\n", o[what].times, o[what].runs, what)
	}
	return b.String()
}

// must are what has to occur in 500 runs, or they prove less than they say: each fault of
// the queue, of requests to the ledger and the sink before they act and after, a crash at
// each kind of call on both sides of it, all that people do, each kind of node, and each way
// through the protocol. Nothing of it is planned: the seeds bring it about.
var must = []string{
	"a cancel", "a claim of a slot that has settled", "a client repeats claim", "a client repeats plan",
	"a client repeats settle", "a failed node is healed", "a fault of the dead-letter queue", "a leaf",
	"a leaf that loses against another's plan", "a message received again", "a message that a sweep has posted",
	"a node 30 levels deep", "a node that is given up has children", "a node that is given up has none after all",
	"a node that is what is left of another", "a node wider than a plan", "a pause", "a plan that loses",
	"a plan that loses against another's leaf", "a redrive", "a redrive that is late", "a reduce", "a reduce fails",
	"a request is refused: too many", "a request to the ledger or the sink stalls",
	"a run is begun that is there already", "a second step with children", "a settlement in epoch 2 or later",
	"a settlement of a run that is over", "a slot that has settled", "a sweep posts", "a tomb",
	"a tomb that is replaced", "a unit that does several nodes", "a vertex of a graph",
	"a vertex that a shorter way takes over", "a worker is stopped, and drains", "a worker stalls",
	"a worker that stalls is kept from a call", "an attempt fails", "an attempt fails for good",
	"an attempt is in trouble", "an attempt of a redrive", "an attempt on a moody node, after others",
	"an attempt panics", "crash after claim", "crash after commit", "crash after delete", "crash after extend",
	"crash after lease", "crash after open", "crash after plan", "crash after read", "crash after receive",
	"crash after report", "crash after run", "crash after runs", "crash after send", "crash after settle",
	"crash after visit", "crash after workers", "crash before claim", "crash before commit", "crash before delete",
	"crash before extend", "crash before lease", "crash before open", "crash before plan", "crash before read",
	"crash before receive", "crash before report", "crash before run", "crash before runs", "crash before send",
	"crash before settle", "crash before visit", "crash before workers", "lost after amend", "lost after claim",
	"lost after commit", "lost after lease", "lost after open", "lost after plan", "lost after read",
	"lost after release", "lost after report", "lost after run", "lost after runs", "lost after settle",
	"lost after visit", "lost after workers", "lost before amend", "lost before claim", "lost before commit",
	"lost before lease", "lost before open", "lost before plan", "lost before read", "lost before release",
	"lost before report", "lost before run", "lost before runs", "lost before settle", "lost before visit",
	"lost before workers", "lost before write", "queue: Delete.After", "queue: Delete.Before", "queue: Delete.Half",
	"queue: Deny", "queue: Empty", "queue: Expire", "queue: Extend.After", "queue: Extend.Before", "queue: Extend.Half",
	"queue: Forget", "queue: Ghost", "queue: Late", "queue: Lie", "queue: Receive.After", "queue: Receive.Before",
	"queue: Receive.Half", "queue: Reorder", "queue: Retention", "queue: Send.After", "queue: Send.Before",
	"queue: Send.Half", "queue: Stale", "queue: Stall", "queue: Twin", "queue: Vague",
	"somebody dies while he redrives", "somebody dies while he sweeps", "somebody does not come to the end of seeding",
	"somebody sweeps", "the queue gives a message up", "two attempts on a node find different children",
	"weather: as usual", "weather: calm", "weather: requests are refused", "what is left of a node that was given up",
}

// seldom are what a soak has to bring about.
var seldom = []string{
	"a leaf whose slot is claimed", "a node 200 levels deep", "a node wider than a plan of groups",
	"a plan of 256 children", "a tomb that loses against a plan", "crash after release", "crash before release",
	"lost after create", "lost before create",
}

// lacks are what of that did not occur.
func (o occurrences) lacks(soak bool) (missing []string) {
	wanted := must
	if soak {
		wanted = slices.Concat(must, seldom)
	}
	for _, what := range wanted {
		if o[what].times == 0 {
			missing = append(missing, what)
		}
	}
	return missing
}
