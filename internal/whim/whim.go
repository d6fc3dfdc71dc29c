// Package whim is what the hostile adapters have in common: chance out of a seed, and
// calls that take their time, and end with their medium.
//
// The same questions in the same order get the same answers, so that a seed replays:
// nothing asks for more than it did, or in another order, without changing what all
// seeds mean.
package whim

import (
	"context"
	"maps"
	"math/rand/v2"
	"sync"
	"time"
)

// Medium is a medium in memory, behind one lock. Chance is asked for with the lock.
type Medium struct {
	sync.Mutex
	*rand.Rand

	shut     error
	closing  chan struct{}
	active   sync.WaitGroup // calls in progress
	closed   bool
	happened map[string]int
}

// New makes an open medium. Media of one seed differ by their stream; shut is the error
// of calls that begin when it is closed, or are under way then.
func New(seed, stream uint64, shut error) *Medium {
	return &Medium{
		Rand: rand.New(rand.NewPCG(seed, stream)), shut: shut,
		closing: make(chan struct{}), happened: map[string]int{},
	}
}

// Chance is true with probability p, from 0 to 1.
func (m *Medium) Chance(p float64) bool { return p > 0 && m.Float64() < p }

// Happens is Chance, of a fault that is counted.
func (m *Medium) Happens(fault string, p float64) bool {
	if !m.Chance(p) {
		return false
	}
	m.happened[fault]++
	return true
}

// Note counts a fault that came about otherwise.
func (m *Medium) Note(fault string) { m.happened[fault]++ }

// Happened is how often each fault has occurred. It takes the lock.
func (m *Medium) Happened() map[string]int {
	m.Lock()
	defer m.Unlock()
	return maps.Clone(m.happened)
}

// UpTo is any time from 0 to d.
func (m *Medium) UpTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(m.Int64N(int64(d)))
}

// Delays are how long a call takes: up to Latency before it acts, and again before it
// answers; and with probability Stall up to StallFor longer, at one of these two places.
type Delays struct {
	Latency  time.Duration
	Stall    float64
	StallFor time.Duration
}

// Call runs act with the lock, between the two times that a request is under way; delays
// is asked with the lock, too. An error of act is returned at once; any other after act
// means an answer that was lost.
func (m *Medium) Call(ctx context.Context, delays func() Delays, act func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.Lock()
	if m.closed {
		m.Unlock()
		return m.shut
	}
	m.active.Add(1)
	defer m.active.Done()
	d := delays()
	stall := m.Happens("Stall", d.Stall)
	before := stall && m.Chance(0.5)
	there, back := m.way(d, before), m.way(d, stall && !before)
	m.Unlock()

	if err := m.travel(ctx, there); err != nil {
		return err
	}
	m.Lock()
	err := act()
	m.Unlock()
	if err != nil {
		return err
	}
	return m.travel(ctx, back)
}

// way is how long a request or its answer is under way.
func (m *Medium) way(d Delays, stalls bool) time.Duration {
	way := m.UpTo(d.Latency)
	if stalls {
		way += m.UpTo(d.StallFor)
	}
	return way
}

func (m *Medium) travel(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-m.closing:
		return m.shut
	}
}

// Closing is closed when Close begins: for calls that wait while they act.
func (m *Medium) Closing() <-chan struct{} { return m.closing }

// Close ends all calls in progress and waits for them. When it was closed before it
// returns the error of calls that come too late.
func (m *Medium) Close() error {
	m.Lock()
	if m.closed {
		m.Unlock()
		return m.shut
	}
	m.closed = true
	close(m.closing)
	m.Unlock()
	m.active.Wait()
	return nil
}
