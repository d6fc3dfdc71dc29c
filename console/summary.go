package console

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
)

// Summary is the last word on a run: the object with which `run --json` ends and
// which `status --json` prints. Its JSON has exactly these fields, in this order; reason
// and digests only where there are any.
type Summary struct {
	Run      string           `json:"run"`
	Target   string           `json:"target"`
	State    State            `json:"state"`
	Nodes    int64            `json:"nodes"`  // processed with success
	Failed   int64            `json:"failed"` // nodes given up
	Totals   Totals           `json:"totals"`
	Requests map[string]int64 `json:"requests"` // made of the outside, by name
	Retries  int64            `json:"retries"`
	Seconds  float64          `json:"seconds"` // that somebody worked on the run
	Out      string           `json:"out"`     // where the results lie; empty if nowhere

	Reason string `json:"reason,omitempty"` // why it is paused, where that is known

	// For people only.
	Kind    string   `json:"-"` // of the root; says what the objects are
	Biggest []Prefix `json:"-"` // to be shown as a table, in this order
	Options string   `json:"-"` // what a command needs to find the run, as in WriteStatus
	workers int
	spent   bool
}

// Totals are the sums over a run.
type Totals struct {
	Objects  int64    `json:"objects"`
	Bytes    int64    `json:"bytes"`
	Prefixes *int64   `json:"prefixes"`          // null where they are not known: before the end, and of kinds that have none
	Digests  *Digests `json:"digests,omitempty"` // of all objects, where the run was to make them
}

// Prefix is the totals of all that lies below one prefix.
type Prefix struct {
	Prefix         string
	Objects, Bytes int64
}

// Summary is the snapshot as a summary. The caller adds what the snapshot does
// not know: prefixes, where the results lie, that it was interrupted.
func (s Snapshot) Summary() Summary {
	return Summary{
		Run: s.Run, Target: s.Target, State: s.State, Nodes: s.Nodes, Failed: s.Failures,
		Totals: Totals{Objects: s.Objects, Bytes: s.Bytes}, Requests: s.Requests, Retries: s.Retries,
		Seconds: math.Round(s.Seconds*1000) / 1000, Out: s.Out, Kind: s.Kind, workers: s.Workers,
		Reason: s.Reason, spent: s.spent,
	}
}

// snapshot is what of a snapshot the text of a summary needs.
func (s Summary) snapshot() Snapshot {
	return Snapshot{
		Run: s.Run, Target: s.Target, Kind: s.Kind, State: s.State, Nodes: s.Nodes, Failures: s.Failed,
		Objects: s.Totals.Objects, Bytes: s.Totals.Bytes, Requests: s.Requests, Retries: s.Retries,
		Seconds: s.Seconds, Workers: s.workers, Reason: s.Reason, spent: s.spent,
	}
}

// WriteJSON writes the summary as one line.
func (s Summary) WriteJSON(w io.Writer) error {
	if s.Requests == nil {
		s.Requests = map[string]int64{}
	}
	return writeJSON(w, s)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(jsonWriter{w})
	enc.SetEscapeHTML(false) // keys hold & and < more often than browsers read them
	return enc.Encode(v)
}

// WriteText writes what a person reads at the end of a run.
func (s Summary) WriteText(w io.Writer) error {
	snap := s.snapshot()
	speed := snap.Mean()
	rows := [][3]string{
		{snap.noun() + "s", exact(s.Totals.Objects), exactPerSecond(speed.Objects)},
		{"bytes", size(float64(s.Totals.Bytes)), size(speed.Bytes) + "/s"},
	}
	if s.Totals.Prefixes != nil {
		rows = append(rows, [3]string{"prefixes", exact(*s.Totals.Prefixes)})
	}
	requests := [3]string{"requests", exact(countsOf(snap).requests), exactPerSecond(speed.Requests)}
	if len(s.Requests) > 0 {
		requests[2] += "  " + byName(s.Requests)
	}
	if d := s.Totals.Digests; d != nil {
		rows = append(rows, [3]string{"digest", brief(d.ETag)})
	}
	rows = append(rows,
		[3]string{"nodes", exact(s.Nodes), exactPerSecond(speed.Nodes)},
		requests,
		[3]string{"retries", exact(s.Retries)},
		[3]string{"failed", exact(s.Failed)})

	var b strings.Builder
	fmt.Fprintf(&b, "Run %s of %s %s %s.\n\n", Clean(s.Run), Clean(s.Target), outcome(s.State), elapsed(s.Seconds))
	for _, line := range new(Terminal).align(rows) {
		b.WriteString("  " + line + "\n")
	}
	s.writeBiggest(&b, snap.noun())
	if s.Out != "" && s.Out != "-" {
		fmt.Fprintf(&b, "\n%s\n  %s\n", results(s.State), Clean(s.Out))
	}
	if h := hints(snap, s.Options); len(h) > 0 {
		b.WriteString("\n" + strings.Join(h, "\n") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeBiggest writes the table of prefixes. The prefixes stand last, where
// their width does not matter.
func (s Summary) writeBiggest(b *strings.Builder, noun string) {
	if len(s.Biggest) == 0 {
		return
	}
	objects, bytes := columns(noun)+1, columns("bytes")
	for _, p := range s.Biggest {
		objects = max(objects, columns(exact(p.Objects)))
		bytes = max(bytes, columns(size(float64(p.Bytes))))
	}
	b.WriteString("\nBiggest prefixes:\n")
	row := func(o, y, prefix string) {
		b.WriteString("  " + padLeft(o, objects) + "  " + padLeft(y, bytes) + "  " + prefix + "\n")
	}
	row(noun+"s", "bytes", "prefix")
	var names Names
	for _, p := range s.Biggest {
		row(exact(p.Objects), size(float64(p.Bytes)), names.Text(p.Prefix))
	}
}

// results says what lies where the results go.
func results(s State) string {
	if s == Finished || s == Failed {
		return "The inventory lies in"
	}
	return "The inventory is made when the run is over, in"
}

// outcome is a state in a sentence that ends with a time.
func outcome(s State) string {
	switch s {
	case Finished:
		return "finished in"
	case Failed:
		return "finished with failures in"
	case Cancelled:
		return "was cancelled after"
	case Interrupted:
		return "was interrupted after"
	case Paused:
		return "is paused after"
	default:
		return "has been running for"
	}
}
