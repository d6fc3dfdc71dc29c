package campaign_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// occurrences are in how many runs something occurred, and how often in all.
type occurrences map[string]struct{ runs, times int }

func (o occurrences) add(seen map[string]int) {
	for what, times := range seen {
		n := o[what]
		n.runs++
		n.times += times
		o[what] = n
	}
}

func (o occurrences) String() string {
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(o)) {
		fmt.Fprintf(&b, "%8d in %5d runs  %s\n", o[what].times, o[what].runs, what)
	}
	return b.String()
}
