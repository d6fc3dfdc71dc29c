package ledger_test

import (
	"bytes"
	"testing"

	"github.com/ramify/ramify/ledger"
)

// FuzzUnpackVisit: no bytes crash the reader of claims; what it reads has no more of
// them than there are bytes for, and comes back.
func FuzzUnpackVisit(f *testing.F) {
	f.Add(ledger.AppendClaim(ledger.AppendClaim(nil, ledger.Claim{Depth: 7}), ledger.Claim{Depth: 3}))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := ledger.UnpackVisit(b)
		if err != nil {
			return
		}
		var packed []byte
		for i, c := range v {
			packed = ledger.AppendClaim(packed, c)
			if i > 0 && v[i-1].Depth < c.Depth {
				t.Fatalf("claims are not in order: %v", v)
			}
		}
		again, err := ledger.UnpackVisit(packed)
		if err != nil || len(packed) != len(b) || len(again) != len(v) {
			t.Fatalf("%x became %x, %v", b, packed, err)
		}
		for i := range v {
			if again[i].Depth != v[i].Depth {
				t.Fatalf("%v became %v", v, again)
			}
		}
		if len(v) == 1 && !bytes.Equal(packed, b) {
			t.Fatalf("%x became %x", b, packed)
		}
	})
}
