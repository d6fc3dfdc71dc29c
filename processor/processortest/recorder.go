// Package processortest runs processors in a test, without an engine: one
// attempt at a node with Run, a whole tree with Walk.
package processortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// Recorder is the processor.Out of one attempt and keeps what it brings forth.
// The zero Recorder has no idle slot, is never due and refuses only what no
// engine takes. Set its fields before Run or Reduce.
type Recorder struct {
	// Idle is how many slots can be borrowed at a time.
	Idle int
	// Wanted is what borrowed slots answer; nil is never.
	Wanted func() bool
	// Dues are the answers of Due, one after another; then processor.NotDue.
	Dues []processor.Due
	// Fault makes calls of "Child" and "Write" fail: it is asked before each,
	// with the number of calls of that method before it. nil is never.
	Fault func(method string, before int) error

	mu     sync.Mutex
	state  state
	result Result
	calls  map[string]int
	lent   int
	asked  int // times that Due was asked
	misuse []error
}

type state int

const (
	processing state = iota
	reducing
	over
)

var _ processor.Out = (*Recorder)(nil)

// Result is what one attempt brought forth.
type Result struct {
	Children []processor.Child
	Streams  map[string]*Stream // by name; those that were written to
	Objects  int64
	Bytes    int64
	Kept     float64          // part of its share that the node keeps
	Requests map[string]int64 // by name
	Borrowed int              // slots, all in all
}

// Stream is what was written to one stream.
type Stream struct {
	Blocks [][]byte // as written, in order
	Rows   int
}

// Bytes is all blocks joined.
func (s *Stream) Bytes() []byte {
	if s == nil {
		return nil
	}
	return bytes.Join(s.Blocks, nil)
}

// Run makes one attempt at a node. The result is what it brought forth, also
// where it failed. The error is the processor's own, unless it broke a rule of
// the seam that the methods of Out cannot refuse: a slot was not returned, a
// share was not from 0 to 1. A call of Out after Process has returned panics.
func Run(ctx context.Context, p processor.Processor, n *processor.Node) (*Result, error) {
	return new(Recorder).Run(ctx, p, n)
}

// Run is Run with this recorder, which serves one attempt.
func (r *Recorder) Run(ctx context.Context, p processor.Processor, n *processor.Node) (*Result, error) {
	return r.end(p.Process(ctx, n, r))
}

// Reduce makes one attempt at the second step of a node, sum being the account
// of the node and all below it. See Run.
func (r *Recorder) Reduce(ctx context.Context, p processor.Reducer, n *processor.Node, sum schema.Account) (*Result, error) {
	if _, is := p.(processor.Sequel); !is {
		r.state = reducing
	}
	return r.end(p.Reduce(ctx, n, sum, r))
}

// GiveUp asks a processor what becomes of a node that is given up. See Run.
func (r *Recorder) GiveUp(ctx context.Context, p processor.Fallback, n *processor.Node, why error) (*Result, error) {
	return r.end(p.GiveUp(ctx, n, why, r))
}

func (r *Recorder) end(err error) (*Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = over
	if r.lent > 0 {
		r.misuse = append(r.misuse, fmt.Errorf("borrowed slots are %d, want all returned", r.lent))
	}
	if len(r.misuse) > 0 {
		err = errors.Join(append(r.misuse, err)...)
	}
	return &r.result, err
}

// enter begins a call: it locks, and returns what unlocks.
func (r *Recorder) enter(method string) func() {
	r.mu.Lock()
	if r.state == over {
		r.mu.Unlock()
		panic("processortest: " + method + " called after the attempt was over")
	}
	return r.mu.Unlock
}

// fault asks Fault about a call.
func (r *Recorder) fault(method string) error {
	if r.Fault == nil {
		return nil
	}
	if r.calls == nil {
		r.calls = map[string]int{}
	}
	r.calls[method]++
	return r.Fault(method, r.calls[method]-1)
}

// Child keeps a child that an engine would take.
func (r *Recorder) Child(c processor.Child) error {
	defer r.enter("Child")()
	if err := r.fault("Child"); err != nil {
		return err
	}
	if r.state == reducing {
		return processor.Permanent(fmt.Errorf("reveal child %q: a reduce has no children", c.ID))
	}
	if err := check(c); err != nil {
		return processor.Permanent(fmt.Errorf("reveal child: %w", err))
	}
	r.result.Children = append(r.result.Children, c)
	return nil
}

func check(c processor.Child) error {
	args := bytes.TrimSpace(c.Args)
	switch {
	case len(c.ID) > schema.MaxID || !utf8.ValidString(c.ID):
		return &schema.FieldError{Field: "id", Value: c.ID, Want: "UTF-8 of at most 4096 bytes"}
	case len(args) > 0 && (args[0] != '{' || !json.Valid(args) || !utf8.Valid(args)):
		return &schema.FieldError{Field: "args", Value: string(args), Want: "a JSON object"}
	case len(args) > schema.MaxMessage/2:
		return &schema.FieldError{Field: "args", Value: strconv.Itoa(len(args)) + " bytes", Want: "at most 524288 bytes"}
	case c.Kind != "":
		return schema.CheckKind(c.Kind)
	}
	return nil
}

// Write keeps a copy of the block.
func (r *Recorder) Write(stream string, block []byte, rows int) error {
	defer r.enter("Write")()
	if err := r.fault("Write"); err != nil {
		return err
	}
	if rows < 0 {
		return processor.Permanent(&schema.FieldError{Field: "rows", Value: strconv.Itoa(rows), Want: "0 or more"})
	}
	if r.result.Streams == nil {
		r.result.Streams = map[string]*Stream{}
	}
	s := r.result.Streams[stream]
	if s == nil {
		s = &Stream{}
		r.result.Streams[stream] = s
	}
	s.Rows += rows
	s.Blocks = append(s.Blocks, bytes.Clone(block))
	return nil
}

// Count adds to objects and bytes.
func (r *Recorder) Count(objects, bytes int64) {
	defer r.enter("Count")()
	r.result.Objects += objects
	r.result.Bytes += bytes
}

// Keep keeps the last part given.
func (r *Recorder) Keep(part float64) {
	defer r.enter("Keep")()
	if !(part >= 0 && part <= 1) { // not a number is neither
		r.misuse = append(r.misuse, &schema.FieldError{Field: "kept share", Value: fmt.Sprint(part), Want: "0 to 1"})
		return
	}
	r.result.Kept = part
}

// Request adds to the requests of that name.
func (r *Recorder) Request(name string, n int64) {
	defer r.enter("Request")()
	if r.result.Requests == nil {
		r.result.Requests = map[string]int64{}
	}
	r.result.Requests[name] += n
}

// Borrow lends an idle slot.
func (r *Recorder) Borrow() (processor.Slot, bool) {
	defer r.enter("Borrow")()
	if r.lent >= r.Idle {
		return nil, false
	}
	r.lent++
	r.result.Borrowed++
	return &slot{recorder: r}, true
}

// Due is the next of the Dues.
func (r *Recorder) Due() processor.Due {
	defer r.enter("Due")()
	r.asked++
	if r.asked > len(r.Dues) {
		return processor.NotDue
	}
	return r.Dues[r.asked-1]
}

type slot struct {
	recorder *Recorder
	returned sync.Once
}

func (s *slot) Wanted() bool { return s.recorder.Wanted != nil && s.recorder.Wanted() }

func (s *slot) Return() {
	s.returned.Do(func() {
		s.recorder.mu.Lock()
		defer s.recorder.mu.Unlock()
		s.recorder.lent--
	})
}
