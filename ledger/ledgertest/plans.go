package ledgertest

import (
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// livePlan is a plan with two children.
func livePlan(run string, slot int) ledger.Plan {
	return ledger.Plan{
		PID: node(run, slot), Run: run, Type: ledger.Live,
		Kids: []ledger.Kid{{Kind: "test", ID: "a"}, {Kind: "test", ID: "b", Args: schema.Args(`{"n":1}`)}},
		Own:  schema.Account{Nodes: 1, Objects: 10, Bytes: 1000},
		Up:   schema.Place{Parent: schema.PIDOf(run, schema.Place{}), Slot: slot}, Attempt: 11, MID: 12, Depth: 2, Share: schema.Whole / 4,
	}
}

func tombPlan(run string, slot, epoch int) ledger.Plan {
	p := livePlan(run, slot)
	p.Type, p.Kids, p.Own, p.Epoch, p.Err = ledger.Tomb, nil, schema.Account{Failures: 1}, epoch, "it would not"
	return p
}

// wide is 256 children that pack into 3.5 KB.
func wide() []ledger.Kid {
	kids := make([]ledger.Kid, schema.MaxSlots)
	for i := range kids {
		kids[i] = ledger.Kid{Kind: "s3.crawl", ID: fmt.Sprintf("s3://bucket/prefix/%03d", i), Args: schema.Args(`{"after":"x"}`), Weight: 5}
	}
	return kids
}

func planWhole(s *suite) {
	r := s.newRun()
	group := schema.GroupPID(node(r.ID, 0), math.MaxUint64, 1, 2)
	whole := ledger.Plan{
		PID: node(r.ID, 0), Run: r.ID, Type: ledger.Live, Epoch: 7,
		Kids: []ledger.Kid{
			{Kind: "s3.crawl", ID: odd, Args: schema.Args(`{"after": "<&>` + "\u2028" + `", "until":"\u0000\ud83c\udf32", "n":[1 , 2.50,1e400]}`)},
			{Kind: "s3.crawl", ID: "", Weight: math.MaxUint32, Deeper: 12},
			{Kind: "command", ID: strings.Repeat("é", 1000), Args: schema.Args(`{}`)},
			{Group: &group, Count: 1 << 40},
			{Kind: "command", ID: "same", Args: schema.Args(`{"a":1}`)},
			{Kind: "command", ID: "same", Args: schema.Args(`{"a":1}`)},
		},
		Own: schema.Account{Nodes: -1, Objects: 1 << 60, Bytes: math.MinInt64, Failures: -2, Reduces: math.MaxInt64},
		Up:  schema.Place{Parent: schema.PIDOf(r.ID, schema.Place{}), Slot: 255}, Reduce: true,
		Attempt: math.MaxUint64, MID: math.MaxUint64, Depth: schema.MaxDepth, Share: schema.Whole, Err: odd,
	}
	broad := livePlan(r.ID, 1)
	broad.Kids = wide()
	leaf := livePlan(r.ID, 2)
	leaf.Type, leaf.Kids = ledger.Leaf, nil
	tomb := tombPlan(r.ID, 3, 0)
	tomb.Err = strings.Repeat("why? "+odd, 10)
	page := livePlan(r.ID, 4)
	page.PID, page.Type, page.Share = group, ledger.Group, 0
	root := livePlan(r.ID, 0)
	root.PID, root.Up = schema.PIDOf(r.ID, schema.Place{}), schema.Place{}

	for _, p := range []ledger.Plan{whole, broad, leaf, tomb, page, root} {
		s.plan(p, true)
		require.Equal(s, tidyPlan(p), s.stored(p.PID))
	}
}

func planFirst(s *suite) {
	r := s.newRun()
	first := livePlan(r.ID, 0)
	s.plan(first, true)
	change := map[string]func(*ledger.Plan){
		"another message": func(p *ledger.Plan) { p.MID++ },
		"another attempt": func(p *ledger.Plan) { p.Attempt++ },
		"a leaf":          func(p *ledger.Plan) { p.Type, p.Kids = ledger.Leaf, nil },
		"a tomb":          func(p *ledger.Plan) { p.Type, p.Kids = ledger.Tomb, nil },
		"a later epoch":   func(p *ledger.Plan) { p.Epoch++ },
	}
	for name, f := range change {
		p := livePlan(r.ID, 0)
		p.Kids[0].ID = name
		f(&p)
		require.Equal(s, tidyPlan(first), s.plan(p, false), "the stored plan, where %s comes second", name)
		require.Equal(s, tidyPlan(first), s.stored(first.PID), "after %s", name)
	}
	s.plan(livePlan(r.ID, 1), true) // another node's
}

func planTry(s *suite) {
	r := s.newRun()
	leaf := livePlan(r.ID, 1)
	leaf.Type, leaf.Kids = ledger.Leaf, nil
	for _, p := range []ledger.Plan{livePlan(r.ID, 0), leaf, tombPlan(r.ID, 2, 0), tombPlan(r.ID, 3, 4)} {
		for range 3 {
			s.plan(p, true)
		}
		require.Equal(s, tidyPlan(p), s.stored(p.PID))
	}
}

func planTomb(s *suite) {
	r := s.newRun()
	tomb := tombPlan(r.ID, 0, 1)
	s.plan(tomb, true)
	at := func(epoch int) ledger.Plan {
		p := livePlan(r.ID, 0)
		p.Epoch, p.MID = epoch, schema.MID(epoch)
		return p
	}
	s.plan(at(0), false)
	s.plan(at(1), false)
	require.Equal(s, tidyPlan(tomb), s.stored(tomb.PID))

	again := tombPlan(r.ID, 0, 2)
	again.Err = "nor again"
	s.plan(again, true)
	require.Equal(s, tidyPlan(again), s.plan(tomb, false), "a tomb of an earlier epoch comes late")
	s.plan(at(2), false)
	s.plan(at(5), true)
	s.plan(tombPlan(r.ID, 0, 6), false) // a live plan is never replaced
	s.plan(at(6), false)
	require.Equal(s, tidyPlan(at(5)), s.stored(tomb.PID))

	leaf := livePlan(r.ID, 1)
	leaf.Type, leaf.Kids = ledger.Leaf, nil
	s.plan(leaf, true)
	later := livePlan(r.ID, 1)
	later.Epoch = 1
	s.plan(later, false)
}

func planGroup(s *suite) {
	r := s.newRun()
	page := livePlan(r.ID, 0)
	page.PID, page.Type = schema.GroupPID(node(r.ID, 0), 11, 0, 0), ledger.Group
	s.plan(page, true)
	page.Kids = wide()
	page.MID++
	s.plan(page, true)
	require.Equal(s, tidyPlan(page), s.stored(page.PID), "the last one put")
	s.missing(ledger.Key{PID: node(r.ID, 0)}) // the node's own plan
}

func planRace(s *suite) {
	r := s.newRun()
	for slot := range 10 {
		var mu sync.Mutex
		var won []schema.MID
		var all sync.WaitGroup
		told := map[schema.MID]bool{}
		for i := range 20 {
			all.Go(func() {
				p := livePlan(r.ID, slot)
				p.MID = schema.MID(i)
				p.Kids[0].ID = fmt.Sprint(i)
				var stored ledger.Plan
				var wins bool
				err, _ := s.retry(func() (err error) { stored, wins, err = s.store.Plan(s.Context(), p); return err })
				mu.Lock()
				defer mu.Unlock()
				if assert.NoError(s, err) {
					told[stored.MID] = true
					assert.Equal(s, fmt.Sprint(uint64(stored.MID)), stored.Kids[0].ID)
				}
				if wins {
					won = append(won, p.MID)
				}
			})
		}
		all.Wait()
		stored := s.stored(node(r.ID, slot)).MID
		require.Equal(s, []schema.MID{stored}, won, "the winners")
		require.Equal(s, map[schema.MID]bool{stored: true}, told, "the plans that losers were told")
	}
}
