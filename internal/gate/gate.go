// Package gate lets calls in until it is closed, and closing waits for those that
// are inside: what every medium that is shared by many goroutines needs to end well.
package gate

import (
	"context"
	"sync"
)

// Gate counts calls in progress.
type Gate struct {
	shut error

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup
}

// New makes an open gate; shut is the error of whoever comes when it is closed.
func New(shut error) *Gate { return &Gate{shut: shut} }

// Enter begins a call, which ends with Leave, unless the gate is closed or ctx has
// ended: then it returns the gate's error, or ctx's, and there is nothing to leave.
func (g *Gate) Enter(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return g.shut
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	g.calls.Add(1)
	return nil
}

// Leave ends a call.
func (g *Gate) Leave() { g.calls.Done() }

// Close lets nobody in any more and waits for calls in progress. It may be repeated.
func (g *Gate) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.calls.Wait()
}
