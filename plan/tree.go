package plan

import (
	"math"
	"time"
)

// Tree is a tree by its levels, the root's first.
type Tree struct {
	Levels []float64     // nodes of each level, all more than 0
	Time   time.Duration // that a node holds a slot, more than 0
	Long   []Long        // parts of the widest level that take longer
}

// Long is a part of the nodes of the widest level, and what each of them takes
// instead of the tree's time, in whole seconds.
type Long struct {
	Part float64
	Time time.Duration
}

// Grow is the tree of so many nodes in which each has fanout children, as far as
// they go. A fanout of 1 is a chain.
func Grow(nodes, fanout float64, node time.Duration) Tree {
	levels, width, sum := []float64{1}, 1.0, 1.0
	for sum < nodes-0.5 {
		width = min(width*fanout, nodes-sum)
		levels = append(levels, width)
		sum += width
	}
	return Tree{Levels: levels, Time: node}
}

// Nodes are all of them.
func (t Tree) Nodes() float64 {
	sum := 0.0
	for _, n := range t.Levels {
		sum += n
	}
	return sum
}

// Work is the time that all nodes together hold a slot.
func (t Tree) Work() time.Duration {
	s := t.Nodes() * t.Time.Seconds()
	for _, l := range t.Long {
		s += t.Levels[t.widest()] * l.Part * (l.Time - t.Time).Seconds()
	}
	return seconds(s)
}

// Span is what the run takes at least, however many tasks there are.
func (t Tree) Span() time.Duration {
	d := seconds(float64(len(t.Levels)) * t.Time.Seconds())
	longest := time.Duration(0)
	for _, l := range t.Long {
		longest = max(longest, l.Time)
	}
	return d + longest
}

func (t Tree) widest() int {
	at := 0
	for i, n := range t.Levels {
		if n > t.Levels[at] {
			at = i
		}
	}
	return at
}

// seconds is a duration, at most the longest there is.
func seconds(s float64) time.Duration {
	return time.Duration(min(math.Round(s*1e9), math.MaxInt64))
}
