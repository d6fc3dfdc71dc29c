package plan

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// WriteText writes the figures as lines for people: the median, and from where to
// where nine of ten runs of the model are.
func (e *Estimate) WriteText(w io.Writer) error {
	var b strings.Builder
	row := func(name string, i Interval, text func(float64) string) {
		fmt.Fprintf(&b, "%-13s %s\n", name, between(i, text))
	}
	row("nodes", e.Nodes, count)
	row("duration", e.Seconds, span)
	row("first task", e.FirstTask, span)
	row("peak tasks", e.Peak, count)
	row("task-hours", e.TaskHours, figure)
	row("cost", e.Dollars, dollars)
	for _, s := range e.Cost {
		if s.Dollars.High > 0 {
			row("  "+s.Service, s.Dollars, dollars)
		}
	}
	if e.Limit != "" {
		row("held back", e.Throttled, span)
		fmt.Fprintf(&b, "%-13s %s\n", "", "by "+e.Limit)
	}
	if e.Finished < e.Runs {
		fmt.Fprintf(&b, "%d of %d runs of the model did not finish within 30 days: more tasks, or more slots a task, are needed\n", e.Runs-e.Finished, e.Runs)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// between is an interval; where its ends look the same, one figure.
func between(i Interval, text func(float64) string) string {
	low, mid, high := text(i.Low), text(i.Mid), text(i.High)
	if low == high {
		return mid
	}
	return fmt.Sprintf("%s (%s to %s)", mid, low, high)
}

// span is seconds to two units at most.
func span(s float64) string {
	switch {
	case s < 10:
		return figure(s) + "s"
	case s < 100:
		return fmt.Sprintf("%.0fs", s)
	case s < 48*3600:
		return strings.TrimSuffix(strings.TrimSuffix((time.Duration(math.Round(s))*time.Second).Round(unit(s)).String(), "0s"), "0m")
	default:
		return fmt.Sprintf("%.1f days", s/86400)
	}
}

func unit(s float64) time.Duration {
	if s < 3600 {
		return time.Second
	}
	return time.Minute
}

// count is a whole number with commas, or from a million on its three first digits.
func count(n float64) string {
	if n >= 1e6 {
		return short(n)
	}
	digits := strconv.FormatFloat(math.Round(n), 'f', 0, 64)
	if len(digits) > 3 {
		digits = digits[:len(digits)-3] + "," + digits[len(digits)-3:]
	}
	return digits
}

// figure is a number in about three digits.
func figure(n float64) string {
	switch {
	case n == 0:
		return "0"
	case n < 0.1:
		return strconv.FormatFloat(n, 'g', 2, 64)
	case n < 10:
		return strconv.FormatFloat(n, 'f', 2, 64)
	case n < 100:
		return strconv.FormatFloat(n, 'f', 1, 64)
	default:
		return count(n)
	}
}

// dollars are to the cent, and where that is nothing to the hundredth of one.
func dollars(n float64) string {
	switch {
	case n == 0:
		return "$0"
	case n < 0.0001:
		return "<$0.0001"
	case n < 1:
		return fmt.Sprintf("$%.4f", n)
	case n < 1000:
		return fmt.Sprintf("$%.2f", n)
	default:
		return "$" + count(n)
	}
}
