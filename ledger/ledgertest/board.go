package ledgertest

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

func worker(run, id string) ledger.Worker {
	return ledger.Worker{
		Run: run, ID: id,
		Done:  schema.Account{Nodes: 1, Objects: 2, Bytes: 1 << 60, Failures: 4, Reduces: 5},
		Share: schema.Whole, Retries: 7, Units: 9, Leaves: 6, Busy: 8*time.Second + 9, InFlight: 10, Slots: 11,
		Requests: map[string]int64{"list": 12, odd: 13},
		Started:  time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC),
		At:       time.Date(2026, 1, 2, 3, 4, 6, 0, time.FixedZone("CET", 3600)),
	}
}

func tidyWorker(w ledger.Worker) ledger.Worker {
	w.Started = w.Started.Round(0).UTC()
	w.At = w.At.Round(0).UTC()
	if len(w.Requests) == 0 {
		w.Requests = nil
	}
	return w
}

func (s *suite) report(w ledger.Worker) {
	s.Helper()
	err, _ := s.retry(func() error { return s.store.Report(s.Context(), w) })
	require.NoError(s, err, "report worker")
}

// workers are those that reported on a run, by name.
func (s *suite) workers(run string) map[string]ledger.Worker {
	s.Helper()
	var list []ledger.Worker
	err, _ := s.retry(func() (err error) { list, err = s.store.Workers(s.Context(), run); return err })
	require.NoError(s, err, "list workers")
	byName := map[string]ledger.Worker{}
	for _, w := range list {
		byName[w.ID] = tidyWorker(w)
	}
	require.Len(s, byName, len(list), "a worker is listed twice")
	return byName
}

func reports(s *suite) {
	r := s.newRun()
	first := worker(r.ID, "w1 "+odd)
	s.report(first)
	require.Equal(s, map[string]ledger.Worker{first.ID: tidyWorker(first)}, s.workers(r.ID))

	next := ledger.Worker{Run: r.ID, ID: first.ID, Done: schema.Account{Nodes: 2}, At: first.At}
	s.report(next)
	require.Equal(s, map[string]ledger.Worker{first.ID: tidyWorker(next)}, s.workers(r.ID), "overwritten, not added")
}

func workers(s *suite) {
	a, b := s.newRun(), s.newRun()
	require.Empty(s, s.workers(a.ID))
	want := map[string]ledger.Worker{}
	for i := range 20 {
		w := worker(a.ID, fmt.Sprintf("worker-%d", i))
		w.Retries = int64(i)
		s.report(w)
		want[w.ID] = tidyWorker(w)
	}
	s.report(worker(b.ID, "worker-0"))
	require.Equal(s, want, s.workers(a.ID))
	require.Len(s, s.workers(b.ID), 1)
	require.Empty(s, s.workers("nobody"))
}

func runsNewestFirst(s *suite) {
	list := func() (ids []string) {
		var all []ledger.Run
		err, _ := s.retry(func() (err error) { all, err = s.store.Runs(s.Context()); return err })
		require.NoError(s, err, "list runs")
		for _, r := range all {
			require.Equal(s, s.run(r.ID), tidyRun(r))
			ids = append(ids, r.ID)
		}
		return ids
	}
	require.Empty(s, list())
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for id, hour := range map[string]int{"b": 1, "e": 3, "a": 0, "d": 5, "c": 30} {
		s.create(ledger.Run{ID: id, State: ledger.Running, Created: start.Add(time.Duration(hour) * time.Hour)})
	}
	require.Equal(s, []string{"c", "d", "e", "b", "a"}, list())
	s.settle(rootOf("d"), ledger.Won)
	require.Equal(s, []string{"c", "d", "e", "b", "a"}, list(), "what happens to a run does not move it")
}

func sketch(run, id string) ledger.Sketch {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	return ledger.Sketch{
		Run: run, ID: id, At: at,
		Doing:   []ledger.Doing{{Node: "one " + odd, Kind: "k", Since: at}, {Node: "two", Since: at.Add(time.Second)}},
		Slowest: []ledger.Slow{{Node: odd, Kind: odd, Took: time.Hour + 7, At: at}},
		History: ledger.Moments{
			{At: at, Nodes: 1, Objects: 1 << 62, Bytes: 3, Requests: 4, Failures: 5, Share: 6},
			{At: at.Add(time.Millisecond), Nodes: 1 << 40, Objects: 2, Bytes: 1 << 61, Requests: 4, Failures: -5, Share: schema.Whole},
		},
	}
}

// sketches are those of a run, by the names of workers.
func (s *suite) sketches(run string) map[string]ledger.Sketch {
	s.Helper()
	var list []ledger.Sketch
	err, _ := s.retry(func() (err error) { list, err = s.store.Sketches(s.Context(), run); return err })
	require.NoError(s, err, "list sketches")
	byName := map[string]ledger.Sketch{}
	for _, k := range list {
		byName[k.ID] = k
	}
	require.Len(s, byName, len(list), "a sketch is listed twice")
	return byName
}

func (s *suite) draw(k ledger.Sketch) {
	s.Helper()
	err, _ := s.retry(func() error { return s.store.Draw(s.Context(), k) })
	require.NoError(s, err, "draw sketch")
}

func sketches(s *suite) {
	a, b := s.newRun(), s.newRun()
	require.Empty(s, s.sketches(a.ID))
	first, second := sketch(a.ID, "w1 "+odd), sketch(a.ID, "w2")
	s.draw(first)
	s.draw(second)
	s.draw(sketch(b.ID, "w1 "+odd))
	s.report(worker(a.ID, "w3"))
	require.Equal(s, map[string]ledger.Sketch{first.ID: first, second.ID: second}, s.sketches(a.ID))
	require.Len(s, s.sketches(b.ID), 1)
	require.Len(s, s.workers(a.ID), 1, "a worker that has drawn has not reported")

	next := ledger.Sketch{Run: a.ID, ID: first.ID, At: first.At}
	s.draw(next)
	require.Equal(s, map[string]ledger.Sketch{first.ID: next, second.ID: second}, s.sketches(a.ID), "overwritten, not added")
}
