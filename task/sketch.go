package task

import (
	"cmp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/ramify/ramify/ledger"
)

// Sketching says how much people are shown of a task beside its counters, and how
// often (ledger.Sketch). The zero value is nothing.
type Sketching struct {
	Every   time.Duration // between two sketches of a run; 0: none are drawn
	Moments int           // of its history: where there would be more, every other one goes
	Doing   int           // units under way
	Slowest int           // nodes
	Name    int           // bytes of a node's name
}

// slow takes note of how long a processor took for a node. It is called for each node,
// many of which take microseconds: the few that a sketch has room for are kept here.
func (s *seen) slow(most int, node, kind string, took time.Duration, at time.Time) {
	if most == 0 || len(s.slowest) == most && took <= s.slowest[most-1].Took {
		return
	}
	s.slowest = insertSlow(s.slowest, most, ledger.Slow{Node: node, Kind: kind, Took: took, At: at})
}

// insertSlow keeps the slowest, the slowest first, each node once.
func insertSlow(all []ledger.Slow, most int, one ledger.Slow) []ledger.Slow {
	if i := slices.IndexFunc(all, func(s ledger.Slow) bool { return s.Node == one.Node && s.Kind == one.Kind }); i >= 0 {
		if all[i].Took >= one.Took {
			return all
		}
		all = slices.Delete(all, i, i+1)
	}
	at, _ := slices.BinarySearchFunc(all, one, func(a, b ledger.Slow) int { return cmp.Compare(b.Took, a.Took) })
	all = slices.Insert(all, at, one)
	return all[:min(len(all), most)]
}

// drawing is what is kept for the sketches of a run; figures.mu guards it.
type drawing struct {
	doing   map[*seen]ledger.Doing
	slowest []ledger.Slow
	moments ledger.Moments
	every   time.Duration // between two moments
	drawn   time.Time
	fresh   bool // something is not drawn yet
}

func (f *figures) drawingOf(run string) *drawing {
	d := f.drawings[run]
	if d == nil {
		d = &drawing{doing: map[*seen]ledger.Doing{}}
		f.drawings[run] = d
	}
	return d
}

// take adds the moment that a worker's counters are at.
func (d *drawing) take(w *ledger.Worker, most int) {
	m := ledger.Moment{
		At: w.At.UTC().Truncate(time.Millisecond), Nodes: w.Done.Nodes, Objects: w.Done.Objects, Bytes: w.Done.Bytes,
		Failures: w.Done.Failures, Share: w.Share,
	}
	for _, n := range w.Requests {
		m.Requests += n
	}
	n := len(d.moments)
	switch {
	case n == 0:
		// Before anything was done there was nothing.
		d.moments = append(d.moments, ledger.Moment{At: w.Started.UTC().Truncate(time.Millisecond)}, m)
		return
	case n > 1 && m.At.Sub(d.moments[n-2].At) < d.every:
		d.moments[n-1] = m // the last one is always that of now
		return
	}
	d.moments = append(d.moments, m)
	if len(d.moments) <= most {
		return
	}
	kept := d.moments[:0]
	for i, m := range d.moments {
		if i%2 == 0 || i == len(d.moments)-1 {
			kept = append(kept, m)
		}
	}
	d.moments = kept
	span := kept[len(kept)-1].At.Sub(kept[0].At)
	d.every = span / time.Duration(len(kept)-1)
}

// sketches are those that are due: all that have something new, or of these the ones
// whose time has come.
func (f *figures) sketches(now time.Time, all bool) (due []ledger.Sketch) {
	if f.sketching.Every <= 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for run, d := range f.drawings {
		w := f.runs[run]
		if w == nil || !d.fresh && len(d.doing) == 0 || !all && now.Sub(d.drawn) < f.sketching.Every {
			continue
		}
		s := ledger.Sketch{Run: run, ID: w.ID, At: now.UTC(), Slowest: slices.Clone(d.slowest), History: slices.Clone(d.moments)}
		for _, one := range d.doing {
			s.Doing = append(s.Doing, one)
		}
		slices.SortFunc(s.Doing, func(a, b ledger.Doing) int {
			return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Node, b.Node))
		})
		s.Doing = s.Doing[:min(len(s.Doing), f.sketching.Doing)]
		for i := range s.Doing {
			s.Doing[i].Node = f.cut(s.Doing[i].Node)
		}
		due = append(due, s)
		d.drawn, d.fresh = now, false
	}
	return due
}

// stale has a sketch that could not be drawn be drawn again.
func (f *figures) stale(run string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := f.drawings[run]; d != nil {
		d.fresh, d.drawn = true, time.Time{}
	}
}

// cut is the beginning of a node's name.
func (f *figures) cut(name string) string {
	most := f.sketching.Name
	if len(name) <= most {
		return name
	}
	for most > 0 && !utf8.RuneStart(name[most]) {
		most--
	}
	return name[:most] + "…"
}

// FleetSketching is for tasks whose board is paid for by the kilobyte that is written: a
// sketch is three at most.
var FleetSketching = Sketching{Every: 30 * time.Second, Moments: 48, Doing: 4, Slowest: 6, Name: 80}

// LocalSketching is for a task that writes to a file of its own machine.
var LocalSketching = Sketching{Every: time.Second, Moments: 600, Doing: 16, Slowest: 10, Name: 1100}
