package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ramify/ramify/bench/figures"
	"github.com/ramify/ramify/bench/keys"
)

// lap is one run of one contestant.
type lap struct {
	used  figures.Used
	asked figures.Counts
}

// result is all runs of one contestant on one list.
type result struct {
	name, about string
	laps        []lap
	wrong       error // what it got wrong, if anything: it runs no more
}

// race lets all list the same bucket, one after the other, round after round, so
// that whatever else the machine does meets all alike.
func (s *shop) race(b *testing.B, o *options, srv *server, latency time.Duration, truth *keys.Truth, field []contestant) []result {
	b.Helper()
	results := make([]result, len(field))
	for round := range o.runs {
		for i, c := range field {
			r := &results[i]
			r.name, r.about = c.name, c.about
			if r.wrong != nil || round >= o.slowRuns && r.wall().mid > slow.Seconds() {
				continue
			}
			l, err := s.lap(b, srv, latency, truth, c)
			if err != nil {
				r.wrong = err
				fmt.Fprintf(os.Stderr, "%s, %d of %d: %s: %v\n", b.Name(), round+1, o.runs, c.name, err)
				continue
			}
			r.laps = append(r.laps, l)
			fmt.Fprintf(os.Stderr, "%s, %d of %d: %s: %.2f s, %d LISTs\n", b.Name(), round+1, o.runs, c.name, l.used.Wall.Seconds(), l.asked.Lists)
		}
	}
	return results
}

// lap runs a contestant once and checks what it wrote.
func (s *shop) lap(b *testing.B, srv *server, latency time.Duration, truth *keys.Truth, c contestant) (lap, error) {
	b.Helper()
	dir, err := os.MkdirTemp(s.dir, "lap-") //nolint:usetesting // on the disk of the checkout, not in memory
	must(b, err)
	defer os.RemoveAll(dir)
	srv.control(b, "reset?latency="+latency.String())
	used, output, err := s.clock(b.Context(), dir, srv.url, c.command(dir, srv.url))
	if err != nil {
		return lap{}, err
	}
	asked := srv.control(b, "counts")
	return lap{used: used, asked: asked}, c.check(filepath.Clean(dir), output, truth)
}

// spread is a median and the range it comes from.
type spread struct{ low, mid, high float64 }

func (r *result) spread(of func(lap) float64) spread {
	all := make([]float64, len(r.laps))
	for i, l := range r.laps {
		all[i] = of(l)
	}
	return spreadOf(all)
}

func spreadOf(all []float64) spread {
	if len(all) == 0 {
		return spread{}
	}
	slices.Sort(all)
	n := len(all)
	return spread{low: all[0], mid: (all[(n-1)/2] + all[n/2]) / 2, high: all[n-1]}
}

func (r *result) wall() spread { return r.spread(func(l lap) float64 { return l.used.Wall.Seconds() }) }

func (r *result) cpu() spread { return r.spread(func(l lap) float64 { return l.used.CPU().Seconds() }) }

func (r *result) rss() spread {
	return r.spread(func(l lap) float64 { return float64(l.used.RSS) / (1 << 20) })
}

func (r *result) lists() spread {
	return r.spread(func(l lap) float64 { return float64(l.asked.Lists) })
}

func (r *result) peak() spread { return r.spread(func(l lap) float64 { return float64(l.asked.Peak) }) }

func (r *result) serverCPU() spread {
	return r.spread(func(l lap) float64 { return l.asked.CPU.Seconds() })
}
