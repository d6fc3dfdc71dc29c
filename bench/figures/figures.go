// Package figures is what the processes of a benchmark tell each other.
package figures

import "time"

// Counts is what was asked of the server since its last reset.
type Counts struct {
	Lists  int64         `json:"lists"`
	Others int64         `json:"others"`
	Copies int64         `json:"copies"`
	Peak   int64         `json:"peak"` // requests in flight at a time
	CPU    time.Duration `json:"cpu"`  // that the server used
}

// Used is what a command used from its start to its end.
type Used struct {
	Wall time.Duration `json:"wall"`
	User time.Duration `json:"user"`
	Sys  time.Duration `json:"sys"`
	RSS  int64         `json:"rss"` // bytes, at the peak
	Code int           `json:"code"`
}

// CPU is the processor time of all kinds.
func (u Used) CPU() time.Duration { return u.User + u.Sys }
