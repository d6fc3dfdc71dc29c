package s3crawl

import (
	"slices"
	"testing"
)

func TestSetsOfBytes(t *testing.T) {
	for lo := -1; lo < 257; lo += 3 {
		for hi := -1; hi < 257; hi += 5 {
			s := between(lo, hi)
			var want []byte
			for b := max(lo+1, 0); b < min(hi, 256); b++ {
				want = append(want, byte(b))
			}
			if got := slices.Collect(s.all()); !slices.Equal(got, want) || s.len() != len(want) {
				t.Fatalf("between %d and %d: %v, want %v", lo, hi, got, want)
			}
			for _, b := range want {
				if !s.has(b) {
					t.Fatalf("between %d and %d: %d is missing", lo, hi, b)
				}
			}
		}
	}
}
