package console

import (
	"io"
	"iter"
	"strings"
	"time"

	"github.com/ramify/ramify/ledger"
)

// Failure is a node that was given up.
type Failure struct {
	Node     string     `json:"node"`
	Kind     string     `json:"kind"`
	Depth    int        `json:"depth"`
	Reason   string     `json:"reason"`
	Attempts int        `json:"attempts,omitempty"` // where that is known
	At       *time.Time `json:"at,omitempty"`       // when it was given up, where that is known
}

// FailureOf is a failure as the ledger tells it.
func FailureOf(f ledger.Failure) Failure {
	one := Failure{Node: f.ID, Kind: f.Kind, Depth: f.Depth, Reason: f.Reason, Attempts: f.Attempts}
	if !f.At.IsZero() {
		at := f.At.UTC()
		one.At = &at
	}
	return one
}

// Tried is how many attempts were made, as people read it.
func (f *Failure) Tried() string { return tried(f.Attempts) }

// Given is when the node was given up, in UTC, as people read it.
func (f *Failure) Given() string {
	if f.At == nil {
		return unknown
	}
	return when(*f.At)
}

// failure is a Failure as a line of JSON, where a node is called id.
type failure struct {
	Node     string     `json:"id"`
	Kind     string     `json:"kind"`
	Depth    int        `json:"depth"`
	Reason   string     `json:"reason"`
	Attempts int        `json:"attempts,omitempty"`
	At       *time.Time `json:"at,omitempty"`
}

// WriteFailuresJSON writes the nodes that were given up as JSON lines
// {"id","kind","depth","reason","attempts","at"}, as they come, and returns how many;
// the last two only where they are known. The error is the sequence's or the writer's.
func WriteFailuresJSON(w io.Writer, failures iter.Seq2[ledger.Failure, error]) (int, error) {
	n := 0
	for f, err := range failures {
		if err != nil {
			return n, err
		}
		if err := writeJSON(w, failure(FailureOf(f))); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

const (
	page   = 256 // failures that are aligned with each other
	widest = 60  // columns of an id that others are aligned to
)

// WriteFailures writes the nodes that were given up as an aligned table, a page
// at a time, and returns how many. The error is the sequence's or the writer's; what
// came before it is written.
func WriteFailures(w io.Writer, failures iter.Seq2[ledger.Failure, error]) (int, error) {
	t := failureTable{w: w}
	for f, err := range failures {
		if err != nil {
			if flushed := t.flush(); flushed != nil {
				return t.written, flushed
			}
			return t.written, err
		}
		t.rows = append(t.rows, [6]string{exact(int64(f.Depth)), Clean(f.Kind), tried(f.Attempts), when(f.At), Clean(f.ID), Clean(f.Reason)})
		if len(t.rows) == page {
			if err := t.flush(); err != nil {
				return t.written, err
			}
		}
	}
	err := t.flush()
	return t.written, err
}

// Unlisted says, as one sentence, why so many more nodes were given up than can be listed;
// "" of none: failures are found through nodes that are done, and counted at once.
func Unlisted(more int64, s State) string {
	switch {
	case more <= 0:
		return ""
	case s == Cancelled:
		return some(more, "more node") + " failed below nodes that were not done when the run was cancelled, so they cannot be listed."
	default:
		return some(more, "more node") + " failed below nodes that are not done yet, and will be listed when those are."
	}
}

// What runs of earlier versions do not tell is not made up.
const unknown = "–"

func tried(n int) string {
	if n == 0 {
		return unknown
	}
	return exact(int64(n))
}

func when(at time.Time) string {
	if at.IsZero() {
		return unknown
	}
	return at.UTC().Format(time.DateTime)
}

type failureTable struct {
	w       io.Writer
	rows    [][6]string // depth, kind, attempts, when, id, reason
	widths  [6]int      // only grow
	written int
}

// flush writes the rows it has, the first time with a heading.
func (t *failureTable) flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	rows := t.rows
	if t.written == 0 {
		rows = append([][6]string{{"depth", "kind", "attempts", "given up, UTC", "node", "reason"}}, rows...)
	}
	for _, r := range rows {
		for i := range r {
			t.widths[i] = max(t.widths[i], min(columns(r[i]), widest))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(padLeft(r[0], t.widths[0]) + "  " + pad(r[1], t.widths[1]) + "  " + padLeft(r[2], t.widths[2]) + "  " +
			pad(r[3], t.widths[3]) + "  " + pad(r[4], t.widths[4]) + "  " + r[5] + "\n")
	}
	t.written += len(t.rows)
	t.rows = t.rows[:0]
	_, err := io.WriteString(t.w, b.String())
	return err
}
