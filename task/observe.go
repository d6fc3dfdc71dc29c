package task

import (
	"maps"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/schema"
)

// Observation is what one unit came to: the work for one received message. Sums
// of observations follow the truth closely, as those of ledger.Worker do; only the
// run's totals are exact.
type Observation struct {
	Run, Kind string // empty where the message could not be read
	Nodes     int64  // committed by it: its own, and those done inline
	Children  int64  // posted as messages of their own
	Failures  int64  // nodes given up
	Retries   int64  // attempts that failed and are made again
	Rejected  int64  // 1: the message cannot be executed and went to the dead-letter queue

	Busy     time.Duration    // of the unit, from its start to its end
	Waited   time.Duration    // from when the message was sent to the start of the unit; its delay is part of it
	Requests map[string]int64 // that its processor made of the outside, by name; nil if it made none
}

// seen is what a unit has come to so far.
type seen struct {
	own      schema.Account // committed
	children int64
	kids     bool // it has posted some, or groups of them
	retries  int64
	rejected int64
	busy     time.Duration
	slowest  []ledger.Slow // nodes, the slowest first

	mu       sync.Mutex // processors count from many goroutines
	requests map[string]int64
}

func (s *seen) request(name string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests == nil {
		s.requests = map[string]int64{}
	}
	s.requests[name] += n
}

// posted counts the children among the messages: a group is none.
func (s *seen) posted(letters []post.Letter) {
	for i := range letters {
		switch letters[i].Message.Op {
		case schema.OpNode:
			s.children++
			s.kids = true
		case schema.OpGroup:
			s.kids = true
		}
	}
}

// settled takes note of what the unit has committed. The base of a sequel was
// committed by others.
func (u *unit) settled(own schema.Account, share schema.Share) {
	own = own.Minus(u.base)
	u.seen.own = u.seen.own.Add(own)
	u.t.figures.settled(u.m.Run, own, share, u.m.Epoch)
}

func (u *unit) observation() Observation {
	s := &u.seen
	o := Observation{
		Run: u.m.Run, Kind: u.m.Kind, Nodes: s.own.Nodes, Children: s.children,
		Failures: max(s.own.Failures, 0), // healing takes one away
		Retries:  s.retries, Rejected: s.rejected, Busy: s.busy,
	}
	if sent := u.held.Sent; !sent.IsZero() {
		o.Waited = max(u.began.Sub(sent), 0) // clocks differ
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o.Requests = maps.Clone(s.requests)
	return o
}
