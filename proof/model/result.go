package model

import (
	"fmt"
	"strings"
	"time"
)

// String is a line of a table, and the steps to what is wrong.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-12s %10d states %11d steps  depth %3d  messages %2d  %8s", r.World, r.States, r.Steps, r.Depth, r.Messages, r.Time.Round(10*time.Millisecond))
	if !r.Complete && r.Wrong == "" {
		b.WriteString("  not all seen")
	}
	if r.Crowded > 0 {
		fmt.Fprintf(&b, "  %d too crowded", r.Crowded)
	}
	if r.Wrong == "" {
		return b.String()
	}
	fmt.Fprintf(&b, "\n    WRONG after %d steps: %s\n", len(r.Trace), r.Wrong)
	for _, l := range r.Trace {
		b.WriteString("      " + l + "\n")
	}
	return b.String()
}
