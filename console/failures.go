package console

import (
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/ramify/ramify/ledger"
)

// failure is a node that was given up, as JSON.
type failure struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Depth  int    `json:"depth"`
	Reason string `json:"reason"`
}

// WriteFailuresJSON writes the nodes that were given up as JSON lines
// {"id","kind","depth","reason"}, as they come, and returns how many. The error
// is the sequence's or the writer's.
func WriteFailuresJSON(w io.Writer, failures iter.Seq2[ledger.Failure, error]) (int, error) {
	n := 0
	for f, err := range failures {
		if err != nil {
			return n, err
		}
		if err := writeJSON(w, failure{ID: f.ID, Kind: f.Kind, Depth: f.Depth, Reason: f.Reason}); err != nil {
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
// at a time, or says that there are none, and returns how many. The error is the
// sequence's or the writer's; what came before it is written.
func WriteFailures(w io.Writer, failures iter.Seq2[ledger.Failure, error]) (int, error) {
	t := failureTable{w: w}
	for f, err := range failures {
		if err != nil {
			if flushed := t.flush(); flushed != nil {
				return t.written, flushed
			}
			return t.written, err
		}
		t.rows = append(t.rows, [4]string{exact(int64(f.Depth)), Clean(f.Kind), Clean(f.ID), Clean(f.Reason)})
		if len(t.rows) == page {
			if err := t.flush(); err != nil {
				return t.written, err
			}
		}
	}
	if err := t.flush(); err != nil {
		return t.written, err
	}
	if t.written == 0 {
		_, err := fmt.Fprintln(w, "No node was given up.")
		return 0, err
	}
	return t.written, nil
}

type failureTable struct {
	w       io.Writer
	rows    [][4]string // depth, kind, id, reason
	widths  [4]int      // only grow
	written int
}

// flush writes the rows it has, the first time with a heading.
func (t *failureTable) flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	rows := t.rows
	if t.written == 0 {
		rows = append([][4]string{{"depth", "kind", "node", "reason"}}, rows...)
	}
	for _, r := range rows {
		for i := range r {
			t.widths[i] = max(t.widths[i], min(columns(r[i]), widest))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(padLeft(r[0], t.widths[0]) + "  " + pad(r[1], t.widths[1]) + "  " + pad(r[2], t.widths[2]) + "  " + r[3] + "\n")
	}
	t.written += len(t.rows)
	t.rows = t.rows[:0]
	_, err := io.WriteString(t.w, b.String())
	return err
}
