package s3crawl

import "math"

// habits are what usually follows what in keys: of strings that end alike, how
// the keys that begin with them are shared out over the next byte. They are
// learned from strings all of whose keys are known, and say what to expect of
// strings that are known in part.
//
// What "alike" means is not known beforehand: words are alike by their last
// letters, numbers of a fixed width by where they stand. So there are several
// views, and of each string the one is believed that has lately told best what
// follows strings like it.
type habits [views]view

// The views that strings are alike in: all of them, those that stand in the same
// place, and those with the same last byte, two or three.
const (
	views      = 5
	mostHabits = 2048 // of one view, to bound memory: 1 KiB each
	leastSeen  = 3    // strings that make a habit
	recent     = 0.1  // what a string weighs in the loss of its habit,
	recentView = 0.01 // and of its view, which new habits begin with
)

type view struct {
	seen map[uint32]*habit
	loss loss
}

// habit is what follows the strings that are alike in one view.
type habit struct {
	loss  loss
	one   float64 // strings whose keys all go on with one byte
	n     float64 // others,
	share [256]float32
}

// loss is what it costs to tell from a habit, in nats, lately: whether keys go on
// with several bytes, and with which.
type loss struct{ fork, byte float64 }

// fork is how likely keys go on with several bytes.
func (h *habit) fork() float64 { return (h.n + 0.5) / (h.n + h.one + 0.5) }

// of is the part of the keys that goes on with a byte where they go on with
// several; the parts add up to 1.
func (h *habit) of(b int) float64 { return float64(h.share[b]) / max(h.n, 1) }

// contexts are what a string is known by in each view. What begins a key is taken
// to be like what begins after a '/'.
func contexts(q string, at position) [views]uint32 {
	c := [views]uint32{1: uint32(at.level)<<8 | uint32(at.offset)}
	last := uint32(0)
	for v := 2; v < views; v++ {
		b := byte('/')
		if i := len(q) - v + 1; i >= 0 {
			b = q[i]
		}
		last = last<<8 | uint32(b)
		c[v] = last
	}
	return c
}

// learn takes how the keys of a string are shared out: counts[i] go on with
// bytes[i], and n are all.
func (h *habits) learn(q string, at position, bytes []byte, counts []int, n int, weight float64) {
	for v, c := range contexts(q, at) {
		w := &h[v]
		x := w.seen[c]
		if x == nil {
			if len(w.seen) >= mostHabits {
				continue
			}
			if w.seen == nil {
				w.seen = map[uint32]*habit{}
			}
			x = &habit{loss: w.loss}
			w.seen[c] = x
		}
		x.learn(&w.loss, bytes, counts, n, weight)
	}
}

func (h *habit) learn(view *loss, bytes []byte, counts []int, n int, weight float64) {
	forks := h.fork()
	if len(bytes) == 1 {
		forks = 1.001 - forks
	}
	cost := -math.Log(forks)
	h.loss.fork += recent * (cost - h.loss.fork)
	view.fork += recentView * (cost - view.fork)
	if len(bytes) == 1 {
		h.one += weight
		return
	}
	const unseen = 0.002 // the part of a byte that never followed
	cost = 0
	for i, b := range bytes {
		part := float64(counts[i]) / float64(n)
		cost -= part * math.Log((1-256*unseen)*h.of(int(b))+unseen)
		h.share[b] += float32(weight * part)
	}
	h.loss.byte += recent * (cost - h.loss.byte)
	view.byte += recentView * (cost - view.byte)
	h.n += weight
}

// find is the habit to believe of a string after which the known bytes follow,
// and its view; nil if nothing like the string was seen.
func (h *habits) find(q string, at position, known *set) (best *habit, by kind) {
	least := math.Inf(1)
	forked := known.len() >= 2
	for v, c := range contexts(q, at) {
		x := h[v].seen[c]
		if x == nil || x.n+x.one < leastSeen || forked && (x.n < leastSeen || x.belied(known)) {
			continue
		}
		cost := x.loss.byte
		if !forked {
			cost += x.loss.fork
		}
		if cost < least {
			best, by, least = x, kind(v), cost
		}
	}
	return best, by
}

// belied reports whether most of the known bytes never followed by the habit.
func (h *habit) belied(known *set) bool {
	never := 0
	for b := range known.all() {
		if h.share[b] == 0 {
			never++
		}
	}
	return never > known.len()/2
}
