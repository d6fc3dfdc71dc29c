package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// A tally is packed as one byte of its parts, then the parts in this order:
// done, fail, claim and via, each a byte n and n bytes of the set, slot 0 the
// lowest bit of the first; the sum; the header. Numbers are varints. About 60
// bytes for a plan of ten leaves.
const (
	hasFail = 1 << iota
	hasClaim
	hasVia
	hasHeader
	reduces // the header's Reduce
)

var errPacked = errors.New("packed tally is damaged")

func packTally(b []byte, t *ledger.Tally) []byte {
	var parts byte
	for i, s := range []ledger.Slots{t.Fail, t.Claim, t.Via} {
		if s != (ledger.Slots{}) {
			parts |= hasFail << i
		}
	}
	h := t.Header
	if h != nil {
		parts |= hasHeader
		if h.Reduce {
			parts |= reduces
		}
	}
	b = packSlots(append(b, parts), &t.Done)
	for i, s := range []*ledger.Slots{&t.Fail, &t.Claim, &t.Via} {
		if parts&(hasFail<<i) != 0 {
			b = packSlots(b, s)
		}
	}
	b = packAccount(b, t.Sum)
	if h != nil {
		b = binary.AppendVarint(b, int64(h.Required))
		b = packAccount(b, h.Own)
		b = append(b, h.Up.Parent[:]...)
		b = binary.AppendVarint(b, int64(h.Up.Slot))
	}
	return b
}

func packSlots(b []byte, s *ledger.Slots) []byte {
	n := 0
	for i, w := range s {
		if w != 0 {
			n = i*8 + (bits.Len64(w)+7)/8
		}
	}
	b = append(b, byte(n))
	for i := range n {
		b = append(b, byte(s[i/8]>>(i%8*8)))
	}
	return b
}

func packAccount(b []byte, a schema.Account) []byte {
	for _, v := range [...]int64{a.Nodes, a.Objects, a.Bytes, a.Failures, a.Reduces} {
		b = binary.AppendVarint(b, v)
	}
	return b
}

// unpackTally reads what packTally wrote into a tally that is empty but for its
// key.
func unpackTally(b []byte, t *ledger.Tally) error {
	r := unpacker{b: b}
	parts := r.byte()
	r.slots(&t.Done)
	for i, s := range []*ledger.Slots{&t.Fail, &t.Claim, &t.Via} {
		if parts&(hasFail<<i) != 0 {
			r.slots(s)
		}
	}
	t.Sum = r.account()
	if parts&hasHeader != 0 {
		h := &schema.Header{Required: int(r.varint()), Own: r.account(), Reduce: parts&reduces != 0}
		copy(h.Up.Parent[:], r.bytes(len(h.Up.Parent)))
		h.Up.Slot = int(r.varint())
		t.Header = h
	}
	if r.bad || len(r.b) > 0 {
		return fmt.Errorf("unpack tally %s: %w", t.PID, errPacked)
	}
	return nil
}

// unpacker reads from b until something is missing.
type unpacker struct {
	b   []byte
	bad bool
}

func (r *unpacker) bytes(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return make([]byte, n)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *unpacker) byte() byte { return r.bytes(1)[0] }

func (r *unpacker) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *unpacker) slots(s *ledger.Slots) {
	n := int(r.byte())
	if n > schema.MaxSlots/8 {
		r.bad = true
		return
	}
	for i, v := range r.bytes(n) {
		s[i/8] |= uint64(v) << (i % 8 * 8)
	}
}

func (r *unpacker) account() (a schema.Account) {
	for _, v := range []*int64{&a.Nodes, &a.Objects, &a.Bytes, &a.Failures, &a.Reduces} {
		*v = r.varint()
	}
	return a
}
