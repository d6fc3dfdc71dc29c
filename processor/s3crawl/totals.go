package s3crawl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Totals makes exact totals per prefix of the committed blocks of the stream
// sink.Prefixes, in any order.
//
// It counts distinct prefixes: the strings that end in '/', longer than the
// prefix of the run's root, with which at least one listed key begins. In the
// mode prefix that is the nodes below the root that had anything in them.
//
// Memory: what lies inside one stretch of keys is final when it is read, and
// only the biggest are kept. Of each stretch (a piece that one lister listed in
// one unit, or 64 KB of its prefixes; in mode prefix a node) its first and last
// key and the few prefixes that contain these stay until the end, so memory
// grows with the number of cuts, not of keys.
type Totals struct {
	top   int
	edges []edge
	best  []ranking // by level, the first at 0
}

type edge struct {
	base        int
	first, last string
	prefixes    int64
	lines       []PrefixTotal // that contain first or last: they may go on next door
}

// Sums is what Totals found.
type Sums struct {
	Prefixes int64
	Levels   []Level // the first is that just below the root's prefix
}

// Level is the biggest prefixes of one level, the biggest first.
type Level struct {
	ByBytes   []PrefixTotal
	ByObjects []PrefixTotal
}

// NewTotals keeps the top biggest prefixes of each level.
func NewTotals(top int) *Totals { return &Totals{top: top} }

// Add takes a block of the stream, which it does not keep.
func (t *Totals) Add(block []byte) error {
	dec := json.NewDecoder(bytes.NewReader(block))
	for dec.More() {
		var r record
		if err := dec.Decode(&r); err != nil {
			return fmt.Errorf("read totals: %w", err)
		}
		if r.Base < 0 || r.Base > len(r.First) || r.Base > len(r.Last) {
			return fmt.Errorf("read totals: base %d is beyond key %q", r.Base, r.First)
		}
		e := edge{base: r.Base, first: r.First, last: r.Last, prefixes: r.Prefixes}
		for _, line := range r.Lines {
			if strings.HasPrefix(r.First, line.Prefix) || strings.HasPrefix(r.Last, line.Prefix) {
				e.lines = append(e.lines, line)
			} else {
				t.best = rank(t.best, r.Base, line, t.top)
			}
		}
		t.edges = append(t.edges, e)
	}
	return nil
}

// Sum is the totals of all blocks added so far.
func (t *Totals) Sum() Sums {
	sort.Slice(t.edges, func(i, j int) bool {
		a, b := &t.edges[i], &t.edges[j]
		return a.first < b.first || a.first == b.first && a.last < b.last // versions of one key may be in several
	})
	best := slices.Clone(t.best)
	for i := range best {
		best[i] = ranking{slices.Clone(best[i].bytes), slices.Clone(best[i].objects)}
	}
	var (
		sums Sums
		open []PrefixTotal // that may go on in the next stretch
	)
	for i, e := range t.edges {
		sums.Prefixes += e.prefixes
		if i > 0 { // the two neighbours have these in common
			sums.Prefixes -= levels(e.first, e.base, common(t.edges[i-1].last, e.first))
		}
		still := open[:0]
		for _, line := range open {
			if strings.HasPrefix(e.first, line.Prefix) {
				still = append(still, line)
			} else {
				best = rank(best, e.base, line, t.top)
			}
		}
		open = still
	lines:
		for _, line := range e.lines {
			for k := range open {
				if open[k].Prefix == line.Prefix {
					open[k].Objects += line.Objects
					open[k].Bytes += line.Bytes
					continue lines
				}
			}
			open = append(open, line)
		}
	}
	for _, line := range open {
		best = rank(best, t.edges[0].base, line, t.top)
	}
	for _, r := range best {
		sums.Levels = append(sums.Levels, Level{ByBytes: r.bytes, ByObjects: r.objects})
	}
	return sums
}

// ranking is the biggest prefixes of a level, the biggest first.
type ranking struct{ bytes, objects []PrefixTotal }

func rank(best []ranking, base int, line PrefixTotal, top int) []ranking {
	level := int(levels(line.Prefix, base, len(line.Prefix)))
	for len(best) < level {
		best = append(best, ranking{})
	}
	if level > 0 {
		r := &best[level-1]
		r.bytes = insert(r.bytes, line, top, func(p PrefixTotal) int64 { return p.Bytes })
		r.objects = insert(r.objects, line, top, func(p PrefixTotal) int64 { return p.Objects })
	}
	return best
}

func insert(list []PrefixTotal, line PrefixTotal, top int, size func(PrefixTotal) int64) []PrefixTotal {
	at := sort.Search(len(list), func(i int) bool {
		a, b := size(list[i]), size(line)
		return a < b || a == b && list[i].Prefix > line.Prefix
	})
	if at >= top {
		return list
	}
	if len(list) == top {
		list = list[:top-1]
	}
	return slices.Insert(list, at, line)
}
