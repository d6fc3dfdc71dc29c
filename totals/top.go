package totals

import (
	"cmp"
	"container/heap"
	"slices"
)

// Top keeps the biggest of many lines.
type Top struct {
	most  int
	size  func(*Line) int64
	lines []Line // a heap: the smallest first
}

// Bytes is the size of a line by which a Top may choose.
func Bytes(l *Line) int64 { return l.Bytes }

// Objects is the size of a line by which a Top may choose.
func Objects(l *Line) int64 { return l.Objects }

// NewTop keeps at most so many lines.
func NewTop(most int, size func(*Line) int64) *Top { return &Top{most: most, size: size} }

// Add takes a line.
func (t *Top) Add(l Line) {
	h := (*topHeap)(t)
	switch {
	case t.most < 1:
	case len(t.lines) < t.most:
		heap.Push(h, l)
	case t.compare(&l, &t.lines[0]) < 0:
		t.lines[0] = l
		heap.Fix(h, 0)
	}
}

// Lines are the biggest, the biggest first, and of equal ones by prefix.
func (t *Top) Lines() []Line {
	lines := slices.Clone(t.lines)
	slices.SortFunc(lines, func(a, b Line) int { return t.compare(&a, &b) })
	return lines
}

func (t *Top) compare(a, b *Line) int {
	return cmp.Or(cmp.Compare(t.size(b), t.size(a)), cmp.Compare(a.Prefix, b.Prefix))
}

type topHeap Top

func (h *topHeap) Len() int           { return len(h.lines) }
func (h *topHeap) Less(i, j int) bool { return (*Top)(h).compare(&h.lines[i], &h.lines[j]) > 0 }
func (h *topHeap) Swap(i, j int)      { h.lines[i], h.lines[j] = h.lines[j], h.lines[i] }
func (h *topHeap) Push(l any)         { h.lines = append(h.lines, l.(Line)) }

func (h *topHeap) Pop() any {
	n := len(h.lines) - 1
	l := h.lines[n]
	h.lines = h.lines[:n]
	return l
}
