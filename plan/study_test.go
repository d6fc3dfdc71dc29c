package plan

import (
	"math"
	"math/rand/v2"
	"time"
)

func study() map[string]Tree {
	ms := time.Millisecond
	lv := func(n int, w float64, more ...float64) []float64 {
		var l []float64
		for range n {
			l = append(l, w)
		}
		return append(l, more...)
	}
	heavy := Grow(1e6, 8, 100*ms)
	heavy.Long = []Long{{1e-3, time.Minute}, {2.5e-5, 20 * time.Minute}}
	h6 := Grow(1e6, 8, 100*ms)
	h6.Long = []Long{{.2, 3 * time.Second}}
	return map[string]Tree{
		"tiny": Grow(1e4, 8, 50*ms), "medium": Grow(1e6, 8, 100*ms), "huge": Grow(1e9, 10, 20*ms),
		"chain": {Levels: lv(1800, 1), Time: time.Second}, "bursty": {Levels: lv(600, 2, 2e3, 2e6), Time: 200 * ms},
		"band": {Levels: lv(900, 200), Time: time.Second}, "heavy": heavy,
		"h1": Grow(1e5, 3, 300*ms), "h2": Grow(1e7, 20, 500*ms), "h3": Grow(3e8, 10, 5*ms),
		"h4": {Levels: append(lv(200, 2, 2e3, 1e6), lv(200, 2, 2e3, 1e6)...), Time: 100 * ms},
		"h5": Grow(2e4, 8, 300*time.Second), "h6": h6,
	}
}
func family(n int, seed uint64) (ts []Tree) {
	r := rand.New(rand.NewPCG(seed, 7))
	u := func(a, b float64) float64 { return a + (b-a)*r.Float64() }
	for len(ts) < n {
		N := math.Pow(10, u(4, 7.7))
		t := math.Pow(10, u(-2, .7))
		f := math.Pow(10, u(.25, 1.5))
		tr := Grow(N, f, time.Duration(t*1e9))
		switch r.IntN(6) {
		case 0: // two trees one after the other, a narrow neck
			neck := []float64{}
			for range int(u(3, 60) / math.Max(t, .05)) {
				neck = append(neck, 3)
			}
			tr.Levels = append(append(append([]float64{}, tr.Levels...), neck...), tr.Levels...)
		case 1: // diamond: grows and shrinks
			k := len(tr.Levels)
			for i := k - 2; i >= 0; i-- {
				tr.Levels = append(tr.Levels, tr.Levels[i])
			}
		}
		w := tr.Work().Seconds() / 32
		if w < 200 || w > 200*900 || len(tr.Levels) > 2000 {
			continue
		}
		ts = append(ts, tr)
	}
	return
}
