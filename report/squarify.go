package report

// rect is a part of a drawing.
type rect struct{ x, y, w, h float64 }

// inset is a rectangle within another, below a strip for its name.
func (r rect) inset(edge, strip float64) rect {
	return rect{r.x + edge, r.y + strip, max(r.w-2*edge, 0), max(r.h-strip-edge, 0)}
}

// squarify divides a rectangle into one for each size, of that part of its area and as
// square as it goes. Sizes are positive and come the greatest first.
//
// Source: M. Bruls, K. Huizing and J. J. van Wijk, "Squarified Treemaps", 2000.
func squarify(sizes []float64, in rect) []rect {
	total := 0.0
	for _, s := range sizes {
		total += s
	}
	out := make([]rect, 0, len(sizes))
	if total <= 0 || in.w <= 0 || in.h <= 0 {
		return append(out, make([]rect, len(sizes))...)
	}
	scale := in.w * in.h / total
	for begin := 0; begin < len(sizes); {
		side := min(in.w, in.h)
		sum, n := 0.0, 0
		worst := 0.0
		for _, s := range sizes[begin:] {
			next := sum + s*scale
			ratio := max(side*side*sizes[begin]*scale/(next*next), next*next/(side*side*s*scale))
			if n > 0 && ratio > worst {
				break
			}
			sum, worst, n = next, ratio, n+1
		}
		out, in = layRow(out, sizes[begin:begin+n], scale, sum, in)
		begin += n
	}
	return out
}

// layRow lays a row along the shorter side, and returns what is left.
func layRow(out []rect, sizes []float64, scale, sum float64, in rect) ([]rect, rect) {
	if in.w >= in.h {
		width := min(sum/max(in.h, 1e-9), in.w)
		y := in.y
		for _, s := range sizes {
			h := s * scale / max(width, 1e-9)
			out = append(out, rect{in.x, y, width, h})
			y += h
		}
		return out, rect{in.x + width, in.y, in.w - width, in.h}
	}
	height := min(sum/max(in.w, 1e-9), in.h)
	x := in.x
	for _, s := range sizes {
		w := s * scale / max(height, 1e-9)
		out = append(out, rect{x, in.y, w, height})
		x += w
	}
	return out, rect{in.x, in.y + height, in.w, in.h - height}
}
