// Package keys makes the lists of keys that the listing benchmarks walk: real
// ones and made ones, the same every time.
package keys

import (
	"fmt"
	"iter"
	"strings"
)

// List is the keys of one bucket, each once, in no certain order.
type List struct {
	Name  string
	About string // for the reader of a table
	keys  func(yield func(string) bool) error
}

// Each calls do with every key. The lists that are read from files may fail.
func (l *List) Each(do func(key string)) error {
	err := l.keys(func(key string) bool {
		do(key)
		return true
	})
	if err != nil {
		return fmt.Errorf("list keys of %s: %w", l.Name, err)
	}
	return nil
}

// Seq yields the keys; err is set once it has ended before the last.
func (l *List) Seq(err *error) iter.Seq[string] {
	return func(yield func(string) bool) { *err = l.keys(yield) }
}

// Names are the lists that are raced on, in the order of the tables.
var Names = []string{"debian", "hex", "words", "time", "chain", "awkward"}

// Find returns a list by its name. Source is where real keys are read from; see
// [Debian].
func Find(name, source string) (*List, error) {
	switch name {
	case "debian":
		return Debian(source)
	case "releases":
		return releases(source)
	case "sample":
		return sampleList(), nil
	}
	for _, l := range made {
		if l.Name == name {
			return &l, nil
		}
	}
	return nil, fmt.Errorf("find list %q: want one of %s", name, strings.Join(append(Names, "sample", "releases"), ", "))
}

// Expand turns the words of a wish into names: "flat" stands for the three flat
// lists, nothing for all.
func Expand(words []string) []string {
	if len(words) == 0 {
		return Names
	}
	var names []string
	for _, w := range words {
		if w == "flat" {
			names = append(names, "hex", "words", "time")
			continue
		}
		names = append(names, w)
	}
	return names
}
