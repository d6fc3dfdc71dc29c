package schema

import (
	"math/bits"
	"strconv"
)

// Share is the part of a run that a node stands for, in units of 2⁻⁶² of the
// whole: an integer, so that the shares of children add up to their parent's
// exactly and the settled fraction can neither decrease nor pass 1.
type Share uint64

// Whole is the share of the root.
const Whole Share = 1 << 62

// Fraction is the share as a number from 0 to 1.
func (s Share) Fraction() float64 { return float64(s) / float64(Whole) }

// Split divides the share among weights; the parts add up to the share exactly.
// Where all weights are zero, each counts one.
func (s Share) Split(weights []uint32) []Share {
	parts := make([]Share, len(weights))
	var total, before uint64
	for _, w := range weights {
		total += uint64(w)
	}
	even := total == 0
	if even {
		total = uint64(len(weights))
	}
	// Each part is the difference of two rounded prefix sums: no remainder is lost.
	var given Share
	for i, w := range weights {
		if even {
			w = 1
		}
		before += uint64(w)
		upTo := s.Part(before, total)
		parts[i] = upTo - given
		given = upTo
	}
	return parts
}

// Part is s × num ÷ den, rounded down; den is not 0 and num is at most den.
func (s Share) Part(num, den uint64) Share {
	hi, lo := bits.Mul64(uint64(s), num)
	q, _ := bits.Div64(hi, lo, den)
	return Share(q)
}

// MarshalText writes the share as a decimal: JSON readers that keep numbers as
// floats would round it.
func (s Share) MarshalText() ([]byte, error) {
	return strconv.AppendUint(nil, uint64(s), 10), nil
}

// UnmarshalText reads a decimal from 0 to Whole.
func (s *Share) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil || Share(v) > Whole {
		return &FieldError{Field: "share", Value: string(text), Want: "a whole number from 0 to 2^62"}
	}
	*s = Share(v)
	return nil
}

// Keep is the given part of the share, from 0 to 1.
func (s Share) Keep(part float64) Share {
	switch {
	case !(part > 0): // also where it is not a number
		return 0
	case part >= 1:
		return s
	}
	const grain = 1 << 30
	return s.Part(uint64(part*grain), grain)
}
