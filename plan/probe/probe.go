// Package probe estimates what a crawl of a bucket will find, by a bounded number
// of LIST requests: each is made behind a cut at random, where most keys are still
// unknown, and tells how dense the keys are there. Between two pages the density
// is taken to be between theirs. Where keys turn out to lie in heaps, as files do, it
// goes on folder by folder.
package probe

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/ramify/ramify/processor/s3crawl"
)

// Options are those of a probe.
type Options struct {
	Lister   s3crawl.Lister
	Bucket   string
	Prefix   string
	Requests int // at most, at least 1
	Seed     uint64
	Now      func() time.Time
}

// Finding is what a probe found.
type Finding struct {
	Seen     float64         // keys
	Latency  []time.Duration // of the requests that brought a page, in their order
	Complete bool            // all keys were seen
	rest     []part
	spread   float64 // sigma of what all of it is off by together
	rough    bool
}

// part is keys that are expected somewhere, and how uncertain that is: sigma of
// its logarithm.
type part struct{ keys, sigma float64 }

// Keys is how many there may be: another number for each seed, spread as the
// estimate is uncertain.
func (f *Finding) Keys(seed uint64) float64 {
	rng := rand.New(rand.NewPCG(seed, 0x6b657973))
	sum := 0.0
	// What misleads in one part may mislead in all: half of the doubt is shared.
	shared, all := rng.NormFloat64(), rng.NormFloat64()
	for _, p := range f.rest {
		sum += p.keys * math.Exp(p.sigma*(shared+rng.NormFloat64())*math.Sqrt2/2)
	}
	return f.Seen + min(sum*math.Exp(f.spread*all), mostKeys)
}

// Rough reports whether the estimate may be off by two or three times: keys lie in
// heaps within heaps, as those of files do.
func (f *Finding) Rough() bool { return f.rough }

const (
	learns   = 24  // requests, after which it is asked again whether keys lie in heaps
	small    = 25  // pages of a bucket that is listed to its end
	heaped   = 0.7 // by what sigma the count folder by folder is off
	mostKeys = 1e12
	even     = 0.6 // the power from which on keys lie evenly enough
)

// Mean is the mean latency, for a seed: spread as so many measurements leave it
// uncertain.
func (f *Finding) Mean(seed uint64) time.Duration {
	var sum, squares float64
	for _, d := range f.Latency {
		sum += d.Seconds()
		squares += d.Seconds() * d.Seconds()
	}
	n := float64(len(f.Latency))
	if n == 0 {
		return 0
	}
	mean := sum / n
	deviation := math.Sqrt(max(squares/n-mean*mean, 0) / n)
	rng := rand.New(rand.NewPCG(seed, 0x6c6174))
	return time.Duration(max(mean+deviation*rng.NormFloat64(), mean/2) * 1e9)
}

// ends is how often, beside what its keys are worth, a gap is cut whose end is not
// known.
const ends = 0.3

// page is the stretch of keys that one answer held.
type page struct {
	first, last string
	n           float64
}

// gap is a stretch of which nothing is known: keys after lo and up to hi, or to
// the end. left is the page before it, and right the one behind, if it begins
// there.
type gap struct {
	lo, hi string
	left   page
	right  *page
}

// Look probes. Its errors are the lister's.
func Look(ctx context.Context, o Options) (*Finding, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &prober{Options: o, alpha: 1, rng: rand.New(rand.NewPCG(o.Seed, 0x70726f6265))}
	// A small bucket is listed: it is then known exactly.
	last, more, err := p.list(ctx, "")
	first := p.entries
	for err == nil && more && p.asked < min(o.Requests/4, small) {
		var next page
		if next, more, err = p.list(ctx, last.last); next.n > 0 {
			last = next
		}
	}
	if err != nil {
		return nil, err
	}
	if more {
		p.gaps = []gap{{lo: last.last, left: last}}
	}
	began := p.asked
	for p.asked < o.Requests && len(p.gaps) > 0 {
		if err := p.cut(ctx); err != nil {
			return nil, err
		}
		if (p.asked-began)%learns != 0 {
			continue
		}
		if p.learn(); p.heapy() && p.deep.uneven() {
			return p.files(ctx, first)
		}
	}
	p.learn()
	f := &Finding{Seen: p.seen, Latency: p.latency, Complete: len(p.gaps) == 0, spread: p.spread / 2}
	if f.rough = !f.Complete && p.heapy(); f.rough {
		f.spread += 2 // as was found on a Linux distribution's files
	}
	for _, g := range p.gaps {
		f.rest = append(f.rest, p.expect(g))
	}
	return f, nil
}

// heapy reports whether keys lie in heaps.
func (p *prober) heapy() bool { return p.alpha < even || p.spread > 1 }

// depths are how many folders deep keys lie.
type depths struct{ n, sum, squares float64 }

func (d *depths) learn(key string) {
	x := float64(strings.Count(key, "/"))
	d.n, d.sum, d.squares = d.n+1, d.sum+x, d.squares+x*x
}

// uneven reports whether keys lie at several depths, as files do, and not where a
// program puts them.
func (d *depths) uneven() bool {
	mean := d.sum / d.n
	return d.squares/d.n-mean*mean > 0.25
}

// files goes on folder by folder.
func (p *prober) files(ctx context.Context, first []string) (*Finding, error) {
	keys, err := p.heaps(ctx, first)
	if err != nil {
		return nil, err
	}
	return &Finding{Seen: p.seen, Latency: p.latency, rest: []part{{max(keys-p.seen, 0), heaped}}, rough: true}, nil
}

type prober struct {
	Options
	delimiter string   // names of folders are listed, not all keys
	entries   []string // of the last page
	asked     int
	deep      depths
	rng       *rand.Rand
	gaps      []gap
	seen      float64
	latency   []time.Duration
	letters   letters
	splits    []split
	alpha     float64 // what is expected of a gap grows with its width to this power
	spread    float64 // by how much it has misled
}

// split is a gap that was cut: by how many new keys that were found, and what was
// left of it.
type split struct {
	gap  gap
	keys float64
	left []gap
}

// list gets a page and learns its bytes.
func (p *prober) list(ctx context.Context, after string) (page, bool, error) {
	began := p.Now()
	pg, err := p.Lister.List(ctx, s3crawl.Query{Bucket: p.Bucket, Prefix: p.Prefix, Delimiter: p.delimiter, After: after})
	p.asked++
	if err != nil {
		return page{}, false, err
	}
	defer pg.Release()
	p.latency = append(p.latency, p.Now().Sub(began))
	p.entries = nil
	for i := range pg.Objects {
		p.entries = append(p.entries, strings.Clone(pg.Objects[i].Key))
	}
	for _, folder := range pg.Prefixes {
		p.entries = append(p.entries, strings.Clone(folder))
	}
	if len(pg.Prefixes) > 0 {
		slices.Sort(p.entries)
	}
	n := len(p.entries)
	if n == 0 {
		if pg.More {
			return page{}, false, errors.New("probe: a page without keys says that there is more")
		}
		return page{}, false, nil
	}
	for _, e := range p.entries {
		p.letters.learn(e)
		p.deep.learn(e)
	}
	p.seen += float64(n)
	return page{p.entries[0], p.entries[n-1], float64(n)}, pg.More, nil
}

// cut makes one request within a gap, chosen by how many keys it may have.
func (p *prober) cut(ctx context.Context) error {
	weights, sum := make([]float64, len(p.gaps)), 0.0
	for i, g := range p.gaps {
		e := p.expect(g)
		weights[i] = e.keys * (0.3 + e.sigma)
		sum += weights[i]
	}
	for i, g := range p.gaps {
		if g.right == nil { // where it ends is not known: one request of a few looks for that
			weights[i] += sum * ends
			sum += sum * ends
		}
	}
	at, x := len(p.gaps)-1, p.rng.Float64()*sum
	for i, w := range weights {
		if x -= w; x <= 0 {
			at = i
			break
		}
	}
	g := p.gaps[at]
	where, ok := p.letters.between(g.lo, g.hi, p.stem(g.lo, g.hi), g.right == nil, 0.2+0.6*p.rng.Float64())
	if !ok {
		where = g.lo // no room: the next page is as good
	}
	pg, more, err := p.list(ctx, where)
	if err != nil {
		return err
	}
	p.gaps = append(p.gaps[:at], p.gaps[at+1:]...)
	kept, before := len(p.gaps), p.seen-pg.n
	defer func() {
		p.splits = append(p.splits, split{g, p.seen - before, slices.Clone(p.gaps[kept:])})
		if len(p.splits)%8 == 0 {
			p.learn()
		}
	}()
	if pg.n == 0 || g.hi != "" && pg.first > g.hi { // nothing between the cut and hi
		p.seen -= pg.n
		if where != g.lo {
			p.gaps = append(p.gaps, gap{lo: g.lo, hi: where, left: g.left})
		}
		return nil
	}
	if where != g.lo {
		right := pg
		p.gaps = append(p.gaps, gap{lo: g.lo, hi: where, left: g.left, right: &right})
	}
	switch {
	case g.hi != "" && pg.last > g.hi: // it reaches into what is known: only a part of it is new
		part := p.part(pg.first, pg.last, g.hi)
		p.seen -= pg.n * (1 - part)
	case more:
		p.gaps = append(p.gaps, gap{lo: pg.last, hi: g.hi, left: pg, right: g.right})
	}
	return nil
}

// expect is how many keys a gap may have: what the pages beside it have, as often
// as they would fit in.
func (p *prober) expect(g gap) part {
	left, right, ok := p.times(g)
	if !ok {
		return part{keys: g.left.n * math.Pow(left, p.alpha) / 2, sigma: 1} // there may be none: half of it
	}
	return part{
		keys:  math.Sqrt(g.left.n*g.right.n) * math.Pow(left*right, p.alpha/2),
		sigma: 0.25 + p.alpha*math.Abs(math.Log(left/right))/3 + (1-p.alpha)/2,
	}
}

// times is how often the pages to the left and right fit into a gap; not ok where
// only that to the left is known.
func (p *prober) times(g gap) (left, right float64, ok bool) {
	stem := p.stem(g.left.first, g.hi)
	lo, hi := p.letters.position(g.lo, stem), 1.0
	if g.hi != "" {
		hi = p.letters.position(g.hi, stem)
	}
	fits := func(pg *page) float64 {
		return max(hi-lo, 0) / max(p.letters.position(pg.last, stem)-p.letters.position(pg.first, stem), finest)
	}
	left = fits(&g.left)
	if g.right == nil || p.stem(g.left.first, g.right.last) < stem {
		return left, 0, false
	}
	return left, fits(g.right), true
}

// learn finds the power with which gaps were expected to have what was then found
// and expected in their parts. It is 1 where keys are spread evenly, as hashes and
// numbers are, and less where they lie in heaps within heaps, as files do.
func (p *prober) learn() {
	late := p.splits[len(p.splits)/2:] // those that are as narrow as what is left
	if len(late) < 8 {
		return
	}
	low, high := 0.02, 1.0
	for range 12 {
		p.alpha = (low + high) / 2
		off, squares := 0.0, 0.0
		for _, s := range late {
			sum := s.keys
			for _, g := range s.left {
				sum += p.expect(g).keys
			}
			x := math.Log((p.expect(s.gap).keys + 100) / (sum + 100))
			off += max(-3, min(3, x))
			squares += x * x
		}
		p.spread = math.Sqrt(squares / float64(len(late)))
		if off > 0 {
			high = p.alpha
		} else {
			low = p.alpha
		}
	}
}

// part is which part of first to last lies up to hi.
func (p *prober) part(first, last, hi string) float64 {
	stem := p.stem(first, last)
	a, b, c := p.letters.position(first, stem), p.letters.position(last, stem), p.letters.position(hi, stem)
	if b <= a {
		return 0.5
	}
	return min(max((c-a)/(b-a), 0), 1)
}

// stem is how many bytes two keys have in common; up to the end of the bucket, the
// prefix.
func (p *prober) stem(a, b string) int {
	if b == "" {
		return len(p.Prefix)
	}
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// Range is how many keys there may be: the median, and from where to where nine of
// ten are.
func (f *Finding) Range() (low, mid, high float64) {
	const n = 201
	all := make([]float64, n)
	for i := range all {
		all[i] = f.Keys(uint64(i))
	}
	slices.Sort(all)
	return all[n/20], all[n/2], all[n-1-n/20]
}
