package totals

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"

	"github.com/ramify/ramify/inventory"
)

// Digest stands for the content of a set of objects: the sum, modulo 2²⁵⁶, of the
// SHA-256 of what is known of each. It does not depend on the order of objects nor
// on how they were dealt out, and what one set has more than another is the
// difference of their digests. Two sets of the same digest are the same but for an
// accident of chance 2⁻²⁵⁶ or so. It is no guard against somebody who makes
// objects in order that their sums agree: for that a sum of 256 bits is too weak
// (Wagner, "A Generalized Birthday Problem", CRYPTO 2002).
type Digest [4]uint64 // the least significant first

// Digests are of a set of objects by what is compared of them. The key is in both,
// without the base: trees at different places may be equal.
type Digests struct {
	Size Digest // of keys and sizes
	ETag Digest // of keys, sizes and ETags
}

// String is the digest in hexadecimal, 64 digits.
func (d Digest) String() string {
	var b [32]byte
	for i, limb := range d {
		binary.BigEndian.PutUint64(b[24-8*i:], limb)
	}
	return hex.EncodeToString(b[:])
}

// Plus is the digest of both sets together.
func (d Digest) Plus(other Digest) Digest {
	var carry uint64
	for i := range d {
		d[i], carry = bits.Add64(d[i], other[i], carry)
	}
	return d
}

// Minus is the digest of a set without the objects of another that is a part of it.
func (d Digest) Minus(other Digest) Digest {
	var borrow uint64
	for i := range d {
		d[i], borrow = bits.Sub64(d[i], other[i], borrow)
	}
	return d
}

// Plus is the digests of both sets together.
func (d Digests) Plus(other Digests) Digests {
	return Digests{d.Size.Plus(other.Size), d.ETag.Plus(other.ETag)}
}

// Minus is the digests of a set without a part of it.
func (d Digests) Minus(other Digests) Digests {
	return Digests{d.Size.Minus(other.Size), d.ETag.Minus(other.ETag)}
}

// digestOf is of one object, its key without its first base bytes. The buffer is
// used again.
func digestOf(o *inventory.Object, base int, buf []byte) (Digests, []byte) {
	key := o.Key[base:]
	buf = append(appendInt(buf[:0], int64(len(key))), key...)
	buf = appendInt(buf, o.Size)
	size := sha256.Sum256(buf)
	buf = append(buf, o.ETag...)
	etag := sha256.Sum256(append(buf, 'e')) // not the one of the size where there is no ETag
	return Digests{digestIn(&size), digestIn(&etag)}, buf
}

func digestIn(b *[32]byte) (d Digest) {
	for i := range d {
		d[i] = binary.BigEndian.Uint64(b[24-8*i:])
	}
	return d
}

// digestSize is the bytes of Digests as they are written.
const digestSize = 64

func (d *Digests) append(b []byte) []byte {
	for _, one := range [...]*Digest{&d.Size, &d.ETag} {
		for _, limb := range one {
			b = binary.LittleEndian.AppendUint64(b, limb)
		}
	}
	return b
}

func (d *Digests) read(b []byte) {
	for _, one := range [...]*Digest{&d.Size, &d.ETag} {
		for i := range one {
			one[i], b = binary.LittleEndian.Uint64(b), b[8:]
		}
	}
}
