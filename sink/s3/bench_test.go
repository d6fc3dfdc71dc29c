package s3_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// BenchmarkLeafCommit is a node a message: 64 units at a time and a processor, each
// with one row, on a server that answers at once; and Finish of them all.
func BenchmarkLeafCommit(b *testing.B) {
	store := newStore(b, fakeS3(b))
	o := store.options(inventory.CSV.Layout())
	s := store.open(o)
	block := row(o.Layout, "some/key/of/usual/length")
	var n atomic.Int64
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, err := s.Open(b.Context(), sink.Attempt{Run: "run", PID: pid(int(n.Add(1))), ID: 1})
			if err == nil {
				err = p.Write(b.Context(), sink.Rows, block, 1)
			}
			if err == nil {
				_, err = p.Commit(b.Context(), true, schema.Account{Nodes: 1})
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	units := make([]int, n.Load())
	for i := range units {
		units[i] = i + 1
	}
	start := time.Now()
	sum, err := s.Finish(b.Context(), leaves(units...))
	require.NoError(b, err)
	b.ReportMetric(float64(len(units))/time.Since(start).Seconds(), "finished/s")
	if sum.Rows != n.Load() {
		b.Error(fmt.Sprint(sum.Rows, " rows of ", n.Load()))
	}
}
