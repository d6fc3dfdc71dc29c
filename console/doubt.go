package console

import (
	"encoding/json"

	"github.com/ramify/ramify/ledger"
)

const (
	mostHidden = 0.35 // of the whole may be done beside what the fraction says: of a crawl by
	// ranges always, and of other trees as far as unrest is over 1
	solid = 0.6 // of what the fraction of a crawl by ranges says is done at least
)

// doubt is how far a fraction may be from the truth. Both were measured, by TestProgress
// of bench/progress and TestFraction of processor/s3crawl, and hold mostly, not always.
//
// A crawl by key ranges guesses how many keys are left from those it has seen; where one
// slot walks all keys in their order, nothing may be known of them. Other trees give each
// branch the same share, which is as good as the fraction is steady.
type doubt struct {
	guessed bool // by ranges
	alone   bool // by one slot
}

func (s *Snapshot) doubt() doubt { return doubt{guessed: s.ranges, alone: s.Slots == 1} }

// around is what may be done where a fraction is said to be, more and less. Unrest is how
// much the fraction has jumped: that of its speeds from one time to the next, which is 1
// where events know nothing of each other, or the logarithm of how far its speed of late is
// from that of the whole run.
func (d doubt) around(fraction, unrest float64) []float64 {
	if !d.guessed {
		return []float64{min(fraction+min(max(unrest-1, 0), mostHidden), 1)}
	}
	if d.alone {
		return []float64{1, solid * fraction}
	}
	return []float64{min(fraction+mostHidden, 1), solid * fraction}
}

// byRanges reports whether a root is that of a crawl by key ranges.
func byRanges(root ledger.Kid) bool {
	switch root.Kind {
	case "s3.crawl", "s3.copy", "s3.objects", "s3.prefixes":
	default:
		return false
	}
	var args struct {
		Mode string `json:"mode"`
	}
	return json.Unmarshal(root.Args, &args) != nil || args.Mode != "prefix"
}
