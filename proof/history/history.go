// Package history is what happened in a run, as it was seen at the seams: what the
// ledger's records were asked to become and became, what the queue was given, and what
// the processors were called for. It judges nothing; package audit does.
package history

import (
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// What happened.
const (
	Create    = "create"    // Run
	Amend     = "amend"     // Change, Err; Run as it is afterwards
	Plan      = "plan"      // Plan; Stored, Won
	Claim     = "claim"     // Settlement (At, Epoch); Outcome, Tally
	Settle    = "settle"    // Settlement; Outcome, Tally
	Commit    = "commit"    // PID, Attempt, Leaf, Account; Stored account in Settled
	Process   = "process"   // ID, Kind, PID, Serial, Epoch: an attempt begins
	Processed = "processed" // ID, Serial, Epoch, Err, Kids, Account: it ended
	Reduce    = "reduce"    // as Process; Account is the sum that it was given
	Reduced   = "reduced"   // as Processed
	Send      = "send"      // Message, Dead, Err where it may not be there; of a letter also Body, Reason
	Forge     = "forge"     // Message, Body, Dead: nobody may execute it; Reason: what people must be told of it
	Letter    = "letter"    // Message, Body, Reason: what lies in the dead-letter queue when all is over
	GiveUp    = "give-up"   // as Process: what becomes of a node is asked for
	GaveUp    = "gave-up"   // as Processed
	Receive   = "receive"   // Message, Dead; Note: how often, and the receipt
	Hold      = "hold"      // Held, Receives, Deletes, Calls: one of them more than before, of one worker
	Delete    = "delete"    // Note: a receipt
	Note      = "note"      // Note: crashes, weather, and what people did
)

// Event is one thing that happened. Only the fields that its What names are set.
type Event struct {
	At     time.Duration // since the beginning of the run
	Worker int           // who did it; 0: people
	What   string

	Run        *ledger.Run
	Change     *ledger.Change
	Plan       *ledger.Plan
	Stored     *ledger.Plan
	Won        bool
	Settlement *ledger.Settlement
	Outcome    ledger.Outcome
	Tally      *ledger.Tally
	Message    *schema.Message
	Body       uint64 // its hash, of a message that perhaps nobody can read
	Reason     string // why it is in the dead-letter queue
	Dead       bool   // the message is the dead-letter queue's

	PID               schema.PID
	ID                string
	Kind              string
	Attempt           uint64
	Serial            int // of a call of a processor, from 1
	Epoch             int
	Leaf              bool
	Held              int // messages that the worker has asked for, or has and not worked on yet
	Calls             int // requests that it has under way, beside
	Receives, Deletes int // of messages, but dead letters
	Account           schema.Account
	Settled           schema.Account
	Kids              []string
	Err               string
	Note              string
}

// Hash tells the bodies of messages apart.
func Hash(body []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(body) // of a hash it never fails
	return h.Sum64()
}

// Log is the history of one run. It is written by many.
type Log struct {
	mu     sync.Mutex
	began  time.Time
	events []Event
	seen   map[string]int
}

// New begins a history at this moment.
func New() *Log { return &Log{began: time.Now(), seen: map[string]int{}} }

// Saw counts that something occurred which may: a fault, a kind of node, a way through
// the protocol. So that nobody believes in a proof of what never happens.
func (l *Log) Saw(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[what]++
}

// Seen is how often each thing has occurred.
func (l *Log) Seen() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.seen)
}

// Add appends an event, as of now.
func (l *Log) Add(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.At = time.Since(l.began)
	l.events = append(l.events, e)
}

// Events are all events so far, in their order.
func (l *Log) Events() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events[:len(l.events):len(l.events)]
}

// Digest is equal for equal histories.
func (l *Log) Digest() string {
	h := fnv.New64a()
	for _, e := range l.Events() {
		fmt.Fprintln(h, e.String())
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// Print writes the last n events, one a line; all where n is 0.
func (l *Log) Print(w io.Writer, n int) {
	events := l.Events()
	if n > 0 && len(events) > n {
		events = events[len(events)-n:]
	}
	for _, e := range events {
		fmt.Fprintln(w, e.String())
	}
}

var outcomes = map[ledger.Outcome]string{ledger.Won: "won", ledger.Already: "already", ledger.Claimed: "claimed", ledger.Over: "over"}

// String is the event in one line.
func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%12s w%d %-9s", e.At.Round(time.Microsecond), e.Worker, e.What)
	say := func(format string, args ...any) { fmt.Fprintf(&b, " "+format, args...) }
	switch e.What {
	case Create, Amend:
		if e.Run != nil {
			say("state=%s epoch=%d paused=%v totals=%v", e.Run.State, e.Run.Epoch, e.Run.Paused, e.Run.Totals)
		}
	case Plan:
		p := e.Plan
		say("%s type=%s epoch=%d kids=%d own=%v mid=%016x attempt=%016x won=%v", p.PID, p.Type, p.Epoch, len(p.Kids), p.Own, uint64(p.MID), p.Attempt, e.Won)
		if !e.Won {
			say("stored=%s mid=%016x", e.Stored.Type, uint64(e.Stored.MID))
		}
	case Claim, Settle:
		s := e.Settlement
		say("%s/%d epoch=%d", s.At.Parent, s.At.Slot, s.Epoch)
		if e.What == Settle {
			say("account=%v failed=%v via=%v", s.Account, s.Failed, s.Via)
		}
		say("%s", outcomes[e.Outcome])
	case Commit:
		say("%s attempt=%016x leaf=%v account=%v settled=%v", e.PID, e.Attempt, e.Leaf, e.Account, e.Settled)
	case Process, Reduce, GiveUp:
		say("#%d %s %s epoch=%d sum=%v", e.Serial, e.ID, e.PID, e.Epoch, e.Account)
	case Processed, Reduced, GaveUp:
		say("#%d %s kids=%v account=%v", e.Serial, e.ID, e.Kids, e.Account)
	case Hold:
		say("%d messages, %d receives, %d deletes, %d other requests", e.Held, e.Receives, e.Deletes, e.Calls)
	case Send, Receive, Forge, Letter:
		if e.Body != 0 {
			reason, _, _ := strings.Cut(e.Reason, " goroutine ") // a stack has addresses, which chance gives
			say("body=%016x reason=%q", e.Body, reason)
		}
		if m := e.Message; m != nil {
			say("%s %s at=%s/%d mid=%016x re=%d epoch=%d try=%d", m.Op, m.ID, m.Up.Parent, m.Up.Slot, uint64(m.MID), m.Re, m.Epoch, m.Tries)
		}
	}
	if e.Note != "" {
		say("%s", e.Note)
	}
	if e.Err != "" {
		say("error: %s", e.Err)
	}
	return b.String()
}
