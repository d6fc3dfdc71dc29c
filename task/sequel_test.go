package task_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	ledgerhostile "github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/queue"
	queuehostile "github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/task"
)

// story is a tree of steps, whose shape is a pure function of its seed: a node of kind
// seq has children, some of them seqs, and others when these have succeeded; one of
// kind step that fails for good leaves what is left of it, and an alert.
type story struct {
	forest
	healed bool
	inline bool // steps are done within the seq's unit, which then fails as a whole

	mu    sync.Mutex
	ended map[string]bool // nodes an attempt on which has succeeded, by kind and name
	early []string        // what began before all before it had ended
	calls map[string]int
}

const (
	kindSeq  = "seq"
	kindStep = "step"
)

func newStory(seed uint64) *story {
	return &story{forest: forest{seed: seed, depth: 3, poison: 0.06}, ended: map[string]bool{}, calls: map[string]int{}}
}

// parts are the children of a seq, before and after; of a step none.
func (s *story) parts(id string) (before, after []processor.Child) {
	if s.kind(id) != kindSeq {
		return nil, nil
	}
	some := func(what string) (kids []processor.Child) {
		for i := range int(s.roll(id, what) * 4) {
			kid := fmt.Sprintf("%s.%s%d", id, what, i)
			kids = append(kids, processor.Child{ID: kid, Kind: s.kind(kid)})
		}
		return kids
	}
	return some("a"), some("z")
}

func (s *story) kind(id string) string {
	if id == "0" || strings.Count(id, ".") < s.depth && s.roll(id, "kind") < 0.6 {
		return kindSeq
	}
	return kindStep
}

// stuck reports whether the second step of a seq fails.
func (s *story) stuck(id string) bool {
	return !s.healed && !s.inline && s.roll(id, "stuck") < s.poison
}

// fails reports whether a step fails: an alert never does.
func (s *story) fails(id string) bool {
	return s.kind(id) == kindStep && !strings.HasSuffix(id, "!") && s.poisoned(id) && !s.healed
}

type left struct {
	Epoch int    `json:"epoch"`
	Why   string `json:"why"`
}

type seq struct{ *story }

func (seq) Sequel() {}

func (s seq) Process(_ context.Context, n *processor.Node, out processor.Out) error {
	s.begin(n.ID)
	before, _ := s.parts(n.ID)
	return s.reveal(n.ID, before, out)
}

func (s seq) Reduce(_ context.Context, n *processor.Node, _ schema.Account, out processor.Out) error {
	_, after := s.parts(n.ID)
	s.waited(n.ID, "reduce")
	if s.stuck(n.ID) {
		return errors.New("poisoned")
	}
	return s.reveal(n.ID+"/reduce", after, out)
}

func (s *story) reveal(row string, kids []processor.Child, out processor.Out) error {
	for _, k := range kids {
		if err := out.Child(k); err != nil {
			return err
		}
	}
	return out.Write(sink.Rows, []byte(row+"\n"), 1)
}

type step struct{ *story }

func (s step) Process(_ context.Context, n *processor.Node, out processor.Out) error {
	s.begin(n.ID)
	var l left
	if len(n.Args) > 0 {
		if err := json.Unmarshal(n.Args, &l); err != nil {
			return err
		}
		if l.Epoch == n.Epoch {
			return processor.Permanent(errors.New(l.Why))
		}
	}
	if s.fails(n.ID) {
		return errors.New("poisoned")
	}
	if n.Tries == 0 && s.roll(n.ID, "flaky") < 0.2 {
		return errors.New("flaky")
	}
	if err := out.Write(sink.Rows, []byte(n.ID+"\n"), 1); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[n.ID] = true
	return nil
}

func (s step) GiveUp(_ context.Context, n *processor.Node, why error, out processor.Out) error {
	var l left
	if len(n.Args) > 0 && json.Unmarshal(n.Args, &l) == nil && l.Epoch == n.Epoch {
		return nil
	}
	args, err := json.Marshal(left{n.Epoch, why.Error()})
	if err != nil {
		return err
	}
	return errors.Join(
		out.Child(processor.Child{ID: n.ID, Args: args, Rest: true}),
		out.Child(processor.Child{ID: fmt.Sprintf("%s.%d!", n.ID, n.Epoch)}),
	)
}

func (s *story) begin(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[id]++
	up := strings.LastIndexByte(id, '.')
	if up > 0 && id[up+1] == 'z' {
		s.wait(id[:up], id)
	}
}

func (s *story) waited(id, who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[id+"/reduce"]++
	s.wait(id, who)
}

// wait takes note of a node that begins before all below another, in its first part,
// has succeeded.
func (s *story) wait(id, who string) {
	before, _ := s.parts(id)
	for _, k := range before {
		for _, leaf := range s.steps(k.ID) {
			if !s.ended[leaf] {
				s.early = append(s.early, who+" before "+leaf)
			}
		}
	}
}

// steps are all steps from a node on.
func (s *story) steps(id string) (all []string) {
	if s.kind(id) == kindStep {
		return []string{id}
	}
	before, after := s.parts(id)
	for _, k := range slices.Concat(before, after) {
		all = append(all, s.steps(k.ID)...)
	}
	return all
}

// tale is what a run over the story comes to.
type tale struct {
	sum    schema.Account
	rows   map[string]bool
	failed map[string]bool
}

// tell walks the story. The run has been redriven once where it is healed: what had
// failed before has an alert.
func (s *story) tell() *tale {
	t := &tale{rows: map[string]bool{}, failed: map[string]bool{}}
	s.walk("0", t)
	return t
}

func (s *story) walk(id string, t *tale) (whole bool) {
	if s.kind(id) == kindStep {
		poisoned := s.poisoned(id)
		if poisoned && (!s.healed || s.hadRun(id)) {
			t.sum.Nodes++
			t.rows[id+".0!"] = true
		}
		if poisoned && !s.healed {
			t.sum.Failures++
			t.failed[id] = true
			return false
		}
		t.sum.Nodes++
		t.rows[id] = true
		return true
	}
	before, after := s.parts(id)
	if len(before) == 0 && s.stuck(id) { // both steps are one
		t.sum.Failures++
		t.failed[id] = true
		return false
	}
	t.sum.Nodes++
	t.rows[id] = true
	whole = true
	for _, k := range before {
		whole = s.walk(k.ID, t) && whole
	}
	if !whole {
		return false
	}
	if s.stuck(id) {
		t.sum.Failures++
		t.failed[id] = true
		return false
	}
	t.sum.Reduces++
	t.rows[id+"/reduce"] = true
	for _, k := range after {
		whole = s.walk(k.ID, t) && whole
	}
	return whole
}

// hadRun reports whether a node had its turn before all was healed.
func (s *story) hadRun(id string) bool {
	sick := &story{forest: s.forest, inline: s.inline}
	t := &tale{rows: map[string]bool{}, failed: map[string]bool{}}
	sick.walk("0", t)
	return t.failed[id]
}

// check compares a run that is over with the story.
func (s *story) check(w *world, r ledger.Run) {
	w.t.Helper()
	w.main.Set(queuehostile.Faults{})
	w.ledger.Set(ledgerhostile.Faults{})
	want := s.tell()
	state := ledger.Finished
	if len(want.failed) > 0 {
		state = ledger.Failed
	}
	assert.Equal(w.t, state, r.State)
	assert.Equal(w.t, want.sum, r.Totals)
	seen := map[string]int{}
	for u, err := range ledger.Units(context.Background(), w.ledger, r) {
		require.NoError(w.t, err)
		for _, row := range w.sink.rows(u.PID, u.Attempt, u.Leaf) {
			seen[row]++
		}
	}
	for row, n := range seen {
		assert.Equal(w.t, 1, n, "row %s", row)
	}
	assert.Equal(w.t, slices.Sorted(maps.Keys(want.rows)), slices.Sorted(maps.Keys(seen)))
	lost := map[string]bool{}
	for id, why := range w.lost(r) {
		lost[id] = true
		assert.Contains(w.t, []string{"poisoned", "its reduce failed: poisoned"}, why)
	}
	assert.Equal(w.t, want.failed, lost)
	assert.Empty(w.t, s.early)
}

// A second step begins when all before it has succeeded, and counts once, whatever the
// queue and the ledger do; what failed, and only that, is done again by a redrive, and
// then what waits for it.
func TestSequelsAreExact(t *testing.T) {
	sick := 0
	for n := range uint64(120) {
		synctest.Test(t, func(t *testing.T) {
			s := newStory(100 * n)
			s.inline = n%2 == 1
			for len(s.tell().rows) < 15 {
				s.seed++
			}
			w := newWorld(t, n, processor.Set{kindSeq: seq{s}, kindStep: step{s}})
			w.options.Retries, w.options.Inline = 1, int(n%2*10)
			w.seed(kindSeq)
			p := float64(n%4) * 0.03
			w.unkind(p)
			for range 2 {
				w.task()
			}
			r := w.wait(0)
			s.check(w, r)
			if r.State == ledger.Finished {
				return
			}
			sick++
			reduced := s.tell().rows
			done := maps.Clone(s.ended)
			s.healed, s.calls = true, map[string]int{}
			w.redrive(p)
			r = w.wait(1)
			w.stop()
			s.check(w, r)
			if p == 0 {
				for id := range s.calls {
					assert.False(t, done[id] || strings.HasSuffix(id, "/reduce") && reduced[id], "%s had succeeded", id)
				}
			}
		})
	}
	assert.Greater(t, sick, 5, "runs in which something failed")
}

// In each epoch in which it fails, a node has what becomes of it anew.
func TestGivenUpTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(0)
		s.poison = 2
		w := newWorld(t, 1, processor.Set{kindStep: step{s}})
		w.set = processor.Set{"k": process(func(ctx context.Context, n *processor.Node, out processor.Out) error {
			return out.Child(processor.Child{ID: "0.step", Kind: kindStep})
		}), kindStep: step{&story{forest: forest{seed: 1, poison: 2, depth: 0}, ended: map[string]bool{}, calls: map[string]int{}}}}
		w.seed("k")
		w.task()
		r := w.wait(0)
		assert.Equal(t, schema.Account{Nodes: 2, Failures: 1}, r.Totals)
		w.redrive(0)
		r = w.wait(1)
		assert.Equal(t, schema.Account{Nodes: 3, Failures: 1}, r.Totals)
		w.set[kindStep].(step).healed = true
		w.redrive(0)
		r = w.wait(2)
		assert.Equal(t, ledger.Finished, r.State)
		assert.Equal(t, schema.Account{Nodes: 4}, r.Totals)
	})
}

// A node that no attempt came to an end with is given up as others are.
func TestALostNodeFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(1)
		w := newWorld(t, 1, processor.Set{kindStep: step{s}})
		w.seed(kindStep)
		root := drained(t, w.main)[0]
		root.Receives = 101
		k := w.keeper()
		for range 3 {
			require.NoError(t, k.Lost(t.Context(), root))
		}
		w.task()
		r := w.wait(0)
		assert.Equal(t, ledger.Failed, r.State)
		assert.Equal(t, schema.Account{Nodes: 1, Failures: 1}, r.Totals)
		assert.Contains(t, w.lost(r)["0"], "the queue gave it up")
	})
}

// Nodes wait on the queue of their kind, however they come to be posted: as a child,
// as a second step, inline or not; and each is processed by a task of that queue.
func TestNodesWaitWhereTheyBelong(t *testing.T) {
	for n := range uint64(8) {
		synctest.Test(t, func(t *testing.T) {
			s := newStory(200 + n)
			s.poison = 0
			for len(s.tell().rows) < 15 {
				s.seed++
			}
			w := newWorld(t, n, nil)
			w.options.Inline = int(n % 2 * 10)
			other := queuehostile.New(n+7, queuehostile.Faults{})
			w.unkind(0.02)
			other.Set(queuehostile.Faults{Twin: 0.02, Ghost: 0.02, Reorder: 0.5})
			route := func(here queue.Queue) post.Route {
				return func(kind string, _ schema.Args) post.Sender {
					to := queue.Queue(w.main)
					if kind == kindStep {
						to = other
					}
					if to == here {
						return nil
					}
					return to
				}
			}
			w.seed(kindSeq)
			w.task(func(c *task.Config) {
				c.Processors, c.Route = processor.Set{kindSeq: seq{s}}, route(w.main)
			})
			w.task(func(c *task.Config) {
				c.Processors, c.Route, c.Queue = processor.Set{kindStep: step{s}, kindSeq: seqElsewhere{t, seq{s}}}, route(other), other
			})
			r := w.wait(0)
			w.stop()
			s.check(w, r)
		})
	}
}

// seqElsewhere is the kind as a task knows it that is to have none of its nodes.
type seqElsewhere struct {
	t *testing.T
	seq
}

func (s seqElsewhere) Process(context.Context, *processor.Node, processor.Out) error {
	assert.Fail(s.t, "processed on the wrong queue")
	return nil
}

func (s seqElsewhere) Reduce(context.Context, *processor.Node, schema.Account, processor.Out) error {
	assert.Fail(s.t, "reduced on the wrong queue")
	return nil
}

// Whoever wrote the plan of a second step goes on with it, though it is received again
// and another suspect has taken the reduce meanwhile: that one ends at the plan.
func TestTheOwnerOfASequelGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(0)
		s.poison = 0
		flaky := func(id string) bool { return s.roll(id, "flaky") < 0.2 } // whose retry would be a suspect
		for before, after := s.parts("0"); len(before) == 0 || len(after) == 0 || slices.ContainsFunc(s.steps("0"), flaky); before, after = s.parts("0") {
			s.seed++
		}
		w := newWorld(t, 1, processor.Set{kindSeq: seq{s}, kindStep: step{s}})
		w.seed(kindSeq)
		q := &fallen{Queue: w.main}
		w.task(func(c *task.Config) { c.Queue = q })
		r := w.wait(0)
		w.stop()
		assert.True(t, q.lost)
		assert.Positive(t, q.doubled)
		s.check(w, r)
	})
}

// fallen is a queue on which the root's reduce comes twice: the original, whose first
// attempt loses its lease when it has written its plan and posts, and a copy that is
// received before the original is again.
type fallen struct {
	*queuehostile.Queue
	mu      sync.Mutex
	doubled int
	stuck   bool // the attempt is about to lose its lease
	lost    bool // it has
}

func (q *fallen) Send(ctx context.Context, entries []queue.Entry) []error {
	root := schema.PIDOf("run", schema.Place{})
	for _, e := range entries {
		m, err := schema.Parse(e.Body)
		switch {
		case err != nil:
			return []error{err}
		case m.Op == schema.OpReduce && m.PID() == root && m.Re == schema.PostOriginal:
			q.double(ctx, *m)
		case m.Up.Parent == schema.ReducePID(root) && q.lose(ctx):
			return slices.Repeat([]error{context.Cause(ctx)}, len(entries))
		}
	}
	return q.Queue.Send(ctx, entries)
}

// double posts a copy, which comes a little later.
func (q *fallen) double(ctx context.Context, m schema.Message) {
	m.Re, m.MID = schema.PostAgain, schema.NewMID()
	if body, err := m.Encode(); err == nil {
		q.Queue.Send(ctx, []queue.Entry{{Body: body, Delay: time.Second}})
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.doubled++
}

// lose waits, once, until the caller has lost its lease.
func (q *fallen) lose(ctx context.Context) bool {
	q.mu.Lock()
	if q.lost {
		q.mu.Unlock()
		return false
	}
	q.stuck, q.lost = true, true
	q.mu.Unlock()
	<-ctx.Done()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stuck = false
	return true
}

func (q *fallen) Extend(ctx context.Context, leases []queue.Lease) []error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stuck {
		return slices.Repeat([]error{queue.ErrLeaseLost}, len(leases))
	}
	return q.Queue.Extend(ctx, leases)
}
