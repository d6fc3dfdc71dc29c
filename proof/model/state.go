package model

// State is all there is: the ledger's records, the sink, the queue, the workers and
// the people. It is small and is copied for each step.
type State struct {
	run     run
	plans   [maxPIDs]plan
	tallies [maxPIDs][maxEpochs]tally
	steps   [maxPIDs][maxEpochs]uint8   // who takes a redrive through a plan, or reduces: its mid
	overs   [maxPIDs][maxKins]sweepStep // who goes on there of a sweep, with what another message owns
	leaf    [maxPIDs]uint8              // the sink: the outcome of a leaf whose rows were committed first, plus 1
	parts   [maxPIDs]uint32             // the sink: outcomes with children whose rows were committed
	letters uint16                      // which have a letter with a reason in the dead-letter queue

	msgs    [maxMsgs]msg
	workers [maxWorkers]worker
	sweep   sweeper
	left    [faults]uint8 // what may still go wrong
	lost    bool          // a message is gone for good, or was never posted: a sweep is due
}

// account is nodes, each counted in 2 bits, failures and reduces. A redrive's tallies
// hold differences, so both may be negative.
type account struct {
	nodes    uint32
	failures int8
	reduces  int8
}

func (a account) add(b account) account {
	return account{a.nodes + b.nodes, a.failures + b.failures, a.reduces + b.reduces}
}

func once(n name) uint32 { return 1 << (2 * n) }

type runState uint8

const (
	running runState = iota
	finished
	failed
	cancelled
)

func (s runState) over() bool { return s != running }

// run is the run's record, and what its owner is about to post.
type run struct {
	state   runState
	epoch   uint8
	claim   uint8 // epoch+1 in which a plan claimed the root's slot
	paused  bool
	via     bool
	posting bool // the record is written, the root's message is not
	totals  account
}

type planType uint8

const (
	noPlan planType = iota
	live
	leafPlan
	tomb
)

type plan struct {
	kind   planType
	epoch  uint8
	name   name
	out    uint8 // the outcome, which has the kids
	mid    uint8
	posted bool // children were posted; nobody in the protocol knows
	own    account
}

type tally struct {
	done, fail, claim, via slots
	sum                    account
}

// set reports whether the record exists.
func (t *tally) set() bool { return t.done|t.claim != 0 }

type op uint8

const (
	opNone op = iota
	opNode
	opGroup
	opReduce
	opClimb
)

// How a message came to be posted.
const (
	original = 0
	again    = 1
	adopt    = 2
)

// msg is a message, on the queue or in its dead-letter queue.
type msg struct {
	op     op
	at     pid // the node's place; of a reduce, too
	name   name
	epoch  uint8
	re     uint8
	mid    uint8
	kin    uint8 // the half of mid that all have in common which one sweep leads to; 0: nobody asks for it
	tries  uint8
	rc     uint8 // receives, as far as they matter
	dead   bool  // it is in the dead-letter queue
	reason bool  // it came back from there with a reason
	forged bool  // its signature is wrong
	leased bool  // invisible
}

// step is what a worker does next.
type step uint8

const (
	idle       step = iota
	takeReduce      // put the reduce step
	takeOver        // put the sweep step
	ask             // read the tally above
	askPlan         // read the node's plan
	readGroup       // read the tallies of a group
	readClimb       // read the tally that may be complete
	work            // run the processor
	commit          // the sink
	putPlan         // put the plan
	claim           // claim the slot
	readAdopt       // read the tally of a plan that is gone on with
	takeStep        // put the redrive step
	readFailed      // read the tallies of a redriven plan
	postKids        // send to the queue
	settle          // add the slot
	postReduce      // send to the queue
	sendCopy        // send the message anew
	mourn           // send a letter
	remove          // delete the message
)

// worker is one slot of a task, with the unit that it works on.
type worker struct {
	do     step
	then   step  // after the sweep step is taken
	held   uint8 // the message, as an index; none: it is gone
	stale  bool  // the lease is lost, and the worker does not know
	m      msg   // as it was received
	kind   planType
	out    uint8
	acted  bool // the write was made, and the answer lost
	behind bool // somebody else has made a settlement that it came for
	redo   bool // the node was given up in an earlier epoch
	later  bool // the copy is no retry: the message could not be worked on
	acc    account
	at     pid // whose slot settles; of a reduce that is posted, the node
	failed bool
	via    bool
	fenced bool  // the settlement heeds no claim: it is made for a plan
	post   slots // children to be posted
	re     uint8 // of what is posted
}

// sweepStep names the message that has taken it and, which nobody in the protocol knows,
// the one that has posted children though it owns nothing there: mids.
type sweepStep struct{ by, posted uint8 }

// sweeper walks the unsettled part of the run.
type sweeper struct {
	on      bool
	epoch   uint8
	kin     uint8  // of all that it posts
	pending uint16 // places to be visited
}

func (m *msg) adopts() bool  { return m.re == adopt || m.reason || m.dead }
func (m *msg) suspect() bool { return m.adopts() || m.rc > 1 || m.re > original }
