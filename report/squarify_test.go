package report

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The parts of a treemap are as large as what they stand for, lie within it, and do not
// overlap: so together they fill it.
func TestSquarify(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.Float64Range(1e-3, 1e9), 1, 60).Draw(t, "sizes")
		slices.SortFunc(sizes, func(a, b float64) int {
			if a > b {
				return -1
			}
			return 1
		})
		in := rect{3, 5, rapid.Float64Range(20, 2000).Draw(t, "w"), rapid.Float64Range(20, 2000).Draw(t, "h")}
		all := squarify(sizes, in)
		if len(all) != len(sizes) {
			t.Fatalf("%d parts of %d", len(all), len(sizes))
		}
		total := 0.0
		for _, s := range sizes {
			total += s
		}
		const slack = 1e-6
		area := in.w * in.h
		for i, r := range all {
			if want := sizes[i] / total * area; math.Abs(r.w*r.h-want) > slack*area {
				t.Fatalf("part %d has %g, want %g", i, r.w*r.h, want)
			}
			if r.x < in.x-slack*in.w || r.y < in.y-slack*in.h || r.x+r.w > in.x+in.w*(1+slack) || r.y+r.h > in.y+in.h*(1+slack) {
				t.Fatalf("part %d, %v, is not within %v", i, r, in)
			}
			for k, o := range all[:i] {
				w := min(r.x+r.w, o.x+o.w) - max(r.x, o.x)
				h := min(r.y+r.h, o.y+o.h) - max(r.y, o.y)
				if w > 0 && h > 0 && w*h > slack*area {
					t.Fatalf("parts %d and %d overlap: %v, %v", k, i, o, r)
				}
			}
		}
	})
}
