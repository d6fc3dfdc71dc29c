package s3crawl

import (
	"bytes"
	"encoding/json"
	"strings"
)

// fullTally is the size, in bytes of prefixes, from which a tally is written and
// begun anew, to bound memory.
const fullTally = 64 << 10

// PrefixTotal is what lies below a prefix, at any depth.
type PrefixTotal struct {
	Prefix  string `json:"prefix"` // ends in '/'
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// record is a line of the stream sink.Prefixes: the partial totals of a stretch
// of keys of which none is left out, as if nothing came before or after. Totals
// puts stretches together. In mode prefix the one "key" of a stretch is the
// node's prefix itself, and its objects are those directly below.
type record struct {
	Base     int           `json:"base"` // bytes of the root's prefix: levels count from there
	First    string        `json:"first"`
	Last     string        `json:"last"`
	Prefixes int64         `json:"prefixes"`         // distinct, of all levels
	Lines    []PrefixTotal `json:"totals,omitempty"` // sorted; levels down to the depth asked for
}

// tally collects a record from keys in order. A prefix is what a key has up to
// and with a '/' behind the root's prefix; a key has as many as it has such '/'.
type tally struct {
	base, depth int

	rec   record
	begun bool
	size  int
	open  []int // lines whose prefix the last key has, the outermost first
}

// add takes the next key; prefixes are new from where it differs from the last.
func (t *tally) add(key string, objects, size int64) {
	same := t.base
	if t.begun {
		same = max(same, common(t.rec.Last, key))
	} else {
		t.begun, t.rec.Base, t.rec.First = true, t.base, strings.Clone(key)
	}
	t.rec.Last = key
	t.closeTo(same)
	for i := same; i < len(key); i++ {
		if key[i] != '/' {
			continue
		}
		t.rec.Prefixes++
		if len(t.open) < t.depth {
			t.open = append(t.open, len(t.rec.Lines))
			t.rec.Lines = append(t.rec.Lines, PrefixTotal{Prefix: strings.Clone(key[:i+1])})
			t.size += i + 1
		}
	}
	if n := len(t.open); n > 0 {
		line := &t.rec.Lines[t.open[n-1]]
		line.Objects += objects
		line.Bytes += size
	}
}

// keep makes what was added last outlive the page that it came from.
func (t *tally) keep() { t.rec.Last = strings.Clone(t.rec.Last) }

// closeTo ends the prefixes that are longer than n bytes; each adds to the one
// that contains it.
func (t *tally) closeTo(n int) {
	for last := len(t.open) - 1; last >= 0 && len(t.rec.Lines[t.open[last]].Prefix) > n; last-- {
		if last > 0 {
			inner, outer := t.rec.Lines[t.open[last]], &t.rec.Lines[t.open[last-1]]
			outer.Objects += inner.Objects
			outer.Bytes += inner.Bytes
		}
		t.open = t.open[:last]
	}
}

func (t *tally) full() bool { return t.size >= fullTally }

// take is the record as a line of JSON, nil if there is none, and begins anew.
func (t *tally) take() []byte {
	if !t.begun {
		return nil
	}
	t.closeTo(-1)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&t.rec); err != nil {
		panic(err) // strings and numbers
	}
	*t = tally{base: t.base, depth: t.depth}
	return b.Bytes()
}

// levels is how many prefixes behind the base lie within the first n bytes.
func levels(key string, base, n int) int64 {
	if n <= base {
		return 0
	}
	return int64(strings.Count(key[base:n], "/"))
}
