package probe

import (
	"context"
	"slices"
	"strings"

	"github.com/ramify/ramify/processor/s3crawl"
)

// Files lie in heaps within heaps: few folders hold most keys, and nothing in the names
// tells which. So folders are asked for by name: those of one that is not seen through
// are listed, some of them at random are looked into by a page of keys — which is all of
// a small one, and of many small ones behind it — and those that are more than a page
// are heaps themselves. What was not looked into is taken to be like what was.

// heap is a folder of more keys than one page has.
type heap struct {
	prefix  string
	page    []string // the keys that showed it
	listed  bool
	objects float64            // in it, but in no folder
	folders []string           // in it
	small   map[string]float64 // keys of folders that were seen through
	big     map[string]*heap
	open    map[string]float64 // of those that a page ended in, keys until then
	in      map[string]bool    // folders and objects
	names   *prober            // of entries
	cuts    float64            // of it
	seen    float64            // keys of folders, in pages
	wide    float64            // entries, for each that was listed

	unknown float64 // keys in folders of which nothing is known, as of total
}

const (
	unlisted  = 10_000.0 // keys that a heap is taken to have before it is listed
	worthLook = 100.0    // keys of a folder that a page ended in, from which on it is looked into next
	unlooked  = 30.0     // and a folder, before any of its like was looked into
	goesOn    = 3.0      // times the keys of a folder that were seen before a page ended in it: more often in a great one
	firstCuts = 4        // requests that ask for more entries of a wide heap, before others are worth more
	mostWide  = 20.0     // times the entries that were seen, there are at most
)

// total is how many keys a heap may have.
func (h *heap) total() float64 {
	if !h.listed {
		return unlisted
	}
	known, most, mean := h.seen, 0.0, unlooked
	heaps := 0.0
	for _, b := range h.big {
		n := b.total()
		heaps += n
		most = max(most, n)
	}
	for _, n := range h.small {
		most = max(most, n)
	}
	if looked := float64(len(h.small) + len(h.big)); looked > 0 {
		// As if one more were like the greatest: of heaps, the greatest are seen last.
		mean = (known + heaps + most) / looked
	}
	h.unknown = float64(len(h.folders)-len(h.small)-len(h.big)-len(h.open)) * mean * h.wide
	for _, n := range h.open {
		h.unknown += max(mean, n*goesOn) * h.wide
	}
	inside := 0.0
	for _, n := range h.small {
		inside += n
	}
	return (h.objects+inside+heaps)*h.wide + h.unknown
}

// choice is a heap that may be looked into, and what that is worth.
type choice struct {
	heap  *heap
	worth float64
	names bool // more of its entries are asked for
}

func (h *heap) choices(all []choice, times float64) []choice {
	if !h.listed {
		return append(all, choice{h, unlisted * times, true})
	}
	if h.unknown > 0 {
		all = append(all, choice{h, h.unknown * times, false})
	}
	if len(h.names.gaps) > 0 {
		all = append(all, choice{h, h.total() * (1 - 1/h.wide) * times / (1 + h.cuts) / 2, true})
	}
	for _, i := range sorted(h.big) {
		all = h.big[i].choices(all, times*h.wide)
	}
	return all
}

func sorted(m map[string]*heap) []string {
	all := make([]string, 0, len(m))
	for i := range m {
		all = append(all, i)
	}
	slices.Sort(all) // a seed is a probe
	return all
}

// heaps probes folder by folder, and says how many keys there may be.
func (p *prober) heaps(ctx context.Context, page []string) (float64, error) {
	root := &heap{prefix: p.Prefix, page: page, wide: 1}
	for p.asked < p.Requests {
		root.total()
		all := root.choices(nil, 1)
		sum := 0.0
		for _, c := range all {
			sum += c.worth
		}
		if sum < 1 {
			break
		}
		x, at := p.rng.Float64()*sum, all[len(all)-1]
		for _, c := range all {
			if x -= c.worth; x <= 0 {
				at = c
				break
			}
		}
		look := p.look
		if at.names {
			look = p.more
		}
		if err := look(ctx, at.heap); err != nil {
			return 0, err
		}
	}
	return root.total(), nil
}

// look looks into a folder of a heap.
func (p *prober) look(ctx context.Context, h *heap) error {
	var unknown []string
	from := ""
	for _, f := range h.folders {
		if _, small := h.small[f]; small || h.big[f] != nil {
			continue
		}
		unknown = append(unknown, f)
		if n := h.open[f]; n >= worthLook && (from == "" || n > h.open[from]) {
			from = f
		}
	}
	if from == "" {
		from = unknown[p.rng.IntN(len(unknown))]
	}
	keys, more, err := p.keys(ctx, h.prefix, from)
	if err != nil {
		return err
	}
	if len(keys) == 0 { // it is gone, or nothing but a mark of itself
		keys = []string{from}
	}
	h.learn(keys, more, from)
	return nil
}

// more asks for entries of a heap: at first those it begins with.
func (p *prober) more(ctx context.Context, h *heap) error {
	p.asked++
	if h.listed {
		h.cuts++
		if err := h.names.cut(ctx); err != nil {
			return err
		}
		h.take()
		return nil
	}
	h.names = &prober{Options: p.Options, alpha: 1, rng: p.rng, delimiter: "/"}
	h.names.Prefix = h.prefix
	last, more, err := h.names.list(ctx, "")
	if err != nil {
		return err
	}
	if more {
		h.names.gaps = []gap{{lo: last.last, left: last}}
	}
	h.listed, h.in = true, map[string]bool{}
	h.small, h.big, h.open = map[string]float64{}, map[string]*heap{}, map[string]float64{}
	h.take()
	for range firstCuts {
		if len(h.names.gaps) == 0 || p.asked >= p.Requests {
			break
		}
		p.asked++
		h.cuts++
		if err := h.names.cut(ctx); err != nil {
			return err
		}
		h.take()
	}
	h.learn(h.page, true, h.prefix)
	h.page = nil
	return nil
}

// take takes in entries.
func (h *heap) take() {
	for _, e := range h.names.entries {
		switch {
		case h.in[e]:
			continue
		case strings.HasSuffix(e, h.names.delimiter) && e != h.prefix:
			h.folders = append(h.folders, e)
		default:
			h.objects++
		}
		h.in[e] = true
	}
	all := h.names.seen
	for _, g := range h.names.gaps {
		all += h.names.expect(g).keys
	}
	h.wide = max(min(all, mostWide*h.names.seen)/max(float64(len(h.in)), 1), 1)
}

// learn takes in a page of keys that begins with a folder, or with the heap.
func (h *heap) learn(keys []string, more bool, from string) {
	at, n := "", 0.0
	began := from == h.prefix // what comes next is seen from its beginning
	through := func(end bool) {
		if n == 0 {
			return
		}
		whole := end && (began || at == from)
		if _, small := h.small[at]; !small && h.big[at] == nil {
			h.seen += n - h.open[at]
			if delete(h.open, at); whole {
				h.small[at] = n
			} else {
				h.open[at] = n
			}
		}
	}
	for _, k := range keys {
		f := h.folder(k)
		if f != at {
			through(true)
			began = began || at != ""
			at, n = f, 0
		}
		if h.in[f] {
			n++
		}
	}
	if n == 0 {
		return
	}
	last := keys[len(keys)-1]
	open := more && strings.HasPrefix(last, at) // it may go on behind the page
	if open && strings.HasPrefix(keys[0], at) {
		if h.big[at] == nil {
			h.seen -= h.open[at]
			delete(h.open, at)
			delete(h.small, at)
			h.big[at] = &heap{prefix: at, page: keys, wide: 1}
		}
		return
	}
	through(!open)
}

// folder is the one that a key lies in, or none.
func (h *heap) folder(key string) string {
	end := strings.IndexByte(key[len(h.prefix):], '/')
	if end < 0 {
		return ""
	}
	return key[:len(h.prefix)+end+1]
}

// keys gets a page of keys.
func (p *prober) keys(ctx context.Context, prefix, after string) (keys []string, more bool, err error) {
	p.asked++
	began := p.Now()
	pg, err := p.Lister.List(ctx, s3crawl.Query{Bucket: p.Bucket, Prefix: prefix, After: after})
	if err != nil {
		return nil, false, err
	}
	defer pg.Release()
	p.latency = append(p.latency, p.Now().Sub(began))
	for i := range pg.Objects {
		keys = append(keys, strings.Clone(pg.Objects[i].Key))
	}
	return keys, pg.More, nil
}
