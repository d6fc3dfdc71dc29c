package console

import "time"

// History is the figures of a run over its time.
type History struct {
	Points []Point // in the order of time
}

// Point is what a run had come to at a time.
type Point struct {
	Seconds  float64 // of the time that somebody worked on it
	Nodes    int64
	Objects  int64
	Bytes    int64
	Requests int64 // of all names
	Failures int64
	Fraction float64 // done
}

// Slow is a node that took long.
type Slow struct {
	Node    string    `json:"node"`
	Kind    string    `json:"kind"`
	Seconds float64   `json:"seconds"`
	At      time.Time `json:"at"` // of its end
}

// Histograms are those of what a run has found.
type Histograms struct {
	Sizes  []SizeClass  `json:"sizes"`  // of objects, the small ones first
	Depths []DepthClass `json:"depths"` // of objects, those at the top first
}

// SizeClass is the objects of a size: From ≤ size < To.
type SizeClass struct {
	From    int64 `json:"from"`
	To      int64 `json:"to"`
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// DepthClass is the objects that are so many levels down.
type DepthClass struct {
	Depth   int   `json:"depth"`
	Objects int64 `json:"objects"`
}

// Failure is a node that was given up.
type Failure struct {
	Node     string     `json:"node"`
	Kind     string     `json:"kind"`
	Depth    int        `json:"depth"`
	Reason   string     `json:"reason"`
	Attempts int        `json:"attempts,omitempty"` // where that is known
	At       *time.Time `json:"at,omitempty"`       // where that is known
}
