package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/report"
	"github.com/ramify/ramify/web"
)

// folder is the runs of this machine as the page sees them.
type folder struct {
	g *cli
	// starts is what lets a run go on that nobody works on, or redrives it, and returns
	// once that is under way; nil where it is for others to do.
	starts func(run string) func(ctx context.Context, redrive bool) error
}

var _ web.Runs = (*folder)(nil)

// List implements web.Runs. A file that cannot be read is left out: of the others
// there is something to say.
func (f *folder) List(ctx context.Context) ([]console.Snapshot, error) {
	entries, err := os.ReadDir(f.g.State)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var all []console.Snapshot
	for _, e := range entries {
		name, is := strings.CutSuffix(filepath.Base(e.Name()), ".db")
		if !is || !exists(f.g.State, name) {
			continue
		}
		st, _, err := glance(ctx, f.g, name)
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			continue
		}
		s, err := st.kept(f.g).source(name)(ctx)
		st.close()
		if err == nil {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b console.Snapshot) int { return b.Created.Compare(a.Created) })
	return all, nil
}

// Open implements web.Runs.
func (f *folder) Open(ctx context.Context, run string) (web.Run, error) {
	st, r, err := glance(ctx, f.g, run)
	if usage := (usageError{}); errors.As(err, &usage) {
		return nil, fmt.Errorf("%w: %w", web.ErrUnknown, err)
	}
	if err != nil {
		return nil, err
	}
	w := st.watched(ctx, f.g, r)
	if f.starts != nil {
		w.goOn = f.starts(run)
	}
	return w, nil
}

// watched is a run of this machine as it is seen. Closing it closes the run's file.
func (s *state) watched(ctx context.Context, g *cli, r ledger.Run) *watched {
	k := s.kept(g)
	return &watched{kept: k, source: k.source(r.ID), run: r.ID, prefixes: s.prefixTree(ctx, r)}
}

// watched is a run as the page sees it.
type watched struct {
	*kept
	source   console.Source
	run      string
	goOn     func(ctx context.Context, redrive bool) error // nil: it is for others to do
	prefixes *prefixTree
	look     func(ctx context.Context, v *web.View) error                       // adds what is known of a fleet; nil: there is none
	fleet    func(ctx context.Context, r ledger.Run, v *web.View) *report.Fleet // for a report; nil: there is none

	drawn     sync.Mutex // guards what follows
	redrawn   time.Duration
	lastDrawn []ledger.Sketch
	readAt    time.Time
}

var _ web.Run = (*watched)(nil)

// Look implements web.Run.
func (w *watched) Look(ctx context.Context) (web.View, error) {
	s, err := w.source(ctx)
	if err != nil {
		return web.View{}, err
	}
	all, err := w.sketches(ctx)
	if err != nil {
		return web.View{}, err
	}
	s.Show(all)
	v := web.View{Snapshot: s, Interrupted: s.Idle()}
	if w.look != nil {
		if err := w.look(ctx, &v); err != nil {
			return web.View{}, err
		}
	} else if r, err := w.ledger.Run(ctx, w.run); err == nil {
		v.Cost = costOf(requestCost(r, s.Requests), &s)
	}
	v.May = w.may(&v)
	return v, nil
}

// may is what buttons make sense now.
func (w *watched) may(v *web.View) (may []web.OrderKind) {
	starts := !v.Interrupted || w.goOn != nil
	switch v.State {
	case console.Running:
		if v.Interrupted && starts {
			may = append(may, web.Resume)
		} else if !v.Interrupted {
			may = append(may, web.Pause)
		}
		may = append(may, web.Cancel)
		if !v.Interrupted {
			may = append(may, web.Concurrency)
		}
	case console.Paused:
		if starts {
			may = append(may, web.Resume)
		}
		may = append(may, web.Cancel, web.Concurrency)
	case console.Failed:
		if w.goOn != nil {
			may = append(may, web.Redrive)
		}
	}
	return may
}

// refused is an order that makes no sense now, in words for who gave it.
type refused struct{ error }

// Is says so to errors.Is.
func (refused) Is(target error) bool { return target == web.ErrRefused }

// Do implements web.Run.
func (w *watched) Do(ctx context.Context, o web.Order) error {
	v, err := w.Look(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(v.May, o.Kind) {
		return refused{fmt.Errorf("run %s is %s: %s makes no sense now", w.run, v.State, o.Kind)}
	}
	r, err := w.ledger.Run(ctx, w.run)
	if err != nil {
		return err
	}
	yes := true
	c := ledger.Change{From: ledger.Running, Epoch: r.Epoch}
	switch o.Kind {
	case web.Pause:
		c.Paused = &yes
	case web.Cancel:
		c.State = ledger.Cancelled
	case web.Concurrency:
		c.Concurrency = &o.Concurrency
	case web.Redrive:
		return asRefusal(w.goOn(ctx, true))
	case web.Resume:
		if v.Interrupted || w.look != nil { // of a fleet, what is lost is posted again
			return asRefusal(w.goOn(ctx, false))
		}
		c = goOn(0, 0)(r)
	}
	c.At = time.Now()
	if _, err := w.amend(ctx, w.run, c); err != nil {
		return asRefusal(err)
	}
	return nil
}

// asRefusal makes of an error about what was asked one that is told.
func asRefusal(err error) error {
	if usage := (usageError{}); errors.As(err, &usage) || errors.Is(err, errNoSlot) {
		return refused{err}
	}
	return err
}

// sketches are what the workers of the run drew, read again once they may have drawn
// anew.
func (w *watched) sketches(ctx context.Context) ([]ledger.Sketch, error) {
	w.drawn.Lock()
	defer w.drawn.Unlock()
	if time.Since(w.readAt) < w.redrawn {
		return w.lastDrawn, nil
	}
	all, err := w.board.Sketches(ctx, w.run)
	if err != nil {
		return nil, err
	}
	w.lastDrawn, w.readAt = all, time.Now()
	return all, nil
}

// History implements web.Run.
func (w *watched) History(ctx context.Context) (h console.History, err error) {
	all, err := w.sketches(ctx)
	if err != nil {
		return h, err
	}
	s, err := w.source(ctx)
	if err != nil {
		return h, err
	}
	return console.HistoryOf(s, all), nil
}

// Slowest implements web.Run.
func (w *watched) Slowest(ctx context.Context) ([]console.Slow, error) {
	all, err := w.sketches(ctx)
	return console.SlowestOf(all), err
}

// Failures implements web.Run.
func (w *watched) Failures(ctx context.Context, after string, limit int) (some []console.Failure, next string, err error) {
	r, err := w.ledger.Run(ctx, w.run)
	if err != nil {
		return nil, "", err
	}
	return failuresOf(ctx, w.ledger, r, after, limit)
}

// Close implements web.Run.
func (w *watched) Close() {
	w.prefixes.close()
	w.close()
}

// newToken is a token that nobody guesses.
func newToken() string { return strings.ToLower(rand.Text()) }

// pageURL is where the page is. What stands behind the # stays in the browser: it is
// in no request and in no log.
func pageURL(address string, tls bool, token, run string) string {
	scheme, fragment := "http", ""
	if tls {
		scheme = "https"
	}
	if token != "" {
		fragment = "token=" + token
	}
	if run != "" {
		fragment = strings.TrimPrefix(fragment+"&run="+run, "&")
	}
	if fragment != "" {
		fragment = "#" + fragment
	}
	return scheme + "://" + address + "/" + fragment
}
