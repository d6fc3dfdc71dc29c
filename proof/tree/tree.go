// Package tree makes trees to be walked by simulated runs: what a node is, how many
// children it has, whether it fails and how long it takes follow from a seed and the
// node's name, so that a tree is the same whoever walks it. A moody tree is not: there
// each attempt on a node finds something else.
package tree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// Shape is what a tree is like. Those of type float64 are parts of its nodes, from 0
// to 1.
type Shape struct {
	Seed   uint64
	Tempo  int  // by which slow nodes are faster; 0 counts 1
	Nodes  int  // at most, but for those of graphs
	Fanout int  // children of a node at most
	Chain  bool // one child each
	Pad    int  // bytes by which names are longer, about: a few hundred, and a dozen children fill a plan

	Fail   float64 // fail whatever is tried, until Heal
	Heal   int     // the epoch from which on half of these succeed, and in the next all do
	Flaky  float64 // fail at first
	Slow   float64 // take up to 90 s
	Moody  float64 // find something else in each attempt
	Panic  float64 // panic in their first attempt
	Ill    float64 // report trouble in their first attempts
	Sum    float64 // reduce
	Seq    float64 // have children in their second step
	Back   float64 // have children when they are given up
	Graph  float64 // begin the walk of a graph
	Nearer bool    // of graphs: shorter ways take over
	Rest   float64 // hand on what is left of them
}

// Kinds of nodes.
const (
	Plain   = "plain"
	Summed  = "sum"
	Twofold = "seq"
	Walked  = "walk"
)

// Tree is a tree while it is walked.
type Tree struct {
	Shape
	Log *history.Log

	mu       sync.Mutex
	serial   int
	attempts map[string]int // on each node
}

// New makes a tree.
func New(s Shape, log *history.Log) *Tree {
	return &Tree{Shape: s, Log: log, attempts: map[string]int{}}
}

// Root is the root's kid.
func (t *Tree) Root() ledger.Kid {
	return ledger.Kid{Kind: t.kind("0", t.Nodes), ID: "0", Args: args{Left: t.Nodes}.json()}
}

// Set is the processors as one worker calls them.
func (t *Tree) Set(worker int, visits func() ledger.Visits) processor.Set {
	p := plain{t, worker}
	g := giver{t, worker}
	return processor.Set{
		Plain: p, Summed: summed{p}, Twofold: twofold{summed{p}}, Walked: walked{p, visits},
		Plain + Backed: plainBack{p, g}, Summed + Backed: summedBack{summed{p}, g}, Twofold + Backed: twofoldBack{twofold{summed{p}}, g},
	}
}

// args of a node.
type args struct {
	Left  int        `json:"b,omitempty"` // nodes that it and all below it may be
	Rest  bool       `json:"r,omitempty"` // it is what was left of another
	V     int        `json:"v,omitempty"` // of a graph: the vertex
	Depth int        `json:"d,omitempty"` // steps from the first vertex
	Walk  schema.PID `json:"w,omitzero"`  // the first node
	Again bool       `json:"a,omitempty"` // an earlier claim counts the vertex
	Given int        `json:"g,omitempty"` // 1 + the epoch in which the node was given up that this is left of
}

func (a args) json() []byte {
	b, err := json.Marshal(a)
	if err != nil {
		panic(err) // no field can
	}
	return b
}

// roll is a number from 0 to 1 that follows from the seed and what it is for.
func (s Shape) roll(what ...any) float64 {
	h := fnv.New64a()
	fmt.Fprint(h, s.Seed)
	for _, w := range what {
		fmt.Fprint(h, "/", w)
	}
	v := h.Sum64()
	v ^= v >> 33
	v *= 0xff51afd7ed558ccd
	v ^= v >> 33
	return float64(v>>11) / (1 << 53)
}

func (s Shape) kind(name string, left int) string {
	if (left < 2 || !s.Chain) && s.roll(name, "graph") < s.Graph {
		return Walked
	}
	kind := Plain
	switch {
	case left > 1 && s.roll(name, "seq") < s.Seq:
		kind = Twofold
	case left > 1 && s.roll(name, "sum") < s.Sum:
		kind = Summed
	}
	if s.roll(name, "back") < s.Back {
		kind += Backed
	}
	return kind
}

// Path is what of an id names the node; the rest makes it long.
func Path(id string) string {
	p, _, _ := strings.Cut(id, ":")
	return p
}

func (s Shape) id(p string) string {
	if s.Pad == 0 {
		return p
	}
	id := p + ":" + strings.Repeat(strconv.FormatUint(1<<53+uint64(s.roll(p, "long")*(1<<53)), 36), s.Pad/11)
	return id[:min(len(id), schema.MaxID)] // deep down the path itself is long
}

// spared reports whether a node is the root, and well: mostly, or there were no tree.
func (s Shape) spared(p string) bool { return p == "0" && s.roll("root") < 0.9 }

// fails reports whether a node fails in an epoch whatever is tried.
func (s Shape) fails(p string, epoch int) bool {
	p = stem(p)
	if s.spared(p) || s.roll(p, "fail") >= s.Fail {
		return false
	}
	return epoch < s.Heal || epoch == s.Heal && s.roll(p, "heal") < 0.5
}

// Permanent is what an error says that no retry mends.
const Permanent = "it fails for good"

// Away is what an error says of trouble that is not the node's.
const Away = "what all nodes need is away"

var (
	errFails = errors.New("it fails")
	errFor   = processor.Permanent(errors.New(Permanent))
)

// mood ends an attempt as the node's mood is; variant makes attempts differ.
func (s Shape) mood(p string, n *processor.Node, variant, attempt int) error {
	switch {
	case s.fails(p, n.Epoch):
		if s.roll(p, "permanent") < 0.3 {
			return errFor
		}
		return errFails
	case s.roll(p, "panic") < s.Panic && attempt == 1:
		panic("as it was told to")
	case s.roll(p, "ill") < s.Ill && attempt < 3:
		return processor.Trouble(errors.New(Away))
	case n.Epoch <= s.Heal && !s.spared(p) && float64(n.Tries) < 4*s.roll(p, "flaky", variant)*s.Flaky:
		return errors.New("flaky")
	}
	return nil
}

func (s Shape) linger(ctx context.Context, p, where string, variant int) error {
	if s.roll(p, where, variant) >= s.Slow {
		return nil
	}
	timer := time.NewTimer(time.Duration(s.roll(p, where, "time", variant)*float64(90*time.Second)) / time.Duration(max(s.Tempo, 1)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin notes that an attempt begins.
func (t *Tree) begin(what string, worker int, n *processor.Node, sum schema.Account) (serial, attempt, variant int) {
	p := Path(n.ID)
	t.mu.Lock()
	t.serial++
	t.attempts[what+p]++
	serial, attempt = t.serial, t.attempts[what+p]
	t.mu.Unlock()
	if t.roll(p, "moody") < t.Moody {
		variant = attempt
	}
	if variant > 1 {
		t.Log.Saw("an attempt on a moody node, after others")
	}
	t.Log.Add(history.Event{Worker: worker, What: what, Serial: serial, ID: p, Kind: n.Kind, PID: n.Key(), Epoch: n.Epoch, Account: sum})
	return serial, attempt, variant
}

// ended notes how an attempt ended.
func (t *Tree) ended(e history.Event, panics bool, err error) {
	switch {
	case panics:
		e.Err = "it panicked"
	case err != nil:
		e.Err = err.Error()
	}
	t.Log.Add(e)
}

// recorder counts for the history what an attempt brings forth.
type recorder struct {
	processor.Out
	kids []string
	sum  schema.Account
}

func (r *recorder) Child(c processor.Child) error {
	if err := r.Out.Child(c); err != nil {
		return err
	}
	r.kids = append(r.kids, Path(c.ID))
	return nil
}

func (r *recorder) Count(objects, bytes int64) {
	r.sum = r.sum.Add(schema.Account{Objects: objects, Bytes: bytes})
	r.Out.Count(objects, bytes)
}

// attempt runs one step of a processor and notes how it ended.
func (t *Tree) attempt(what, ended string, worker int, n *processor.Node, out processor.Out, sum schema.Account, step func(r *recorder, variant, attempt int) error) error {
	serial, attempt, variant := t.begin(what, worker, n, sum)
	r := &recorder{Out: out}
	p := Path(n.ID)
	var err error
	panics := true
	defer func() {
		e := history.Event{Worker: worker, What: ended, Serial: serial, ID: p, Epoch: n.Epoch, Kids: r.kids, Account: r.sum}
		t.ended(e, panics, err)
	}()
	name := p
	if what == history.Reduce {
		name = "reduce:" + p
	}
	for i := range 1 + int(t.roll(p, "rows", variant)*3) {
		if err = out.Write(sink.Rows, fmt.Appendf(nil, "%s %d %d\n", name, serial, i), 1); err != nil {
			panics = false
			return err
		}
		r.Count(1, int64(t.roll(p, "bytes", variant, i)*100))
	}
	err = step(r, variant, attempt)
	panics = false
	return err
}

// plain is nodes with children.
type plain struct {
	*Tree
	worker int
}

// Process implements processor.Processor.
func (p plain) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	return p.attempt(history.Process, history.Processed, p.worker, n, out, schema.Account{}, func(r *recorder, variant, attempt int) error {
		name := Path(n.ID)
		if slot, ok := out.Borrow(); ok {
			defer slot.Return()
		}
		out.Request("looked", 1)
		if err := p.linger(ctx, name, "before", variant); err != nil {
			return err
		}
		var a args
		if err := json.Unmarshal(n.Args, &a); err != nil {
			return processor.Permanent(err)
		}
		if a.Given == n.Epoch+1 {
			return errFor // it stands for what has failed
		}
		if err := p.reveal(n, a, r, variant); err != nil {
			return err
		}
		if err := p.linger(ctx, name, "after", variant); err != nil {
			return err
		}
		return p.mood(name, n, variant, attempt)
	})
}

// reveal reveals the node's children.
func (s Shape) reveal(n *processor.Node, a args, out processor.Out, variant int) error {
	p := Path(n.ID)
	left := max(a.Left-1, 0)
	if _, sequel := Reduces(n.Kind); sequel {
		left, _ = a.halves()
	}
	k := min(1+int(s.roll(p, "kids", variant)*float64(s.Fanout)), left)
	if s.Chain {
		k = min(1, left)
	}
	barren := 0.1
	if s.Chain {
		barren = 0.003 // it would end the tree
	}
	if p != "0" && s.roll(p, "barren", variant) < barren || variant > 0 && s.roll(p, "leaf", variant) < 0.3 {
		k = 0
	}
	if s.roll(p, "keep") < 0.3 {
		out.Keep(s.roll(p, "kept"))
	}
	rest := !a.Rest && left > 0 && (s.roll(p, "rest", variant) < s.Rest || s.Rest > 0 && out.Due() != processor.NotDue)
	total := left
	if rest {
		left /= 2
		k = min(k, left)
	}
	if err := s.some(out, p+".", k, left); err != nil || !rest {
		return err
	}
	return out.Child(processor.Child{ID: s.id(p + "~"), Args: args{Left: total - left + 1, Rest: true}.json(), Rest: true})
}

// some reveals k children, with so many nodes to be shared out.
func (s Shape) some(out processor.Out, prefix string, k, left int) error {
	for i := range k {
		share := left / k
		if i < left%k {
			share++
		}
		name := prefix + strconv.Itoa(i)
		c := processor.Child{Kind: s.kind(name, share), ID: s.id(name), Args: args{Left: share}.json(), Weight: uint32(s.roll(name, "weight") * 4)}
		if err := out.Child(c); err != nil {
			return err
		}
	}
	return nil
}

// summed is nodes that reduce.
type summed struct{ plain }

// Reduce implements processor.Reducer.
func (s summed) Reduce(ctx context.Context, n *processor.Node, sum schema.Account, out processor.Out) error {
	return s.attempt(history.Reduce, history.Reduced, s.worker, n, out, sum, func(_ *recorder, variant, attempt int) error {
		name := "reduce:" + Path(n.ID)
		if err := s.linger(ctx, name, "before", variant); err != nil {
			return err
		}
		return s.mood(name, n, variant, attempt)
	})
}
