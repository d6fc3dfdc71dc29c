package model

// Bug is a set of switches: each breaks one thing that the protocol needs. A model that
// cannot fail proves nothing.
type Bug uint64

// The eleven of the first model of the protocol, and more.
const (
	DeleteBeforeSettle Bug = 1 << iota
	NoReclimb
	CountersUnconditional
	PlanOverwritten
	RedriveAddsTotals
	NoFence
	NoTomb
	DeleteBeforePost
	DeleteBeforeReduce
	PlannedMeansDelete
	SweepDropped

	YieldDeletes
	CopyRenamed
	RetryAfterDelete
	SendNotRepeated
	ReduceDespiteFailures
	NotTakenBack
	OwnAccount
	LastLeafCounts
	NeverAsks
	AnySignature
	ResendsAsOriginal
	RowsLast
	PostsBeforeClaim
	RedrivesAll
	SweepDoubles
	SweptOnce
)

// Planted is a bug with the world that shows it.
type Planted struct {
	Bug         Bug
	Name, About string
	World       string
}

// Bugs are all that are planted.
var Bugs = []Planted{
	{DeleteBeforeSettle, "delete-before-settle", "a leaf's message is deleted before its slot has settled", "crash"},
	{NoReclimb, "no-reclimb", "a node that has settled is taken for done, without a look at what is above it", "crash"},
	{CountersUnconditional, "counters-unconditional", "a slot that has settled is counted again", "crash"},
	{PlanOverwritten, "plan-overwritten", "the last plan of a node wins, not the first", "inline"},
	{RedriveAddsTotals, "redrive-adds-totals", "a redrive counts again what had settled before it", "redrive"},
	{NoFence, "no-fence", "a leaf settles though another attempt's plan has claimed its slot", "inline"},
	{NoTomb, "no-tomb", "a node is given up without a tomb", "redrive"},
	{DeleteBeforePost, "delete-before-post", "a message is deleted before the children of its node are posted", "crash"},
	{DeleteBeforeReduce, "delete-before-reduce", "a message is deleted before the reduce that it completes is posted", "reduce"},
	{PlannedMeansDelete, "planned-means-delete", "a node that has a plan is taken for posted", "crash"},
	{SweepDropped, "sweep-dropped", "what a sweep posts ends where another message owns the plan", "sweep"},
	{YieldDeletes, "yield-deletes", "a leaf whose slot its own plan has claimed deletes its message", "yield"},
	{CopyRenamed, "copy-renamed", "the copy of a message has another id, and does not know its own plan", "retry"},
	{RetryAfterDelete, "retry-after-delete", "a message that failed is deleted before its copy is sent", "retry"},
	{SendNotRepeated, "send-not-repeated", "a message that the queue did not take is taken for sent", "crash"},
	{ReduceDespiteFailures, "reduce-despite-failures", "a node reduces though something below it was given up", "reduce"},
	{NotTakenBack, "not-taken-back", "a node that a redrive has healed stays counted as given up", "redrive"},
	{OwnAccount, "own-account", "a leaf settles what it counted itself, not what the sink has kept", "moody"},
	{LastLeafCounts, "last-leaf-counts", "of a leaf's attempts the sink keeps the last", "moody"},
	{NeverAsks, "never-asks", "a suspect processes its node without asking the ledger", "redrive"},
	{ResendsAsOriginal, "resends-as-original", "what may be sent twice is not marked", "inline"},
	{RowsLast, "rows-last", "the rows of a node with children are committed after its plan", "crash"},
	{PostsBeforeClaim, "posts-before-claim", "a suspect posts the children of its plan and does not claim the slot before", "yield"},
	{RedrivesAll, "redrives-all", "a redrive posts all children of a plan, not those that had failed", "redrive"},
	{SweepDoubles, "sweep-doubles", "every message of a sweep goes on with what another one owns", "sweep-again"},
	{SweptOnce, "swept-once", "a sweep step is taken once, not once a sweep", "sweep-again"},
	{AnySignature, "any-signature", "messages are executed whoever signed them", "forged"},
}
