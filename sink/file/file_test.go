package file_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/file"
	"github.com/ramify/ramify/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	for _, c := range []struct {
		format inventory.Format
		size   int64 // of a part: usual, or such that files are rolled
		small  int   // units of the test with many
	}{
		{inventory.Keys, 0, 2000},
		{inventory.CSV, 0, 20_000},
		{inventory.NDJSON, 0, 2000},
		{inventory.Parquet, 0, 2000},
		{inventory.CSV, 1 << 20, 2000},
		{inventory.Parquet, 1 << 20, 2000},
	} {
		t.Run(fmt.Sprint(c.format, " ", c.size), func(t *testing.T) {
			sinktest.Run(t, sinktest.Subject{
				Name: "*file.Sink",
				Open: func(t *testing.T, home string) sink.Sink {
					return open(t, home, file.Options{Layout: c.format.Layout(), PartSize: c.size})
				},
				Row: func(text string) []byte {
					return c.format.Layout().Append(nil, &inventory.Object{Bucket: "b", Key: text})
				},
				Rows:       rowsOf(c.format),
				SmallUnits: c.small,
				Follow: func(t *testing.T, home string) sink.Follower {
					st, err := store.Open(filepath.Join(home, "run.db"), store.Options{})
					require.NoError(t, err)
					t.Cleanup(func() { assert.NoError(t, st.Close()) })
					return file.Follow(st)
				},
			})
		})
	}
}

// open opens the run in home: its state in run.db, its results in out.
func open(t *testing.T, home string, o file.Options) *file.Sink {
	st, err := store.Open(filepath.Join(home, "run.db"), store.Options{})
	require.NoError(t, err)
	if o.Dir == "" {
		o.Dir = filepath.Join(home, "out")
	}
	o.Bucket, o.Created = "b", time.UnixMilli(1514944800000)
	s, err := file.Open(t.Context(), st, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, s.Close())
		assert.NoError(t, st.Close())
	})
	return s
}

// rowsOf reads the inventory as a stranger would: by its manifest, every
// checksum and size compared.
func rowsOf(format inventory.Format) func(*testing.T, string) []string {
	return func(t *testing.T, home string) (rows []string) {
		out := filepath.Join(home, "out")
		content, err := os.ReadFile(filepath.Join(out, "manifest.json"))
		require.NoError(t, err)
		checksum, err := os.ReadFile(filepath.Join(out, "manifest.checksum"))
		require.NoError(t, err)
		assert.Equal(t, sumOf(content), string(checksum))
		var m inventory.Manifest
		require.NoError(t, json.Unmarshal(content, &m))
		listed := []string{}
		for _, f := range m.Files {
			listed = append(listed, filepath.Base(f.Key))
			data, err := os.ReadFile(filepath.Join(out, f.Key))
			require.NoError(t, err)
			assert.Len(t, data, int(f.Size), f.Key)
			assert.Equal(t, f.MD5, sumOf(data), f.Key)
			for _, o := range objectsOf(t, format, data) {
				rows = append(rows, o.Key)
			}
		}
		there, err := os.ReadDir(filepath.Join(out, "data"))
		if len(listed) > 0 {
			require.NoError(t, err)
		}
		var names []string
		for _, e := range there {
			names = append(names, e.Name())
		}
		assert.ElementsMatch(t, listed, names, "what is in data is in the manifest")
		return rows
	}
}

func objectsOf(t *testing.T, format inventory.Format, data []byte) (objects []inventory.Object) {
	rows := inventory.ReadParquet(bytes.NewReader(data), int64(len(data)))
	if format != inventory.Parquet {
		r, err := format.Unpack(bytes.NewReader(data))
		require.NoError(t, err)
		defer r.Close()
		rows = format.Layout().Read(r)
	}
	for o, err := range rows {
		require.NoError(t, err)
		objects = append(objects, o)
	}
	return objects
}

func sumOf(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

func begin(t require.TestingT, s sink.Sink, n int, attempt uint64, keys ...string) sink.Part {
	p, err := s.Open(context.Background(), sink.Attempt{Run: "r", PID: unit(n), ID: attempt})
	require.NoError(t, err)
	for _, key := range keys {
		require.NoError(t, p.Write(context.Background(), sink.Rows, []byte(key+"\n"), 1))
	}
	return p
}

func commit(t require.TestingT, p sink.Part) {
	_, err := p.Commit(context.Background(), true, schema.Account{Nodes: 1})
	require.NoError(t, err)
}

func finish(t require.TestingT, s sink.Sink, units ...int) sink.Summary {
	sum, err := s.Finish(context.Background(), committed(units...))
	require.NoError(t, err)
	return sum
}

func committed(units ...int) func(func(sink.Committed, error) bool) {
	return func(yield func(sink.Committed, error) bool) {
		for _, n := range units {
			if !yield(sink.Committed{PID: unit(n), Leaf: true}, nil) {
				return
			}
		}
	}
}

func unit(n int) schema.PID { return schema.PIDOf("r", schema.Place{Slot: n}) }

func TestFolderAfterFinish(t *testing.T) {
	home := t.TempDir()
	s := open(t, home, file.Options{Layout: inventory.CSV.Layout()})
	commit(t, begin(t, s, 1, 1, `"b","k","1","","",""`))
	assert.NoFileExists(t, filepath.Join(home, "out", "manifest.json"))
	assert.NoDirExists(t, filepath.Join(home, "out", "data"), "what is not finished does not look like a result")
	sum := finish(t, s, 1)
	out, err := filepath.Abs(filepath.Join(home, "out"))
	require.NoError(t, err)
	assert.Equal(t, sink.Summary{Location: filepath.Join(out, "manifest.json"), Files: 1, Rows: 1, Bytes: sizeOf(t, filepath.Join(out, "data", "part-00001.csv.gz"))}, sum)
	var names []string
	entries, err := os.ReadDir(out)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	assert.Regexp(t, `^\.ramify-[A-Z2-7]+$`, names[0])
	assert.Equal(t, []string{"data", "manifest.checksum", "manifest.json"}, names[1:])
	manifest, err := os.ReadFile(sum.Location)
	require.NoError(t, err)
	want := fmt.Sprintf(`{
  "sourceBucket": "b",
  "destinationBucket": "file://%s",
  "version": "2016-11-30",
  "creationTimestamp": "1514944800000",
  "fileFormat": "CSV",
  "fileSchema": "Bucket, Key, Size, LastModifiedDate, ETag, StorageClass",
  "files": [
    {
      "key": "data/part-00001.csv.gz",
      "size": %d,
      "MD5checksum": "%s"
    }
  ]
}
`, out, sum.Bytes, md5Of(t, filepath.Join(out, "data", "part-00001.csv.gz")))
	assert.Equal(t, want, string(manifest))
	info, err := os.Stat(filepath.Join(out, "data", "part-00001.csv.gz"))
	require.NoError(t, err)
	assert.Zero(t, info.Mode().Perm()&0o022, "nobody else may write to the results")
}

func sizeOf(t *testing.T, path string) int64 {
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

func md5Of(t *testing.T, path string) string {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return sumOf(data)
}

func TestRunWithoutRowsHasAManifestWithoutFiles(t *testing.T) {
	home := t.TempDir()
	s := open(t, home, file.Options{Layout: inventory.NDJSON.Layout()})
	commit(t, begin(t, s, 1, 1))
	sum := finish(t, s, 1)
	assert.Zero(t, sum.Files)
	assert.Empty(t, rowsOf(inventory.NDJSON)(t, home))
}

// People who want totals only give no folder.
func TestWithoutFolderOnlyStreamsAreKept(t *testing.T) {
	st, err := store.Open(filepath.Join(t.TempDir(), "run.db"), store.Options{})
	require.NoError(t, err)
	defer st.Close()
	s, err := file.Open(t.Context(), st, file.Options{Layout: inventory.Keys.Layout()})
	require.NoError(t, err)
	defer s.Close()
	p := begin(t, s, 1, 1, "dropped")
	require.NoError(t, p.Write(t.Context(), sink.Prefixes, []byte("kept"), 1))
	commit(t, p)
	late := begin(t, s, 1, 2)
	got, err := late.Commit(t.Context(), true, schema.Account{Nodes: 5})
	require.NoError(t, err)
	assert.Equal(t, schema.Account{Nodes: 1}, got)
	assert.Equal(t, sink.Summary{}, finish(t, s, 1))
	var blocks []string
	for block, err := range s.Read(t.Context(), sink.Prefixes) {
		require.NoError(t, err)
		blocks = append(blocks, string(block))
	}
	assert.Equal(t, []string{"kept"}, blocks)
}

func TestFoldersThatAreRefused(t *testing.T) {
	home := t.TempDir()
	s := open(t, home, file.Options{Layout: inventory.Keys.Layout()})
	commit(t, begin(t, s, 1, 1, "a"))
	out := filepath.Join(home, "out")
	tryOpen := func(state, dir string, f inventory.Format) error {
		st, err := store.Open(filepath.Join(home, state), store.Options{})
		require.NoError(t, err)
		defer st.Close()
		again, err := file.Open(t.Context(), st, file.Options{Dir: dir, Layout: f.Layout()})
		if err == nil {
			require.NoError(t, again.Close())
		}
		return err
	}
	full := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(full, "thesis.tex"), nil, 0o600))
	require.EqualError(t, tryOpen("new.db", full, inventory.Keys),
		fmt.Sprintf(`open results: folder %s is not empty (it has "thesis.tex"): choose an empty or new folder`, full))
	another := fmt.Sprintf("open results: folder %s holds the results of another run: choose an empty or new folder", out)
	require.EqualError(t, tryOpen("new.db", out, inventory.Keys), another)
	require.ErrorContains(t, tryOpen("run.db", out, inventory.CSV), "the run writes keys, not csv")
	require.ErrorContains(t, tryOpen("run.db", t.TempDir(), inventory.Keys), "was moved or removed since the run wrote it")

	finish(t, s, 1)
	require.EqualError(t, tryOpen("new.db", out, inventory.Keys), another)
	require.NoError(t, tryOpen("run.db", out, inventory.Keys))
	require.NoError(t, os.Remove(filepath.Join(out, "data", "part-00001.txt")))
	require.ErrorContains(t, tryOpen("run.db", out, inventory.Keys), "part-00001.txt was moved or removed")
}

// A large file is taken as it is, though a crash has left a tail, and others
// are put together.
func TestLargeFilesAreNotCopied(t *testing.T) {
	home := t.TempDir()
	const size = 1 << 20
	s := open(t, home, file.Options{Layout: inventory.Keys.Layout(), PartSize: size})
	line := string(bytes.Repeat([]byte("x"), 99))
	block := bytes.Repeat([]byte(line+"\n"), size/100/8)
	var units []int
	for n := range 20 { // two files and a half
		p := begin(t, s, n, 1)
		require.NoError(t, p.Write(t.Context(), sink.Rows, block, size/100/8))
		commit(t, p)
		units = append(units, n)
	}
	begin(t, s, 99, 1).Abort()
	torn := begin(t, s, 100, 1)
	require.NoError(t, torn.Write(t.Context(), sink.Rows, block, size/100/8))
	var spooled []os.FileInfo
	for _, n := range []string{"1", "2", "3"} {
		info, err := os.Stat(filepath.Join(home, "out", ".spool", n))
		require.NoError(t, err)
		spooled = append(spooled, info)
	}
	sum := finish(t, s, units...)
	assert.EqualValues(t, 20*(size/100/8), sum.Rows)
	for i := range spooled {
		info, err := os.Stat(filepath.Join(home, "out", "data", fmt.Sprintf("part-%05d.txt", i+1)))
		require.NoError(t, err)
		assert.True(t, os.SameFile(spooled[i], info), "file %d was copied", i+1)
	}
	assert.Len(t, rowsOf(inventory.Keys)(t, home), 20*(size/100/8))
}

// Rows of a unit that went into files of which some are copied and some are not
// are read in their order by who follows the manifest.
func TestOrderThroughCopiedAndTakenFiles(t *testing.T) {
	home := t.TempDir()
	s := open(t, home, file.Options{Layout: inventory.Keys.Layout(), PartSize: 1 << 20})
	long := begin(t, s, 1, 1)
	filler := bytes.Repeat([]byte("-"), 200_000-8)
	var want []string
	for n := range 20 {
		key := fmt.Sprintf("%07d", n) + string(filler)
		want = append(want, key)
		require.NoError(t, long.Write(t.Context(), sink.Rows, []byte(key+"\n"), 1))
		if n == 2 || n == 13 { // of the first file and the third something is left out
			loser := begin(t, s, 2, uint64(n))
			require.NoError(t, loser.Write(t.Context(), sink.Rows, append(filler, '\n'), 1))
			loser.Abort()
		}
	}
	commit(t, long)
	sum := finish(t, s, 1)
	assert.Greater(t, sum.Files, 3)
	assert.True(t, slices.Equal(want, rowsOf(inventory.Keys)(t, home)))
}

func TestManyLosersAreLeftOut(t *testing.T) {
	home := t.TempDir()
	s := open(t, home, file.Options{Layout: inventory.CSV.Layout()})
	var units []int
	var want []string
	for n := range 300 {
		key := fmt.Sprintf("key-%03d", n)
		p := begin(t, s, n, 1, fmt.Sprintf(`"b",%q,"1","","",""`, key))
		switch n % 3 {
		case 0:
			p.Abort()
		case 1:
			commit(t, p)
		default:
			commit(t, p)
			units = append(units, n)
			want = append(want, key)
		}
	}
	sum := finish(t, s, units...)
	assert.Equal(t, 1, sum.Files)
	assert.True(t, slices.Equal(want, rowsOf(inventory.CSV)(t, home)), "in the order of writing")
	for _, err := range s.Read(t.Context(), sink.Rows) {
		t.Errorf("rows are in the files: %v", err)
	}
}
