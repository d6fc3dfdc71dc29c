package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/schema"
)

// reads is a ledger that counts what is read of it.
type reads struct {
	*hostile.Ledger
	records int
}

func (r *reads) Read(ctx context.Context, keys []ledger.Key) ([]ledger.Record, error) {
	r.records += len(keys)
	return r.Ledger.Read(ctx, keys)
}

// branch is a node of a tree of which some nodes were given up.
type branch struct {
	fails   bool // itself, or its second step
	reduces bool
	groups  int // of so many children each; 0: its children are in its own plan
	kids    []branch
}

func (b *branch) failed() bool {
	for i := range b.kids {
		if b.kids[i].failed() {
			return true
		}
	}
	return b.fails
}

// planted writes what the ledger has of a tree whose run is over, and returns the names
// of what was given up, in the order of the tree.
type planted struct {
	t      require.TestingT
	ledger *reads
	run    ledger.Run
	want   []string
}

func plant(t require.TestingT, root branch) *planted {
	p := &planted{t: t, ledger: &reads{Ledger: hostile.New(1, hostile.Faults{})}}
	ctx := context.Background()
	require.NoError(t, p.ledger.Create(ctx, ledger.Run{ID: "run", State: ledger.Running, Root: ledger.Kid{Kind: "k", ID: "0"}}))
	p.node(schema.Place{}, "0", 0, &root)
	run, err := p.ledger.Run(ctx, "run")
	require.NoError(t, err)
	p.run = run
	return p
}

func (p *planted) plan(plan ledger.Plan) {
	plan.Run, plan.Attempt, plan.MID = "run", 1, 1
	_, _, err := p.ledger.Plan(context.Background(), plan)
	require.NoError(p.t, err)
}

func (p *planted) settle(at schema.Place, failed, via bool) {
	_, outcome, err := p.ledger.Settle(context.Background(), ledger.Settlement{Run: "run", At: at, Failed: failed, Via: via})
	require.NoError(p.t, err)
	require.Equal(p.t, ledger.Won, outcome)
}

func (p *planted) node(at schema.Place, id string, depth int, b *branch) {
	pid := schema.PIDOf("run", at)
	if len(b.kids) == 0 {
		if b.fails {
			p.plan(ledger.Plan{PID: pid, Type: ledger.Tomb, Up: at, Depth: depth, Err: "why " + id})
			p.want = append(p.want, id)
		}
		p.settle(at, b.fails, false)
		return
	}
	below := false
	kids := make([]ledger.Kid, len(b.kids))
	for i := range b.kids {
		kids[i] = ledger.Kid{Kind: "k", ID: fmt.Sprintf("%s.%d", id, i), Deeper: 1}
		below = below || b.kids[i].failed()
	}
	own := ledger.Plan{PID: pid, Type: ledger.Live, Up: at, Depth: depth, Reduce: b.reduces}
	if b.groups == 0 {
		own.Kids = kids
		p.plan(own)
		for i := range b.kids {
			p.node(schema.Place{Parent: pid, Slot: i}, kids[i].ID, depth+1, &b.kids[i])
		}
	} else {
		for from := 0; from < len(kids); from += b.groups {
			page := schema.GroupPID(pid, 1, 0, len(own.Kids))
			own.Kids = append(own.Kids, ledger.Kid{ID: fmt.Sprint(from), Group: &page})
		}
		p.plan(own)
		for g := range own.Kids {
			up := schema.Place{Parent: pid, Slot: g}
			from, to := g*b.groups, min((g+1)*b.groups, len(kids))
			page, failed := *own.Kids[g].Group, false
			p.plan(ledger.Plan{PID: page, Type: ledger.Group, Up: up, Depth: depth, Kids: kids[from:to]})
			for i := from; i < to; i++ {
				failed = failed || b.kids[i].failed()
				p.node(schema.Place{Parent: page, Slot: i - from}, kids[i].ID, depth+1, &b.kids[i])
			}
			p.settle(up, failed, true)
		}
	}
	again := b.reduces && b.fails && !below // a second step is taken where nothing below failed
	if again {
		p.plan(ledger.Plan{PID: schema.ReducePID(pid), Type: ledger.Tomb, Up: at, Depth: depth, Err: "why " + id})
		p.want = append(p.want, id)
	}
	p.settle(at, below || again, true)
}

// paged reads all failures, so many at a time, and calls page before each.
func (p *planted) paged(limit int, page func()) (got []string) {
	all := ledger.Failures(context.Background(), p.ledger, p.run)
	for {
		page()
		n := 0
		var last schema.Place
		for f, err := range all {
			require.NoError(p.t, err)
			assert.Contains(p.t, f.Reason, "why "+f.ID)
			got, last = append(got, f.ID), f.Place
			if n++; n == limit {
				break
			}
		}
		if n < limit {
			return got
		}
		all = ledger.FailuresAfter(context.Background(), p.ledger, p.run, last)
	}
}

func branches(depth int) *rapid.Generator[branch] {
	return rapid.Custom(func(t *rapid.T) branch {
		b := branch{fails: rapid.IntRange(0, 3).Draw(t, "fails") == 0}
		if depth > 0 && rapid.IntRange(0, 3).Draw(t, "leaf") > 0 {
			b.kids = rapid.SliceOfN(branches(depth-1), 0, 5).Draw(t, "kids")
			b.reduces, b.groups = rapid.Bool().Draw(t, "reduces"), rapid.IntRange(0, 3).Draw(t, "groups")
		}
		if len(b.kids) > 0 {
			b.fails = b.fails && b.reduces
		}
		return b
	})
}

// Whatever the tree, and however large the pages, they have together what was given up,
// each node once, in the order of the tree.
func TestPagesOfFailures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := plant(t, branches(4).Draw(t, "tree"))
		assert.Equal(t, p.want, p.paged(rapid.IntRange(1, 7).Draw(t, "limit"), func() {}))
	})
}

// A tree may be so deep that it is read in more steps than a number has bits
// that doubles with each.
func TestFailuresFarBelow(t *testing.T) {
	deep := branch{fails: true}
	for range 200 {
		deep = branch{kids: []branch{deep, {fails: true}}}
	}
	p := plant(t, deep)
	assert.Equal(t, p.want, p.paged(1000, func() {}))
}

// Of many failures the last page costs what the first does, and both little.
func TestTheLastPageOfFailuresCostsWhatTheFirstDoes(t *testing.T) {
	leaf := branch{fails: true}
	wide := branch{}
	for range 200 {
		wide.kids = append(wide.kids, leaf)
	}
	root := branch{}
	for range 100 {
		root.kids = append(root.kids, wide)
	}
	p := plant(t, root)
	const limit = 50
	var cost []int
	got := p.paged(limit, func() {
		cost = append(cost, p.ledger.records)
		p.ledger.records = 0
	})
	assert.Equal(t, p.want, got)
	require.Greater(t, len(cost), 400)
	for page, records := range cost[1:] {
		assert.LessOrEqual(t, records, 5*limit, "records read for page %d", page)
	}
}

// What is no place of the run's tree is said to be none, and of other runs nothing is told.
func TestFailuresBehindWhatIsNoPlace(t *testing.T) {
	p := plant(t, branch{kids: []branch{{fails: true}, {kids: []branch{{fails: true}}}}})
	other := schema.PIDOf("other", schema.Place{})
	_, _, err := p.ledger.Plan(t.Context(), ledger.Plan{PID: other, Run: "other", Type: ledger.Live, Kids: make([]ledger.Kid, 3)})
	require.NoError(t, err)
	root := schema.PIDOf("run", schema.Place{})
	for _, at := range []schema.Place{
		{Parent: other, Slot: 1}, {Parent: root, Slot: 2}, {Parent: root, Slot: -1}, {Parent: schema.PID{1}},
		{Parent: schema.PIDOf("run", schema.Place{Parent: root})}, // that of a tomb
	} {
		var got error
		for _, err := range ledger.FailuresAfter(t.Context(), p.ledger, p.run, at) {
			got = errors.Join(got, err)
		}
		require.ErrorIs(t, got, ledger.ErrNoPlace, "%v", at)
	}
	for f, err := range ledger.FailuresAfter(t.Context(), p.ledger, p.run, schema.Place{}) {
		require.NoError(t, err)
		assert.Fail(t, "something is behind the root", f.ID)
	}
}
