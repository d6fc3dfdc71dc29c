package probe

import "unicode/utf8"

// letters are the bytes that keys have been seen to have at each place. Where keys
// are numbers, dates or hashes, that is most of what there is to know.
type letters struct {
	at []place
}

type place struct {
	seen  [256]bool
	only  alphabet // those, and what is between them: pages were seen here and there
	wider alphabet // all that is of their kind: all digits where there is one
	stale bool
}

// alphabet is bytes in their order.
type alphabet struct {
	bytes []byte
	ranks [256]int // how many are smaller
}

var none alphabet

// finest is how exactly positions are told.
const finest = 1e-15

// learn takes in a key.
func (l *letters) learn(key string) {
	for len(l.at) < len(key) {
		l.at = append(l.at, place{stale: true})
	}
	for i := range len(key) {
		if p := &l.at[i]; !p.seen[key[i]] {
			p.seen[key[i]], p.stale = true, true
		}
	}
}

// alphabet is that of a place.
func (l *letters) alphabet(i int, wider bool) *alphabet {
	if i >= len(l.at) {
		return &none
	}
	p := &l.at[i]
	if p.stale {
		p.stale = false
		p.only, p.wider = alphabetOf(filled(p.seen, false)), alphabetOf(filled(p.seen, true))
	}
	if wider {
		return &p.wider
	}
	return &p.only
}

// kinds are bytes that stand for one another in numbers, hashes and names.
var kinds = []struct{ first, last byte }{{'0', '9'}, {'a', 'z'}, {'A', 'Z'}}

// filled adds to some bytes those of their kind: all, or those between them.
func filled(seen [256]bool, all bool) [256]bool {
	for _, k := range kinds {
		low, high := k.last, k.first
		for b := k.first; b <= k.last; b++ {
			if seen[b] {
				low, high = min(low, b), max(high, b)
			}
		}
		if all && low <= high {
			low, high = k.first, k.last
		}
		for b := low; b <= high; b++ {
			seen[b] = true
		}
	}
	return seen
}

func alphabetOf(seen [256]bool) (a alphabet) {
	for b, is := range seen {
		a.ranks[b] = len(a.bytes)
		if is {
			a.bytes = append(a.bytes, byte(b))
		}
	}
	return a
}

// position is where a key lies among all that begin with its stem, 0 to 1, if all
// bytes that were seen at a place are as likely there.
func (l *letters) position(key string, stem int) float64 { return l.place(key, stem, false) }

func (l *letters) place(key string, stem int, wider bool) float64 {
	x, unit := 0.0, 1.0
	for i := stem; i < len(key) && unit > finest; i++ {
		a := l.alphabet(i, wider)
		unit /= float64(len(a.bytes) + 1)
		x += float64(min(a.ranks[key[i]]+1, len(a.bytes))) * unit
	}
	return x
}

// between is a string after lo and before hi, or the end, so far on the way; not
// ok where there is none that can be told from them.
func (l *letters) between(lo, hi string, stem int, wider bool, way float64) (string, bool) {
	a, b := l.place(lo, stem, wider), 1.0
	if hi != "" {
		b = l.place(hi, stem, wider)
	}
	x, unit := a+(b-a)*way, 1.0
	at := []byte(lo[:min(stem, len(lo))])
	for i := stem; unit > finest*(1/max(b-a, finest)); i++ {
		letters := l.alphabet(i, wider)
		n := len(letters.bytes) + 1
		unit /= float64(n)
		x *= float64(n)
		rank := int(x)
		x -= float64(rank)
		if rank == 0 || rank >= n {
			break // a string that ends here
		}
		at = append(at, letters.bytes[rank-1])
		if s := string(at); s > lo && (hi == "" || s < hi) && unit < (b-a)/64 {
			break // fine enough
		}
	}
	for len(at) > 0 && !utf8.Valid(at) {
		at = at[:len(at)-1]
	}
	s := string(at)
	return s, s > lo && (hi == "" || s < hi)
}
