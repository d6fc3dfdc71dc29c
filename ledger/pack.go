package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ramify/ramify/schema"
)

// Limits of one plan: DynamoDB charges a write by the size of the item (Amazon
// DynamoDB Developer Guide, "Capacity unit consumption"), so a plan is closed
// before it costs a fifth unit.
const (
	MaxKids  = schema.MaxSlots
	MaxBytes = 3_584 // packed
)

// Packer packs children as a plan stores them. What a child shares with the one
// before it (kind, args, the beginning of its id) is not written again: siblings
// mostly differ in the end of their name.
type Packer struct {
	buf  []byte
	last Kid
	n    int
}

const (
	hasKind = 1 << iota
	hasArgs
	hasWeight
	hasGroup
	hasDeeper
)

// Add appends a child and reports whether it fitted into MaxKids and MaxBytes;
// a child that does not fit is not added, but the first always fits.
func (p *Packer) Add(k Kid) bool {
	if p.n == MaxKids {
		return false
	}
	before := len(p.buf)
	p.buf = p.appendKid(p.buf, k)
	if len(p.buf) > MaxBytes && p.n > 0 {
		p.buf = p.buf[:before]
		return false
	}
	p.last = k
	p.n++
	return true
}

// Len is the number of children packed.
func (p *Packer) Len() int { return p.n }

func (p *Packer) appendKid(b []byte, k Kid) []byte {
	var flags byte
	if k.Kind != p.last.Kind {
		flags |= hasKind
	}
	if string(k.Args) != string(p.last.Args) {
		flags |= hasArgs
	}
	if k.Weight != p.last.Weight {
		flags |= hasWeight
	}
	if k.Group != nil {
		flags |= hasGroup
	}
	if k.Deeper != p.last.Deeper {
		flags |= hasDeeper
	}
	b = append(b, flags)
	if flags&hasKind != 0 {
		b = appendString(b, k.Kind)
	}
	shared := 0
	for shared < len(k.ID) && shared < len(p.last.ID) && k.ID[shared] == p.last.ID[shared] {
		shared++
	}
	b = binary.AppendUvarint(b, uint64(shared))
	b = appendString(b, k.ID[shared:])
	if flags&hasArgs != 0 {
		b = appendString(b, string(k.Args))
	}
	if flags&hasWeight != 0 {
		b = binary.AppendUvarint(b, uint64(k.Weight))
	}
	if flags&hasGroup != 0 {
		b = append(b, k.Group[:]...)
		b = binary.AppendUvarint(b, k.Count)
	}
	if flags&hasDeeper != 0 {
		b = binary.AppendUvarint(b, uint64(k.Deeper))
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// PackKids packs a plan's children, however many.
func PackKids(kids []Kid) []byte {
	var p Packer
	for _, k := range kids {
		p.buf = p.appendKid(p.buf, k)
		p.last = k
	}
	return p.buf
}

var errPacked = errors.New("packed children are damaged")

// UnpackKids reads what PackKids wrote. Damaged bytes give an error and never
// more children than bytes.
func UnpackKids(b []byte) ([]Kid, error) {
	r := reader{b: b}
	var kids []Kid
	var last Kid
	for len(r.b) > 0 && !r.bad {
		k := Kid{Kind: last.Kind, Args: last.Args, Weight: last.Weight, Deeper: last.Deeper}
		flags := r.bytes(1)
		if r.bad {
			break
		}
		if flags[0]&hasKind != 0 {
			k.Kind = string(r.bytes(r.uvarint()))
		}
		shared := r.uvarint()
		rest := r.bytes(r.uvarint())
		if shared > uint64(len(last.ID)) {
			r.bad = true
			break
		}
		k.ID = last.ID[:shared] + string(rest)
		if flags[0]&hasArgs != 0 {
			k.Args = append(schema.Args(nil), r.bytes(r.uvarint())...)
		}
		if flags[0]&hasWeight != 0 {
			k.Weight = uint32(r.uvarint())
		}
		if flags[0]&hasGroup != 0 {
			var g schema.PID
			copy(g[:], r.bytes(uint64(len(g))))
			k.Group = &g
			k.Count = r.uvarint()
		}
		if flags[0]&hasDeeper != 0 {
			k.Deeper = int(r.uvarint())
		}
		kids = append(kids, k)
		last = k
	}
	if r.bad {
		return nil, fmt.Errorf("unpack children: %w", errPacked)
	}
	return kids, nil
}

type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}
