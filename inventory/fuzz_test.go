package inventory_test

import (
	"bytes"
	"io"
	"iter"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/inventory"
)

// most rows of a text are looked at: what is behind them is no different.
const most = 1000

// taken is what a reader yields until its first error, which must be its last word.
func taken(t *testing.T, rows iter.Seq2[inventory.Object, error]) (all []inventory.Object, err error) {
	t.Helper()
	for o, e := range rows {
		require.NoError(t, err, "a reader goes on after an error")
		if err = e; err == nil {
			all = append(all, o)
		}
		if len(all) == most {
			break
		}
	}
	return all, err
}

// again is what a format writes of objects, read by itself.
func again(t *testing.T, l inventory.Layout, all []inventory.Object) []inventory.Object {
	t.Helper()
	var text []byte
	for i := range all {
		text = l.Append(text, &all[i])
	}
	got, err := taken(t, l.Read(bytes.NewReader(text)))
	require.NoError(t, err, "%q", text)
	return got
}

// FuzzRead: no text crashes a reader of rows, and what one takes comes back from what
// we write of it: no key of a stranger makes a row more or less.
func FuzzRead(f *testing.F) {
	f.Add([]byte(realRows), realSchema)
	f.Add([]byte("\"a%2Bb\",\"1\"\n\"c\",\"\"\n"), "Key, Size")
	f.Add([]byte("a\\nb\n\\\\\nc"), "keys")
	f.Add([]byte(`{"key":"a","size":1,"lastmodifieddate":"2024-01-01T00:00:00Z"}`+"\n"+`{"key":"\u0000\n"}`), "ndjson")
	f.Fuzz(func(t *testing.T, text []byte, schema string) {
		var layout inventory.Layout
		var rows iter.Seq2[inventory.Object, error]
		switch schema {
		case "keys", "ndjson":
			var err error
			layout, err = inventory.ParseLayout(schema, "")
			require.NoError(t, err)
			rows = layout.Read(bytes.NewReader(text))
		default:
			layout = inventory.CSV.With(inventory.VersionColumns)
			rows = inventory.ReadCSV(bytes.NewReader(text), schema)
		}
		all, _ := taken(t, rows)
		for i := range all {
			// What our rows do not say in full: milliseconds, and years of four digits.
			all[i].LastModified = all[i].LastModified.Truncate(1e6)
			if y := all[i].LastModified.Year(); y < 0 || y > 9999 {
				return
			}
			if schema == "ndjson" {
				all[i].Key = strings.ToValidUTF8(all[i].Key, "\uFFFD")
			}
			if all[i].IsDeleteMarker {
				all[i].Size = 0
			}
		}
		if first := again(t, layout, all); len(all) > 0 {
			require.Len(t, first, len(all))
			for i := range all {
				require.Equal(t, all[i].Key, first[i].Key)
				if schema != "keys" {
					require.Equal(t, all[i].Size, first[i].Size)
					require.True(t, all[i].LastModified.Equal(first[i].LastModified), "%v, %v", all[i].LastModified, first[i].LastModified)
				}
			}
			require.Equal(t, first, again(t, layout, first))
		}
	})
}

// FuzzUnpack: rows that are packed come out, or an error does.
func FuzzUnpack(f *testing.F) {
	for _, format := range []inventory.Format{inventory.Keys, inventory.CSV, inventory.NDJSON} {
		f.Add(byte(format-1), []byte("\x1f\x8b\x08"))
		f.Add(byte(format-1), []byte("\x28\xb5\x2f\xfd"))
	}
	f.Fuzz(func(_ *testing.T, format byte, packed []byte) {
		rows, err := inventory.Format(1 + format%3).Unpack(bytes.NewReader(packed))
		if err != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, rows, 1<<20)
		_ = rows.Close()
	})
}

// FuzzManifest: what is taken for a manifest names its format, a column of keys, and
// files.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"sourceBucket":"b","fileFormat":"CSV","fileSchema":"Bucket, Key","files":[{"key":"data/1.csv.gz","size":1,"MD5checksum":"x"}]}`))
	f.Add([]byte(`{"fileFormat":"Parquet","fileSchema":"message s3.inventory {  required binary bucket (STRING);  required binary key (STRING); }","files":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := inventory.ParseManifest(text)
		if err != nil {
			return
		}
		_, err = m.Format()
		require.NoError(t, err)
		require.NotEmpty(t, m.Columns().String())
		for _, file := range m.Files {
			require.NotEmpty(t, file.Key)
		}
		all, err := taken(t, m.Read(bytes.NewReader(nil), 0))
		require.True(t, err != nil || len(all) == 0, "%d objects of nothing", len(all))
	})
}

// FuzzParquet: a file of somebody else gives rows or an error, never a panic.
func FuzzParquet(f *testing.F) {
	var file bytes.Buffer
	w := inventory.NewParquetWriter(&file, inventory.VersionColumns)
	for i := range realObjects {
		require.NoError(f, w.Write(&realObjects[i]))
	}
	require.NoError(f, w.Close())
	f.Add(file.Bytes())
	f.Add([]byte("PAR1\x00\x00\x00\x00PAR1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = taken(t, inventory.ReadParquet(bytes.NewReader(text), int64(len(text))))
	})
}

// A damaged file says that it is larger than it is, and is not believed: among these are
// footers of gigabytes, and a codec that tries ever more memory.
func TestReadParquetTakesNoMoreMemoryThanItShould(t *testing.T) {
	var file bytes.Buffer
	w := inventory.NewParquetWriter(&file, inventory.VersionColumns)
	for i := range realObjects {
		require.NoError(t, w.Write(&realObjects[i]))
	}
	require.NoError(t, w.Close())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		damaged := bytes.Clone(file.Bytes())
		for range 1 + r.IntN(3) {
			damaged[r.IntN(len(damaged))] = byte(r.IntN(256))
		}
		_, _ = taken(t, inventory.ReadParquet(bytes.NewReader(damaged), int64(len(damaged))))
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(200<<20), "seed %d", seed)
		before = after
	}
	for _, text := range []string{"", "PAR1", "PAR1PAR1", "PAR1\xff\xff\xff\xffPAR1"} {
		_, err := taken(t, inventory.ReadParquet(strings.NewReader(text), int64(len(text))))
		require.Error(t, err)
	}
}
