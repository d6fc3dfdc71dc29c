package hostile

import "time"

// Faults says how unkind a queue is. Probabilities are from 0 to 1 and drawn
// anew each time; the zero value is a kind queue, which delivers each message
// once, the oldest first, and keeps its leases.
type Faults struct {
	Send, Receive, Delete, Extend, Depth Loss // what goes wrong with requests

	Twin    float64       // a delivery leaves a copy behind that is visible at once; once a message
	Lie     float64       // a delivery reports Receives 1, whatever is true
	Reorder float64       // a delivery picks any visible message instead of the oldest
	Empty   float64       // a receive returns none at once, though messages may be visible
	Expire  float64       // a lease, given or extended, ends at any moment before its time
	Late    float64       // a message becomes visible up to LateBy after its time
	LateBy  time.Duration // also how long after its delete a ghost comes

	Forget float64 // a delete answers nil and does nothing: the message comes back when its lease ends
	Ghost  float64 // a deleted message is delivered again; once a message
	Stale  float64 // a delete with a replaced receipt deletes; then either answer may come, deleted or not
	Deny   float64 // an extend answers ErrLeaseLost for a lease that is fine, and acts or does not
	Vague  float64 // a depth is off by anything between none and twice the truth

	Retention time.Duration // messages older than this are dropped; 0 keeps them for ever

	Latency  time.Duration // a call takes up to this long before it acts, and again before it answers
	Stall    float64       // a call takes up to StallFor longer, at one of these two places
	StallFor time.Duration
}

// Loss is what goes wrong with one request: of Send, Delete and Extend, at most
// Limits.Batch entries.
type Loss struct {
	Before float64 // it fails and has not acted
	After  float64 // it fails and has acted: the answer is lost
	Half   float64 // it acts on some entries and fails for the rest; of Receive: some messages are held by nobody
}

// Unkind is all faults at probability p that a queue may have for ever; a caller
// that follows the contract gets its work done at any p below about a half.
// Times are those of a busy queue: a second of lateness, stalls of a minute.
func Unkind(p float64) Faults {
	loss := Loss{Before: p, After: p, Half: p}
	return Faults{
		Send: loss, Receive: loss, Delete: loss, Extend: loss, Depth: loss,
		Twin: p, Lie: p, Reorder: p, Empty: p, Expire: p, Late: p, LateBy: time.Second,
		Forget: p, Ghost: p, Stale: p, Deny: p, Vague: p,
		Latency: 10 * time.Millisecond, Stall: p / 10, StallFor: time.Minute,
	}
}
