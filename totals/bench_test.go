package totals

import (
	"fmt"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/s3serve/sample"
)

// BenchmarkTally is the cost of a key: what counting adds to a listing.
func BenchmarkTally(b *testing.B) {
	keys, err := sample.Keys()
	if err != nil {
		b.Fatal(err)
	}
	objects := make([]inventory.Object, len(keys))
	for i, k := range keys {
		objects[i] = inventory.Object{Key: k, Size: int64(i), LastModified: time.Unix(int64(i), 0), StorageClass: "STANDARD"}
	}
	for _, depth := range []int{2, All} {
		b.Run(fmt.Sprintf("depth=%d", min(depth, 99)), func(b *testing.B) {
			b.ReportAllocs()
			tally := NewTally(0, depth)
			written := 0
			write := func(block []byte) error {
				written += len(block)
				return nil
			}
			n := 0
			for b.Loop() {
				if n == len(objects) || tally.Full() {
					if err := tally.Take(write); err != nil {
						b.Fatal(err)
					}
					n %= len(objects)
				}
				tally.Add(&objects[n])
				n++
			}
			b.ReportMetric(float64(written)/float64(b.N), "written-B/op")
		})
	}
	b.Run("loose", func(b *testing.B) {
		b.ReportAllocs()
		loose := NewLoose(0)
		n := 0
		for b.Loop() {
			if n == len(objects) || loose.Full() {
				_ = loose.Take(func([]byte) error { return nil })
				n %= len(objects)
			}
			loose.Add(&objects[n])
			n++
		}
	})
}

// made is the blocks of depth 1 of so many prefixes, made as they are read:
// stretches side by side, or runs that all overlap.
func made(prefixes, perBlock int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var s Sums
		s.Add(&inventory.Object{Size: 1, StorageClass: "STANDARD"})
		for from := 0; from < prefixes; from += perBlock {
			w := writer{depth: 1}
			for i := from; i < min(from+perBlock, prefixes); i++ {
				w.write(fmt.Appendf(nil, "%012d/", i), &s)
			}
			if !yield(w.block, nil) {
				return
			}
		}
	}
}

// interleaved is blocks of which all are open at a time but for the spilling.
func interleaved(blocks, perBlock int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var s Sums
		s.Add(&inventory.Object{Size: 1, StorageClass: "STANDARD"})
		for from := range blocks {
			w := writer{depth: 1}
			for i := range perBlock {
				w.write(fmt.Appendf(nil, "%012d/", from+i*blocks), &s)
			}
			if !yield(w.block, nil) {
				return
			}
		}
	}
}

// heapOf is the most memory in use while lines are read, beyond what was before.
func heapOf(t testing.TB, lines iter.Seq2[Line, error]) (count int, most uint64) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before := m.HeapAlloc
	for _, err := range lines {
		if err != nil {
			t.Fatal(err)
		}
		if count++; count%100_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc-min(before, m.HeapAlloc))
		}
	}
	return count, most
}

// Memory is flat in prefixes: a million of them, in stretches and in blocks that
// overlap as badly as can be, take what a hundred thousand take.
func TestMergeInFlatMemory(t *testing.T) {
	for name, blocks := range map[string]iter.Seq2[[]byte, error]{
		"stretches": made(1_000_000, 1000), "overlapping": interleaved(10_000, 100),
	} {
		m := Merge(blocks)
		m.most = 64
		count, most := heapOf(t, m.Lines())
		t.Logf("%s: %d lines, %d KiB in use at most", name, count, most>>10)
		if count != 1_000_000 || most > 8<<20 {
			t.Errorf("%s: %d lines with %d bytes in use", name, count, most)
		}
	}
}

// BenchmarkMerge is the cost of a line, and the memory in use.
func BenchmarkMerge(b *testing.B) {
	for name, blocks := range map[string]iter.Seq2[[]byte, error]{
		"stretches": made(1_000_000, 1000), "overlapping": interleaved(10_000, 100),
	} {
		b.Run(name, func(b *testing.B) {
			var count int
			var most uint64
			for b.Loop() {
				count, most = heapOf(b, Merge(blocks).Lines())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(count), "ns/line")
			b.ReportMetric(float64(most), "heap-B")
		})
	}
}
