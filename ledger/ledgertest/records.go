package ledgertest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

func readOrder(s *suite) {
	r := s.newRun()
	require.Empty(s, s.read())
	both, planOnly, tallyOnly, neither := node(r.ID, 0), node(r.ID, 1), node(r.ID, 2), node(r.ID, 3)
	s.plan(livePlan(r.ID, 0), true)
	s.plan(livePlan(r.ID, 1), true)
	s.settle(leafAt(r.ID, both, 1), ledger.Won)
	s.settle(leafAt(r.ID, tallyOnly, 2), ledger.Won)

	plan := func(p schema.PID) ledger.Key { return ledger.Key{PID: p} }
	tally := func(p schema.PID, epoch int) ledger.Key { return ledger.Key{PID: p, Tally: true, Epoch: epoch} }
	got := s.read(
		tally(tallyOnly, 0), plan(neither), tally(both, 1), plan(both), plan(tallyOnly), tally(planOnly, 0), plan(planOnly), tally(both, 0), tally(neither, 0),
		plan(both), tally(tallyOnly, 0), // asked twice
	)
	for i, missing := range []bool{false, true, true, false, true, true, false, false, true, false, false} {
		require.Equal(s, missing, got[i] == ledger.Record{}, "record %d is missing", i)
	}
	require.True(s, got[0].Tally != nil && got[3].Plan != nil && got[6].Plan != nil && got[7].Tally != nil, "a plan for a tally, or the reverse")
	require.Equal(s, slots(2), got[0].Tally.Done)
	require.Equal(s, both, got[3].Plan.PID)
	require.Equal(s, planOnly, got[6].Plan.PID)
	require.Equal(s, slots(1), got[7].Tally.Done)
	require.Equal(s, got[3], got[9])
	require.Equal(s, got[0], got[10])
}

func readMany(s *suite) {
	r := s.newRun()
	var keys []ledger.Key
	for i := range 150 {
		if i%3 != 0 {
			s.plan(livePlan(r.ID, i), true)
			s.settle(leafAt(r.ID, node(r.ID, i), i), ledger.Won)
		}
		keys = append(keys, ledger.Key{PID: node(r.ID, i)}, ledger.Key{PID: node(r.ID, i), Tally: true})
	}
	for i, rec := range s.read(keys...) {
		n := i / 2
		switch {
		case n%3 == 0:
			require.Equal(s, ledger.Record{}, rec, "key %d", i)
		case i%2 == 0:
			require.NotNil(s, rec.Plan, "key %d", i)
			require.Equal(s, node(r.ID, n), rec.Plan.PID, "key %d", i)
			require.Equal(s, n, rec.Plan.Up.Slot, "key %d", i)
		default:
			require.NotNil(s, rec.Tally, "key %d", i)
			require.Equal(s, slots(n), rec.Tally.Done, "key %d", i)
		}
	}
}

// scribble changes all that a plan points at.
func scribble(p *ledger.Plan) {
	for i := range p.Kids {
		k := &p.Kids[i]
		for j := range k.Args {
			k.Args[j] = '#'
		}
		if k.Group != nil {
			k.Group[0]++
		}
		k.ID = "scribbled"
	}
}

// planWithAll is a plan that points at all that a plan can point at.
func planWithAll(run string) ledger.Plan {
	group := schema.PID{1, 2, 3}
	p := livePlan(run, 0)
	p.Kids = append(p.Kids, ledger.Kid{Group: &group, Count: 3})
	return p
}

func passedNotKept(s *suite) {
	r := ledger.Run{ID: "passed", State: ledger.Running, Root: ledger.Kid{ID: "root", Args: schema.Args(`{"a":1}`)}}
	r.Options.Params = map[string]string{"a": "1"}
	s.create(r)
	r.Options.Params["a"] = "2"
	r.Root.Args[5] = '2'
	got := s.run(r.ID)
	require.Equal(s, map[string]string{"a": "1"}, got.Options.Params)
	require.JSONEq(s, `{"a":1}`, string(got.Root.Args))

	p := planWithAll(r.ID)
	s.plan(p, true)
	scribble(&p)
	require.Equal(s, tidyPlan(planWithAll(r.ID)), s.stored(p.PID))

	h := header(3)
	st := leafAt(r.ID, p.PID, 0)
	st.Header = h
	s.settle(st, ledger.Won)
	h.Required = 99
	require.Equal(s, header(3), s.tally(p.PID, 0).Header)

	w := worker(r.ID, "w")
	s.report(w)
	w.Requests["list"] = 99
	require.Equal(s, tidyWorker(worker(r.ID, "w")), s.workers(r.ID)["w"])
}

func returnedNotKept(s *suite) {
	r := ledger.Run{ID: "returned", State: ledger.Running, Root: ledger.Kid{ID: "root", Args: schema.Args(`{"a":1}`)}}
	r.Options.Params = map[string]string{"a": "1"}
	s.create(r)
	for range 2 {
		got := s.run(r.ID)
		require.Equal(s, tidyRun(r), got)
		got.Options.Params["a"] = "2"
		got.Root.Args[5] = '2'
		got = s.amend(r.ID, ledger.Change{From: ledger.Running})
		require.Equal(s, tidyRun(r), got)
		got.Options.Params["a"] = "3"
	}

	for range 2 {
		stored := s.plan(planWithAll(r.ID), true)
		scribble(&stored)
		scribble(s.read(ledger.Key{PID: stored.PID})[0].Plan)
	}
	require.Equal(s, tidyPlan(planWithAll(r.ID)), s.stored(node(r.ID, 0)))

	st := leafAt(r.ID, node(r.ID, 0), 0)
	st.Header = header(3)
	s.settle(st, ledger.Won).Header.Required = 99
	s.settle(st, ledger.Already).Header.Required = 99
	s.tally(node(r.ID, 0), 0).Header.Required = 99
	s.claim(r.ID, st.At, 0, ledger.Already).Header.Required = 99
	require.Equal(s, header(3), s.tally(node(r.ID, 0), 0).Header)

	s.report(worker(r.ID, "w"))
	s.workers(r.ID)["w"].Requests["list"] = 99
	require.Equal(s, tidyWorker(worker(r.ID, "w")), s.workers(r.ID)["w"])
}

// every calls every method and hands its error to check.
func (s *suite) every(ctx context.Context, run string, check func(method string, err error)) {
	plan := livePlan(run, 0)
	check("Create", s.store.Create(ctx, ledger.Run{ID: "late", State: ledger.Running}))
	_, err := s.store.Run(ctx, run)
	check("Run", err)
	_, err = s.store.Amend(ctx, run, ledger.Change{From: ledger.Running, State: ledger.Cancelled})
	check("Amend", err)
	_, _, err = s.store.Plan(ctx, plan)
	check("Plan", err)
	_, _, err = s.store.Claim(ctx, run, plan.Up, 0)
	check("Claim", err)
	_, _, err = s.store.Settle(ctx, leafAt(run, plan.PID, 0))
	check("Settle", err)
	_, _, err = s.store.Settle(ctx, rootOf(run))
	check("Settle", err)
	_, err = s.store.Read(ctx, []ledger.Key{{PID: plan.PID}})
	check("Read", err)
	check("Report", s.store.Report(ctx, worker(run, "w")))
	_, err = s.store.Workers(ctx, run)
	check("Workers", err)
	check("Draw", s.store.Draw(ctx, sketch(run, "w")))
	_, err = s.store.Sketches(ctx, run)
	check("Sketches", err)
	_, err = s.store.Runs(ctx)
	check("Runs", err)
	_, err = s.store.Lease(ctx, lease("late", "w", 0, time.Hour))
	check("Lease", err)
	check("Release", s.store.Release(ctx, "late", "w"))
	_, err = s.store.Visit(ctx, ledger.Claim{By: plan.PID}, []schema.PID{plan.PID})
	check("Visit", err)
	_, err = s.store.Visited(ctx, []schema.PID{plan.PID})
	check("Visited", err)
	_, err = s.store.Ticked(ctx, "late")
	check("Ticked", err)
	_, err = s.store.Tick(ctx, "late", noon)
	check("Tick", err)
}

// patience is how long what must happen may take.
const patience = 30 * time.Second

func endedContext(s *suite) {
	r := s.newRun()
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	start := time.Now()
	s.every(ctx, r.ID, func(method string, err error) {
		require.ErrorIs(s, err, context.Canceled, method)
	})
	require.Less(s, time.Since(start), patience)
	require.Equal(s, ledger.Running, s.run(r.ID).State, "the run, for calls whose context goes on")
}

func closed(s *suite) {
	r := s.newRun()
	require.NoError(s, s.store.Close())
	start := time.Now()
	s.every(s.Context(), r.ID, func(method string, err error) {
		require.ErrorIs(s, err, ledger.ErrClosed, method)
	})
	if err := s.store.Close(); err != nil {
		require.ErrorIs(s, err, ledger.ErrClosed, "Close again")
	}
	require.Less(s, time.Since(start), patience)
}
