package totals

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ramify/ramify/inventory"
)

func sumOf(objects []inventory.Object, base int) (s Sums) {
	for i := range objects {
		s.Add(&objects[i])
		s.AddDigest(&objects[i], base)
	}
	return s
}

func digestsOf(t fataler, s *Sums) Digests {
	t.Helper()
	d, known := s.Digests()
	if !known {
		t.Fatalf("the digests of %+v are not known", s)
	}
	return d
}

// A digest does not depend on the order of objects, nor on where a tree lies, and
// what is taken away leaves the digest of the rest.
func TestDigestsAreOfASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objects := drawObjects(t, "", 40)
		all := sumOf(objects, 0)
		want := digestsOf(t, &all)

		moved := make([]inventory.Object, len(objects))
		for i, o := range objects {
			moved[i] = o
			moved[i].Key = "else/where/" + o.Key
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		r.Shuffle(len(moved), func(i, j int) { moved[i], moved[j] = moved[j], moved[i] })
		n := rapid.IntRange(0, len(moved)).Draw(t, "cut")
		one, other := sumOf(moved[:n], len("else/where/")), sumOf(moved[n:], len("else/where/"))
		if got := digestsOf(t, &one).Plus(digestsOf(t, &other)); got != want {
			t.Fatalf("elsewhere and in another order: %v, want %v", got, want)
		}
		if got := want.Minus(digestsOf(t, &one)); got != digestsOf(t, &other) {
			t.Fatalf("the rest is %v, want %v", got, other.digests)
		}
	})
}

// Whatever is changed of an object, the digest changes; its ETag matters only to
// who asks for ETags.
func TestDigestsTellChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objects := drawObjects(t, "", 20)
		if len(objects) == 0 {
			return
		}
		before := sumOf(objects, 0)
		old := digestsOf(t, &before)
		o := &objects[rapid.IntRange(0, len(objects)-1).Draw(t, "which")]
		change := rapid.SampledFrom([]string{"key", "size", "etag", "gone"}).Draw(t, "change")
		switch change {
		case "key":
			o.Key += "'"
		case "size":
			o.Size++
		case "etag":
			o.ETag += "'"
		case "gone":
			*o = objects[len(objects)-1]
			objects = objects[:len(objects)-1]
		}
		after := sumOf(objects, 0)
		now := digestsOf(t, &after)
		if now.ETag == old.ETag {
			t.Fatalf("%s: the digest of ETags is as it was", change)
		}
		if (now.Size == old.Size) != (change == "etag") {
			t.Fatalf("%s: the digests of sizes: %v and %v", change, old.Size, now.Size)
		}
	})
}

// One object that was counted without a digest: the digest of the whole is not
// known, and that is said also by what was written.
func TestDigestsAreOfAllOrNotKnown(t *testing.T) {
	o := inventory.Object{Key: "a", Size: 3}
	whole := sumOf([]inventory.Object{o}, 0)
	part := Sums{}
	part.Add(&o)
	if _, known := part.Digests(); known {
		t.Error("a digest that nobody made")
	}
	whole.Merge(&part)
	if _, known := whole.Digests(); known {
		t.Error("a digest of a half is taken for the whole's")
	}
	var read Sums
	r := reader{b: whole.append(nil)}
	read.read(&r)
	if _, known := read.Digests(); known || r.bad || read.Objects != 2 {
		t.Errorf("read %+v", read)
	}
	whole = sumOf([]inventory.Object{o}, 0)
	b := whole.append(nil)
	r = reader{b: b}
	if read.read(&r); r.bad || len(r.b) > 0 || digestsOf(t, &read) != digestsOf(t, &whole) {
		t.Errorf("read %+v", read)
	}
	r = reader{b: b[:len(b)-1]}
	if read.read(&r); !r.bad {
		t.Error("half a digest was read")
	}
	if part := part.append(nil); !bytes.Equal(part, []byte{1, 3, 0, 1, 0}) {
		t.Errorf("without digests %v are written, and blocks that were kept are no longer read", part)
	}
}

func TestDigestAsText(t *testing.T) {
	d := Digest{0xfedcba9876543210, 0, 0, 1}
	if got, want := d.String(), "0000000000000001"+strings.Repeat("0", 32)+"fedcba9876543210"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := (Digest{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}).Plus(Digest{1}); got != (Digest{}) {
		t.Errorf("got %s", got)
	}
	if got := (Digest{}).Minus(Digest{1}); got != (Digest{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}) {
		t.Errorf("got %s", got)
	}
}

func BenchmarkDigest(b *testing.B) {
	o := inventory.Object{Key: "usr/share/doc/libstdc++6/README.Debian.gz", Size: 1234, ETag: "d41d8cd98f00b204e9800998ecf8427e"}
	var s Sums
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = s.addDigest(&o, 0, buf)
	}
}
