package keys

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// Page is how many keys a LIST answers with at most.
const Page = 1000

// process is one seed for all digests of a process: only they are compared.
var process = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// Digest is a set of strings by its size and the sums of two hashes of each: it
// does not depend on their order, and a string too many, too few or twice shows.
type Digest struct {
	Count int
	sums  [2]uint64
}

// Add adds one string.
func (d *Digest) Add(s []byte) {
	d.Count++
	for i := range d.sums {
		d.sums[i] += maphash.Bytes(process[i], s)
	}
}

// Truth is what a tool writes that lists every key once.
type Truth struct {
	Keys  Digest
	Lines Digest // of tools that write keys as they are, line feeds included
}

// Add adds one key.
func (t *Truth) Add(key string) {
	b := []byte(key)
	t.Keys.Add(b)
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		t.Lines.Add(line)
	}
}

// Pages is how few LISTs can list all keys.
func (t *Truth) Pages() int { return (t.Keys.Count + Page - 1) / Page }

// Truth reads the whole list.
func (l *List) Truth() (*Truth, error) {
	var t Truth
	return &t, l.Each(t.Add)
}

// Marks reads the whole list and returns the keys after which the pages of a
// flat listing begin, the first excepted.
func (l *List) Marks() ([]string, error) {
	var all []string
	if err := l.Each(func(key string) { all = append(all, key) }); err != nil {
		return nil, err
	}
	slices.Sort(all)
	var marks []string
	for i := Page; i < len(all); i += Page {
		marks = append(marks, all[i-1])
	}
	return marks, nil
}
