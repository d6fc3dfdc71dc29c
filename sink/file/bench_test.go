package file

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

func openBench(b *testing.B, f inventory.Format) *Sink {
	dir := b.TempDir()
	st, err := store.Open(dir+"/run.db", store.Options{Owner: true})
	if err != nil {
		b.Fatal(err)
	}
	s, err := Open(b.Context(), st, Options{Dir: dir + "/out", Layout: f.Layout()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = s.Close()
		_ = st.Close()
	})
	return s
}

// BenchmarkLeafCommit is a node a message: 128 units at a time, each with one
// row, durable.
func BenchmarkLeafCommit(b *testing.B) {
	s := openBench(b, inventory.CSV)
	row := inventory.CSV.Layout().Append(nil, &inventory.Object{Bucket: "b", Key: "some/key/of/usual/length", LastModified: time.Unix(1, 0)})
	var n atomic.Int64
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(n.Add(1))
			p, err := s.Open(b.Context(), sink.Attempt{PID: pid(i), ID: 1})
			if err == nil {
				err = p.Write(b.Context(), sink.Rows, row, 1)
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
	if _, err := s.Finish(b.Context(), leaves(units...)); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(units))/time.Since(start).Seconds(), "finished/s")
}

// BenchmarkRun is a million rows as a crawl writes them, a page a block and a
// hundred pages a unit, from encoding to manifest.
func BenchmarkRun(b *testing.B) {
	for f := inventory.Keys; f <= inventory.Parquet; f++ {
		b.Run(f.String(), func(b *testing.B) {
			const units, pages, page = 10, 100, 1000
			for b.Loop() {
				s := openBench(b, f)
				var all []int
				var block []byte
				start := time.Now()
				for u := range units {
					p, err := s.Open(b.Context(), sink.Attempt{PID: pid(u), ID: 1})
					if err != nil {
						b.Fatal(err)
					}
					for g := range pages {
						block = block[:0]
						for r := range page {
							block = f.Layout().Append(block, &inventory.Object{
								Bucket: "a-bucket-of-usual-length", Key: fmt.Sprintf("usr/share/doc/libsomething-perl/examples/%d/%d/%d.html", u, g, r),
								Size: int64(r) * 1000, LastModified: time.Unix(1_700_000_000+int64(r), 0),
								ETag: "d41d8cd98f00b204e9800998ecf8427e", StorageClass: "STANDARD",
							})
						}
						if err := p.Write(b.Context(), sink.Rows, block, page); err != nil {
							b.Fatal(err)
						}
					}
					if _, err := p.Commit(b.Context(), true, schema.Account{}); err != nil {
						b.Fatal(err)
					}
					all = append(all, u)
				}
				written := time.Since(start)
				start = time.Now()
				sum, err := s.Finish(b.Context(), leaves(all...))
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(written.Nanoseconds())/float64(sum.Rows), "write-ns/row")
				b.ReportMetric(float64(time.Since(start).Nanoseconds())/float64(sum.Rows), "finish-ns/row")
				b.ReportMetric(float64(sum.Bytes)/1e6, "MB")
			}
		})
	}
}
