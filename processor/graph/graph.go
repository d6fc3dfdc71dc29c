package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// Options of the processor.
type Options struct {
	// Visits is where visits are kept: the ledger of the runs. It is asked for by
	// each attempt; nil where there is none, and then every node fails.
	Visits func() ledger.Visits

	// Files allows lists that are files of this machine, and errors that quote what is
	// in a list. Only where the runs are of whoever runs this process: elsewhere who
	// sends a node could have any file of a task's read, and see lines of it.
	Files bool

	// Fetch writes a list of edges that is no file of this machine. Its error is
	// one line; permanent: no retry mends it. nil: there are only files, if any.
	Fetch func(ctx context.Context, place string, w io.Writer) (permanent bool, err error)
}

// page is how many neighbours are claimed at a time, and how many children a node
// reveals before it asks whether it is due: a hub hands on the rest of its own.
const page = 1000

// Processor processes vertices. It keeps the indexes of the lists of edges that it
// used last, in files that are gone with the process.
type Processor struct {
	options Options
	lists   lists
}

var _ processor.Apart = (*Processor)(nil)

// New makes the processor.
func New(o Options) *Processor {
	return &Processor{options: o, lists: lists{fetch: o.Fetch, files: o.Files}}
}

// Apart says that no vertex is processed within another's unit: which rows count is
// known at the end of the run (Standing), unit by unit. And it would be depth first,
// so that most ways found were long ones.
func (*Processor) Apart() {}

// errNoVisits is why vertices fail where nothing keeps who has visited them.
var errNoVisits = errors.New("the vertices of a graph need a ledger that keeps who has visited them, and there is none: want --ledger dynamodb:TABLE in the place of none")

// Look reads the list of edges of a walk, says what is wrong with it or with a first
// vertex that is not in it, and returns the version of its content.
func (p *Processor) Look(ctx context.Context, w Walk, from string) (version string, err error) {
	if err := w.Check(); err != nil {
		return "", processor.Permanent(err)
	}
	l, err := p.lists.open(ctx, w)
	if err != nil {
		return "", err
	}
	defer l.release()
	p.lists.same(w, l.version)
	return l.version, known(l.index, w, from)
}

func known(x *index, w Walk, from string) error {
	found, err := x.has(from)
	if err != nil {
		return processor.Trouble(err)
	}
	if !found {
		return processor.Permanent(fmt.Errorf("vertex %q is in no edge of %s", from, w.File))
	}
	return nil
}

// Process writes the vertex's row, claims its neighbours and reveals those that are
// its own. What it claims it reveals, whether or not a shorter way has taken the
// vertex or its neighbour over meanwhile: docs/state-machine.md, "Visits", needs that.
func (p *Processor) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	a, err := parse(n.Args)
	if err != nil {
		return processor.Permanent(err)
	}
	visits := p.options.Visits()
	if visits == nil {
		return processor.Permanent(errNoVisits)
	}
	l, err := p.lists.open(ctx, a.Walk)
	if err != nil {
		return fmt.Errorf("process vertex %q: %w", n.ID, err)
	}
	defer l.release()
	v := vertex{args: a, name: n.ID, index: l.index, visits: visits, out: out}
	if a.Walked == (schema.PID{}) {
		v.Walked = n.Key()
		err = v.begin(ctx)
	}
	if err == nil {
		err = v.row()
	}
	if err == nil {
		err = v.expand(ctx)
	}
	if err != nil {
		return fmt.Errorf("process vertex %q: %w", n.ID, err)
	}
	return nil
}

// vertex is one attempt at a vertex.
type vertex struct {
	args
	name   string
	index  *index
	visits ledger.Visits
	out    processor.Out
}

// begin claims the first vertex for nobody, so that no way leads back to it.
func (v *vertex) begin(ctx context.Context) error {
	if err := known(v.index, v.Walk, v.name); err != nil {
		return err
	}
	_, err := v.visits.Visit(ctx, ledger.Claim{}, v.pids(v.name))
	return processor.Trouble(err)
}

func (v *vertex) pids(names ...string) []schema.PID {
	pids := make([]schema.PID, len(names))
	for i, name := range names {
		pids[i] = schema.VertexPID(v.Walked, name)
	}
	return pids
}

// reached is a row.
type reached struct {
	Vertex string   `json:"vertex"`
	Depth  int      `json:"depth"`
	Via    *string  `json:"via"`             // null: the first vertex
	Chain  []string `json:"chain,omitempty"` // from the first vertex to this one
}

// row writes the vertex's row, and counts it unless an earlier claim does. What is
// left of a vertex has had its row.
func (v *vertex) row() error {
	if v.After != "" {
		return v.out.Write(sink.Rows, nil, 0)
	}
	r := reached{Vertex: v.name, Depth: v.Depth}
	if v.Depth == 0 {
		r.Chain = []string{v.name}
	} else {
		r.Via = &v.Via
		if len(v.Chain) == v.Depth-1 {
			r.Chain = slices.Concat(v.Chain, []string{v.Via, v.name})
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if !v.Again {
		v.out.Count(1, 0)
	}
	return v.out.Write(sink.Rows, append(text, '\n'), 1)
}

// expand claims the neighbours, page by page, and reveals them.
func (v *vertex) expand(ctx context.Context) error {
	if v.Max != nil && v.Depth >= *v.Max {
		return nil
	}
	first, again := marshal(v.below(v.name, false)), marshal(v.below(v.name, true))
	claim := ledger.Claim{By: v.pids(v.name)[0], Depth: v.Depth + 1, Nearer: v.nearer()}
	for after := v.After; ; {
		names, more, err := v.index.neighbours(v.name, after, page)
		if err != nil || len(names) == 0 {
			return processor.Trouble(err)
		}
		kept, err := v.claim(ctx, claim, names)
		if err != nil {
			return err
		}
		v.out.Request("claims", int64(len(names)))
		for i, name := range names {
			if !kept[i].Has(claim) {
				continue
			}
			args := again
			if kept[i].First(claim) {
				args = first
			}
			if err := v.out.Child(processor.Child{ID: name, Args: args}); err != nil {
				return err
			}
		}
		after = names[len(names)-1]
		if !more {
			return nil
		}
		if v.out.Due() != processor.NotDue {
			return v.rest(after)
		}
	}
}

// claim makes claims on neighbours. As deep as a node can be there is nothing more to
// claim, and it fails if there were.
func (v *vertex) claim(ctx context.Context, c ledger.Claim, names []string) (kept []ledger.Visit, err error) {
	if c.Depth <= ledger.MaxClaimDepth {
		kept, err = v.visits.Visit(ctx, c, v.pids(names...))
		return kept, processor.Trouble(err)
	}
	if kept, err = v.visits.Visited(ctx, v.pids(names...)); err != nil {
		return nil, processor.Trouble(err)
	}
	for i, name := range names {
		if len(kept[i]) == 0 {
			return nil, processor.Permanent(fmt.Errorf("its neighbour %q is more than %d steps from the first vertex: a walk goes no farther", name, v.Depth))
		}
	}
	return kept, nil
}

// rest hands on the neighbours behind one.
func (v *vertex) rest(after string) error {
	a := v.args
	a.After = after
	return v.out.Child(processor.Child{ID: v.name, Args: marshal(a), Weight: page, Rest: true})
}
