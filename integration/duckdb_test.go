package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/file"
)

// python is a Python that has DuckDB: installed once, into the checkout's cache.
// Where that fails so does the test that needs it.
var python = sync.OnceValues(func() (string, error) {
	wanted := filepath.Join("testdata", "requirements.txt")
	version, err := os.ReadFile(wanted)
	if err != nil {
		return "", err
	}
	cache, err := filepath.Abs(filepath.Join("..", ".cache"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	home := filepath.Join(cache, strings.ReplaceAll(strings.TrimSpace(string(version)), "==", "-"))
	interpreter, ready := filepath.Join(home, "bin", "python"), filepath.Join(home, "ready")
	lock := flock.New(home + ".lock")
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer lock.Unlock() //nolint:errcheck // the process ends soon
	if _, err := os.Stat(ready); err == nil {
		return interpreter, nil
	}
	for _, command := range [][]string{
		{"python3", "-m", "venv", "--clear", home},
		{interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "-r", wanted},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, out)
		}
	}
	return interpreter, os.WriteFile(ready, nil, 0o644)
})

// duckdb runs testdata/read.py.
func duckdb(t *testing.T, args ...string) (stdout []byte, stderr string) {
	t.Helper()
	interpreter, err := python()
	if err != nil {
		t.Fatalf("install DuckDB: %v", err)
	}
	cmd := exec.Command(interpreter, append([]string{filepath.Join("testdata", "read.py")}, args...)...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if stdout, err = cmd.Output(); err != nil {
		t.Fatalf("%v\n%s", err, complaints.String())
	}
	return stdout, complaints.String()
}

// strangeRow is a row as read.py prints it.
type strangeRow struct {
	Bucket, Key, VersionID, ETag, StorageClass    *string
	IsLatest, IsDeleteMarker, IsMultipartUploaded *bool
	Size, LastModifiedDate                        *int64
}

// strangeRows are the rows of an inventory as DuckDB reads them, by key.
func strangeRows(t *testing.T, dir string) (rows map[string]strangeRow, stderr string) {
	t.Helper()
	out, stderr := duckdb(t, dir)
	rows = map[string]strangeRow{}
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var r strangeRow
		err := dec.Decode(&r)
		if errors.Is(err, io.EOF) {
			return rows, stderr
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := rows[*r.Key]; twice {
			t.Fatalf("key %q stands there twice", *r.Key)
		}
		rows[*r.Key] = r
	}
}

func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// strange is an object as DuckDB must read it, whatever the format.
func strange(o inventory.Object) (r strangeRow) {
	r = strangeRow{
		Bucket: &o.Bucket, Key: &o.Key, VersionID: known(o.VersionID), ETag: known(o.ETag), StorageClass: known(o.StorageClass),
		IsLatest: &o.IsLatest, IsDeleteMarker: &o.IsDeleteMarker,
	}
	if !o.IsDeleteMarker {
		r.Size = &o.Size
	}
	if !o.LastModified.IsZero() {
		ms := o.LastModified.UnixMilli()
		r.LastModifiedDate = &ms
	}
	if o.ETag != "" {
		parts := strings.Contains(o.ETag, "-")
		r.IsMultipartUploaded = &parts
	}
	return r
}

func mustEncode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What the command writes of awkward keys, a database that others wrote reads as
// it is: the usual columns and chosen ones, in each format.
func TestDuckDBReadsWhatIsWritten(t *testing.T) {
	t.Parallel()
	listing := multipartListing(t, awkwardKeys())
	s := serve(t, listing, s3serve.Options{})
	for _, format := range []string{"csv", "ndjson", "parquet"} {
		for _, columns := range []string{"", "size,ismultipartuploaded,key,storageclass"} {
			t.Run(format+" "+columns, func(t *testing.T) {
				t.Parallel()
				u := newUser(t, s.url)
				args := []string{"run", "s3://bucket/", "--out", "out", "--format", format}
				if columns != "" {
					args = append(args, "--columns", columns)
				}
				u.run(t, args...).requireCode(t, 0)
				rows, _ := strangeRows(t, u.path("out"))
				for o := range listing.All() {
					want := strange(inventory.Object{
						Bucket: bucket, Key: o.Key, Size: o.Size, LastModified: o.LastModified, ETag: o.ETag, StorageClass: o.StorageClass,
					})
					want.IsLatest, want.IsDeleteMarker = nil, nil
					if columns == "" {
						want.IsMultipartUploaded = nil
					} else {
						want.Bucket, want.LastModifiedDate, want.ETag = nil, nil, nil
					}
					if got := rows[o.Key]; mustEncode(t, got) != mustEncode(t, want) {
						t.Fatalf("key %q: row %s, want %s", o.Key, mustEncode(t, got), mustEncode(t, want))
					}
				}
				if len(rows) != listing.Len() {
					t.Errorf("%d rows of %d", len(rows), listing.Len())
				}
			})
		}
	}
}

// versions are more than a row group of versions and delete markers, of which
// something is unknown here and there.
func versions(yield func(inventory.Object) bool) {
	awkward := awkwardKeys()
	for i := range 70_000 {
		o := inventory.Object{Bucket: bucket, Key: fmt.Sprintf("%s %d", awkward[i%len(awkward)], i), IsLatest: i%3 == 0}
		if o.IsDeleteMarker = i%7 == 0; !o.IsDeleteMarker {
			o.Size, o.ETag, o.StorageClass = int64(i)<<20, fmt.Sprintf("%032x", i), []string{"STANDARD", "GLACIER", ""}[i%3]
			if i%11 == 0 {
				o.ETag += "-12"
			}
		}
		if i%5 > 0 {
			o.VersionID = fmt.Sprintf("3/L4kqtJ\"l%d", i)
		}
		if i%13 > 0 {
			o.LastModified = time.UnixMilli(1514944800000 + int64(i)*7919).UTC()
		}
		if !yield(o) {
			return
		}
	}
}

func TestDuckDBReadsVersions(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"csv", "ndjson", "parquet"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			layout, err := inventory.ParseLayout(format, inventory.VersionColumns.String()+",ismultipartuploaded")
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "out")
			writeInventory(t, dir, layout, versions)
			rows, stderr := strangeRows(t, dir)
			if format == "parquet" && stderr != "2 row groups\n" {
				t.Errorf("want two row groups, DuckDB says %q", stderr)
			}
			count := 0
			for o := range versions {
				count++
				if got, want := mustEncode(t, rows[o.Key]), mustEncode(t, strange(o)); got != want {
					t.Fatalf("key %q: row %s, want %s", o.Key, got, want)
				}
			}
			if len(rows) != count {
				t.Errorf("%d rows of %d", len(rows), count)
			}
		})
	}
}

// writeInventory writes an inventory as a run does: blocks of 1,000 rows.
func writeInventory(t *testing.T, dir string, layout inventory.Layout, objects iter.Seq[inventory.Object]) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	st, err := store.Open(filepath.Join(t.TempDir(), "run.db"), store.Options{Create: true, Owner: true})
	must(err)
	defer st.Close()
	out, err := file.Open(t.Context(), st, file.Options{Dir: dir, Layout: layout, Bucket: bucket, Created: time.Now()})
	must(err)
	defer out.Close()
	pid := schema.PID{1}
	part, err := out.Open(t.Context(), sink.Attempt{PID: pid, ID: 1})
	must(err)
	var block []byte
	n := 0
	for o := range objects {
		block = layout.Append(block, &o)
		if n++; n == 1000 {
			must(part.Write(t.Context(), sink.Rows, block, n))
			block, n = block[:0], 0
		}
	}
	must(part.Write(t.Context(), sink.Rows, block, n))
	_, err = part.Commit(t.Context(), true, schema.Account{})
	must(err)
	_, err = out.Finish(t.Context(), func(yield func(sink.Committed, error) bool) { yield(sink.Committed{PID: pid, Leaf: true}, nil) })
	must(err)
}

// Parquet of DuckDB's is read: columns in another order, all optional, dates in
// microseconds, columns that no inventory has.
func TestReadingParquetOfDuckDB(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "theirs.parquet")
	duckdb(t, "write", path)
	data := readFile(t, path)
	i := 0
	for o, err := range inventory.ReadParquet(bytes.NewReader(data), int64(len(data))) {
		if err != nil {
			t.Fatal(err)
		}
		want := inventory.Object{
			Bucket: "b", Key: fmt.Sprintf("k\n%d", i), IsLatest: i%3 == 0, IsDeleteMarker: i%5 == 0, Size: int64(i) * 3, ETag: "e", StorageClass: "GLACIER",
			LastModified: time.Date(2026, 1, 31, 12, 0, i, 123e6, time.UTC),
		}
		if i%2 == 0 {
			want.VersionID = fmt.Sprintf("v%d", i)
		}
		if o != want {
			t.Fatalf("row %d is %+v, want %+v", i, o, want)
		}
		i++
	}
	if i != 300_000 {
		t.Errorf("%d rows", i)
	}
}
