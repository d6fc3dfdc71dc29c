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
	if left := e.Runs - e.Finished - e.Paused; left > 0 {
		fmt.Fprintf(&b, "%d of %d runs of the model did not finish within 30 days, and cost this until then: more tasks, or more slots a task, are needed\n", left, e.Runs)
	}
	row("counted", e.Counted, dollars)
	switch {
	case e.Budget == 0:
		fmt.Fprintf(&b, "%-13s that is what --budget on a run is held against; %s pauses one that goes wrong\n", "", amount(e.Counted.High*spare))
	case e.Paused == 0:
		fmt.Fprintf(&b, "%-13s a budget of %s pauses none of %d runs of the model\n", "", dollars(e.Budget), e.Runs)
	default:
		fmt.Fprintf(&b, "%-13s a budget of %s pauses %d of %d runs of the model, with %s of the nodes done\n",
			"", dollars(e.Budget), e.Paused, e.Runs, between(e.Done, percent))
		fmt.Fprintf(&b, "%-13s nothing is lost: ramify resume RUN --budget USD goes on\n", "")
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
		text := (time.Duration(math.Round(s)) * time.Second).Round(unit(s)).String()
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(text, "0s")
		}
		if strings.HasSuffix(text, "h0m") {
			text = strings.TrimSuffix(text, "0m")
		}
		return text
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

// spare is how much more than a plan a run may cost before that is worth a pause.
const spare = 1.25

// amount is dollars for a command line, rounded up to two digits.
func amount(n float64) string {
	n = max(n, 0.001)
	exponent := math.Floor(math.Log10(n)) - 1
	digit := math.Pow(10, exponent)
	return strconv.FormatFloat(math.Ceil(n/digit)*digit, 'f', int(max(0, -exponent)), 64)
}

func percent(part float64) string { return fmt.Sprintf("%.0f%%", 100*part) }

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
