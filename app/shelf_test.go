package app

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/file"
	"github.com/ramify/ramify/totals"
)

func openTest(t testing.TB) *state {
	t.Helper()
	st, err := openState(t.Context(), &cli{State: t.TempDir()}, "r", store.Options{Create: true, Owner: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.close)
	return st
}

// blocksOf is the sorted blocks of keys that lie one in a prefix.
func blocksOf(n int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		tally := totals.NewTally(0, totals.All)
		for i := range n {
			tally.Add(&inventory.Object{Key: fmt.Sprintf("%06d/k", i), Size: 1})
		}
		_ = tally.Take(func(b []byte) error {
			if !yield(bytes.Clone(b), nil) {
				return errors.New("stopped")
			}
			return nil
		})
	}
}

// A book is made once an epoch, and the next one replaces it at once: who reads
// the old one is told, and does not take half of it for the whole.
func TestBookOfARun(t *testing.T) {
	st := openTest(t)
	ctx := t.Context()
	if b, err := st.openBook(ctx); b != nil || err != nil {
		t.Fatalf("a book of nothing: %v, %v", b, err)
	}
	none := func(yield func([]byte, error) bool) { yield(nil, errors.New("broken")) }
	if _, err := st.makeBook(ctx, 0, totals.All, none); err == nil {
		t.Fatal("the error of the blocks is lost")
	}
	if n, err := st.makeBook(ctx, 0, totals.All, blocksOf(5000)); n != 5000 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if n, err := st.makeBook(ctx, 0, totals.All, none); n != 5000 || err != nil {
		t.Fatalf("made again: %d, %v", n, err)
	}
	old, err := st.openBook(ctx)
	if err != nil || old.Base().Objects != 5000 {
		t.Fatalf("%+v, %v", old, err)
	}
	if n, err := st.makeBook(ctx, 1, totals.All, blocksOf(7000)); n != 7000 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	for _, err = range old.Level(ctx, "", 1) {
	}
	if !errors.Is(err, errReplaced) {
		t.Errorf("the old book says %v", err)
	}
	b, err := st.openBook(ctx)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, err := range b.Under(ctx, "", totals.All) {
		if err != nil {
			t.Fatal(err)
		}
		lines++
	}
	if lines != 7001 {
		t.Errorf("%d lines, want 7,000 and the base", lines)
	}
	var pages, editions int
	if err := st.store.View(ctx, func(tx *store.Tx) error {
		_, err := tx.Get([]any{&pages, &editions}, "SELECT count(*), count(DISTINCT edition) FROM prefix_page")
		return err
	}); err != nil || editions != 1 || pages < 3 {
		t.Errorf("%d pages of %d editions, %v", pages, editions, err)
	}
}

// BenchmarkBook makes the book of a run with a prefix for each key, from the
// blocks of its units, as a run does at its end. heap-MB and rss-MB should not
// depend on the number.
func BenchmarkBook(b *testing.B) {
	for _, prefixes := range []int{100_000, 1_000_000, 3_000_000} {
		b.Run(strconv.Itoa(prefixes), func(b *testing.B) {
			for b.Loop() {
				benchBook(b, prefixes)
			}
		})
	}
}

func benchBook(b *testing.B, prefixes int) {
	st := openTest(b)
	out, err := file.Open(b.Context(), st.store, file.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	const perUnit = 10_000
	var units []sink.Committed
	for from := 0; from < prefixes; from += perUnit {
		pid := schema.PIDOf("r", schema.Place{Slot: from})
		p, err := out.Open(b.Context(), sink.Attempt{Run: "r", PID: pid, ID: 1})
		if err != nil {
			b.Fatal(err)
		}
		write := func(block []byte) error { return p.Write(b.Context(), sink.Prefixes, block, 1) }
		tally := totals.NewTally(0, totals.All)
		for i := from; i < from+perUnit; i++ {
			if tally.Full() {
				_ = tally.Take(write)
			}
			tally.Add(&inventory.Object{Key: fmt.Sprintf("%04d/%09d/k", i/1000, i), Size: 1, StorageClass: "STANDARD", LastModified: time.UnixMilli(int64(i) << 20)})
		}
		_ = tally.Take(write)
		if _, err := p.Commit(b.Context(), false, schema.Account{}); err != nil {
			b.Fatal(err)
		}
		units = append(units, sink.Committed{PID: pid, Attempt: 1})
	}
	if _, err := out.Finish(b.Context(), func(yield func(sink.Committed, error) bool) {
		for _, u := range units {
			if !yield(u, nil) {
				return
			}
		}
	}); err != nil {
		b.Fatal(err)
	}
	stop, most := make(chan struct{}), make(chan [2]uint64)
	go func() {
		var m runtime.MemStats
		var heap, rss uint64
		for {
			runtime.ReadMemStats(&m)
			heap, rss = max(heap, m.HeapAlloc), max(rss, resident())
			select {
			case <-stop:
				most <- [2]uint64{heap, rss}
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	begun := time.Now()
	n, err := st.makeBook(b.Context(), 0, totals.All, out.Read(b.Context(), sink.Prefixes))
	took := time.Since(begun)
	close(stop)
	peak := <-most
	if err != nil || n != int64(prefixes+prefixes/1000) {
		b.Fatalf("%d prefixes, %v", n, err)
	}
	b.ReportMetric(float64(peak[0])/1e6, "heap-MB")
	b.ReportMetric(float64(peak[1])/1e6, "rss-MB")
	b.ReportMetric(float64(took.Nanoseconds())/float64(n), "ns/prefix")
}

// resident is the memory of this process in bytes; 0 where it is not told.
func resident() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages uint64
	_, _ = fmt.Sscan(string(text), &size, &pages)
	return pages * uint64(os.Getpagesize())
}
