package s3inventory

import (
	"fmt"
	"testing"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
)

// BenchmarkFile reads a data file of 100,000 rows, in no order of keys: fetched,
// checked, decoded, counted and summed up per prefix.
func BenchmarkFile(b *testing.B) {
	const rows = 100_000
	objects := many(rows)
	for i := range objects {
		objects[i].Key = fmt.Sprintf("usr/share/doc/lib%d/examples/%d.html", i*7919%1000, i)
	}
	for _, f := range []inventory.Format{inventory.CSV, inventory.NDJSON, inventory.Parquet} {
		b.Run(f.String(), func(b *testing.B) {
			from := ours(b, f, objects)
			key := "copied/data/part-00001" + f.Ext()
			body := from.objects[key]
			m := inventory.NewManifest(f.Layout(), "src", "", timeZero)
			c := args{
				File: "s3://dest/" + key, Size: int64(len(body)), MD5: md5Of(body),
				Format: m.FileFormat, Schema: m.FileSchema, Source: "src",
			}.child(1)
			p := New(Options{Getter: from, Dir: b.TempDir()})
			for b.Loop() {
				if _, err := processortest.Run(b.Context(), p, &processor.Node{Kind: Kind, Args: c.Args}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
