package inventory_test

import (
	"io"
	"testing"
	"time"

	"github.com/ramify/ramify/inventory"
)

// page is a page of a LIST answer with keys of the length real buckets have.
func page() []inventory.Object {
	objects := make([]inventory.Object, 1000)
	for i := range objects {
		objects[i] = inventory.Object{
			Bucket:       "a-bucket-of-usual-length",
			Key:          "usr/share/doc/libsomething-perl/examples/" + time.Unix(int64(i)*7919, 0).UTC().Format("2006/01/02/150405") + ".html",
			Size:         int64(i * i),
			LastModified: time.Unix(1_700_000_000+int64(i), 123e6),
			ETag:         "d41d8cd98f00b204e9800998ecf8427e", StorageClass: "STANDARD",
		}
	}
	return objects
}

func BenchmarkAppend(b *testing.B) {
	objects := page()
	for _, f := range all {
		b.Run(f.String(), func(b *testing.B) {
			var block []byte
			l := f.Layout()
			for i := 0; b.Loop(); i++ {
				if i%len(objects) == 0 {
					block = block[:0]
				}
				block = l.Append(block, &objects[i%len(objects)])
			}
		})
	}
}

// BenchmarkPack compresses a block of 1,000 rows; the figure per row is in ns/row.
func BenchmarkPack(b *testing.B) {
	objects := page()
	for _, f := range all {
		b.Run(f.String(), func(b *testing.B) {
			var block, member []byte
			for i := range objects {
				block = f.Layout().Append(block, &objects[i])
			}
			for b.Loop() {
				member = f.Pack(member[:0], block)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(objects)), "ns/row")
			b.ReportMetric(float64(len(block))/float64(len(member)), "ratio")
		})
	}
}

func BenchmarkParquetWriter(b *testing.B) {
	objects := page()
	w := inventory.NewParquetWriter(io.Discard, inventory.CurrentColumns)
	for i := 0; b.Loop(); i++ {
		if err := w.Write(&objects[i%len(objects)]); err != nil {
			b.Fatal(err)
		}
	}
}
