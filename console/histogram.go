package console

import (
	"math"

	"github.com/ramify/ramify/totals"
)

// Histograms are those of what a run has found.
type Histograms struct {
	Sizes  []SizeClass  `json:"sizes"`  // of objects, the small ones first
	Depths []DepthClass `json:"depths"` // of objects, those at the top first
}

// SizeClass is the objects of a size: From ≤ size < To.
type SizeClass struct {
	From    int64 `json:"from"`
	To      int64 `json:"to"`
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// DepthClass is the objects that are so many levels down.
type DepthClass struct {
	Depth   int   `json:"depth"`
	Objects int64 `json:"objects"`
}

// HistogramsOf are those of a shape; nil is none. Classes at both ends are those that
// have objects.
func HistogramsOf(s *totals.Shape) (h Histograms) {
	if s == nil {
		return h
	}
	first, last := -1, -1
	for i := range s.Sizes {
		if s.Sizes[i].Objects > 0 {
			if last = i; first < 0 {
				first = i
			}
		}
	}
	for i := max(first, 0); i <= last; i++ {
		c := SizeClass{Objects: s.Sizes[i].Objects, Bytes: s.Sizes[i].Bytes, To: 1}
		if i > 0 {
			c.From = 1 << (i - 1)
			c.To = int64(min(uint64(1)<<i, math.MaxInt64))
		}
		h.Sizes = append(h.Sizes, c)
	}
	for i, n := range s.Depths {
		if n > 0 {
			for len(h.Depths) < i {
				h.Depths = append(h.Depths, DepthClass{Depth: len(h.Depths)})
			}
			h.Depths = append(h.Depths, DepthClass{Depth: i, Objects: n})
		}
	}
	return h
}
