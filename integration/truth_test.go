package integration

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/ramify/ramify/s3serve"
)

// row is one row of an inventory, as any reader of it sees it.
type row struct {
	bucket, key, etag, class string
	size                     int64
	modified                 time.Time
}

// truth is what a crawl must find.
type truth struct {
	rows     map[string]row
	bytes    int64
	prefixes int64
}

// truthOf is the truth of what lies below a prefix.
func truthOf(l *s3serve.Listing, prefix string) truth {
	tr := truth{rows: map[string]row{}}
	for o := range l.All() {
		if strings.HasPrefix(o.Key, prefix) {
			tr.rows[o.Key] = row{bucket, o.Key, o.ETag, o.StorageClass, o.Size, o.LastModified.UTC()}
			tr.bytes += o.Size
		}
	}
	tr.prefixes = countPrefixes(tr.rows, prefix)
	return tr
}

// countPrefixes is how many different strings that end in '/' and are longer
// than the base begin some key.
func countPrefixes(rows map[string]row, base string) int64 {
	seen := map[string]bool{}
	for k := range rows {
		for i := len(base); i < len(k); i++ {
			if k[i] == '/' {
				seen[k[:i+1]] = true
			}
		}
	}
	return int64(len(seen))
}

// manifest is manifest.json, in the layout of S3 Inventory.
type manifest struct {
	SourceBucket      string `json:"sourceBucket"`
	DestinationBucket string `json:"destinationBucket"`
	Version           string `json:"version"`
	CreationTimestamp string `json:"creationTimestamp"`
	FileFormat        string `json:"fileFormat"`
	FileSchema        string `json:"fileSchema"`
	Files             []struct {
		Key  string `json:"key"`
		Size int64  `json:"size"`
		MD5  string `json:"MD5checksum"`
	} `json:"files"`
}

// readManifest reads an inventory's manifest and holds all that it says of
// files against the files.
func readManifest(t *testing.T, dir string) manifest {
	t.Helper()
	data := readFile(t, filepath.Join(dir, "manifest.json"))
	var m manifest
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		t.Fatalf("manifest: %v", err)
	}
	if sum := string(readFile(t, filepath.Join(dir, "manifest.checksum"))); sum != md5Of(data) {
		t.Errorf("manifest.checksum is %q, the manifest's MD5 %s", sum, md5Of(data))
	}
	if m.Version != "2016-11-30" || !regexp.MustCompile(`^\d{13}$`).MatchString(m.CreationTimestamp) {
		t.Errorf("version %q, created %q", m.Version, m.CreationTimestamp)
	}
	known := map[string]bool{"manifest.json": true, "manifest.checksum": true}
	for _, f := range m.Files {
		known[filepath.FromSlash(f.Key)] = true
		if data := readFile(t, filepath.Join(dir, f.Key)); int64(len(data)) != f.Size || md5Of(data) != f.MD5 {
			t.Errorf("file %s has %d bytes of MD5 %s, the manifest says %d of %s", f.Key, len(data), md5Of(data), f.Size, f.MD5)
		}
	}
	// Nothing else is left behind but the mark of the folder's owner.
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); err == nil && !d.IsDir() && !known[rel] && !strings.HasPrefix(rel, ".ramify-") {
			t.Errorf("file %s is not in the manifest", rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func md5Of(data []byte) string {
	sum := md5.Sum(data)
	return hex.EncodeToString(sum[:])
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// layouts are what the manifest says of each format, and how its files are read
// by what is not ours.
var layouts = map[string]struct {
	name, schema string
	read         func(*testing.T, []byte) []row
}{
	"keys":    {"Keys", "Key", readKeys},
	"csv":     {"CSV", "Bucket, Key, Size, LastModifiedDate, ETag, StorageClass", readCSV},
	"ndjson":  {"NDJSON", "bucket, key, size, lastmodifieddate, etag, storageclass", readNDJSON},
	"parquet": {"Parquet", "message s3.inventory {  required binary bucket (STRING);  required binary key (STRING);  optional int64 size;  optional int64 last_modified_date (TIMESTAMP(MILLIS,true));  optional binary e_tag (STRING);  optional binary storage_class (STRING);}", readParquet},
}

// requireInventory fails the test unless the inventory in a folder is exactly
// the truth: every key once, with all that is known of it, in a few files.
func requireInventory(t *testing.T, dir, format string, want truth) {
	t.Helper()
	m := readManifest(t, dir)
	layout := layouts[format]
	if m.SourceBucket != bucket || m.FileFormat != layout.name || m.FileSchema != layout.schema || m.DestinationBucket != "file://"+filepath.ToSlash(dir) {
		t.Errorf("manifest is of %q to %q, %s with %q", m.SourceBucket, m.DestinationBucket, m.FileFormat, m.FileSchema)
	}
	if len(m.Files) > 3 {
		t.Errorf("%d files for %d keys", len(m.Files), len(want.rows))
	}
	var rows []row
	for _, f := range m.Files {
		rows = append(rows, layout.read(t, readFile(t, filepath.Join(dir, f.Key)))...)
	}
	want.requireRows(t, rows, format == "keys")
}

// requireRows holds rows against the truth as a multiset.
func (tr truth) requireRows(t *testing.T, rows []row, keysOnly bool) {
	t.Helper()
	var wrong []string
	seen := make(map[string]bool, len(rows))
	for _, r := range rows {
		want, there := tr.rows[r.key]
		switch {
		case !there:
			wrong = append(wrong, fmt.Sprintf("key %q is not in the bucket", r.key))
		case seen[r.key]:
			wrong = append(wrong, fmt.Sprintf("key %q stands there twice", r.key))
		case !keysOnly && r != want:
			wrong = append(wrong, fmt.Sprintf("row %+v, want %+v", r, want))
		}
		seen[r.key] = true
	}
	for k := range tr.rows {
		if !seen[k] {
			wrong = append(wrong, fmt.Sprintf("key %q is missing", k))
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		t.Fatalf("%d rows of %d are wrong or missing, such as\n%s", len(wrong), len(tr.rows), strings.Join(wrong[:min(len(wrong), 8)], "\n"))
	}
}

func readKeys(t *testing.T, data []byte) (rows []row) {
	t.Helper()
	for line := range strings.Lines(string(data)) {
		rows = append(rows, row{key: keyOfLine(t, strings.TrimSuffix(line, "\n"))})
	}
	return rows
}

// keyOfLine reads a line of the format keys as documented: backslash, newline
// and carriage return are written \\, \n and \r.
func keyOfLine(t *testing.T, line string) string {
	t.Helper()
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		if line[i] != '\\' {
			b.WriteByte(line[i])
			continue
		}
		i++
		switch {
		case strings.HasPrefix(line[i:], `\`):
			b.WriteByte('\\')
		case strings.HasPrefix(line[i:], "n"):
			b.WriteByte('\n')
		case strings.HasPrefix(line[i:], "r"):
			b.WriteByte('\r')
		default:
			t.Fatalf("line %q has an escape that is none", line)
		}
	}
	return b.String()
}

func readCSV(t *testing.T, data []byte) []row {
	t.Helper()
	return parseCSV(t, bytes.NewReader(readGzip(t, data)))
}

func readGzip(t *testing.T, data []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func parseCSV(t *testing.T, r io.Reader) (rows []row) {
	t.Helper()
	records, err := csv.NewReader(r).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		key, err := url.QueryUnescape(r[1])
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row{r[0], key, r[4], r[5], integer(t, r[2]), date(t, r[3])})
	}
	return rows
}

func readNDJSON(t *testing.T, data []byte) []row {
	t.Helper()
	return parseNDJSON(t, unzstd(t, data))
}

func parseNDJSON(t *testing.T, data []byte) (rows []row) {
	t.Helper()
	for line := range bytes.Lines(data) {
		var r struct {
			Bucket, Key, LastModifiedDate, ETag, StorageClass string
			Size                                              int64
		}
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&r); err != nil {
			t.Fatalf("row %q: %v", line, err)
		}
		rows = append(rows, row{r.Bucket, r.Key, r.ETag, r.StorageClass, r.Size, date(t, r.LastModifiedDate)})
	}
	return rows
}

func unzstd(t *testing.T, data []byte) []byte {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func readParquet(t *testing.T, data []byte) (rows []row) {
	t.Helper()
	type columns struct {
		Bucket           string `parquet:"bucket"`
		Key              string `parquet:"key"`
		Size             int64  `parquet:"size,optional"`
		LastModifiedDate int64  `parquet:"last_modified_date,optional,timestamp(millisecond)"`
		ETag             string `parquet:"e_tag,optional"`
		StorageClass     string `parquet:"storage_class,optional"`
	}
	records, err := parquet.Read[columns](bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		rows = append(rows, row{r.Bucket, r.Key, r.ETag, r.StorageClass, r.Size, time.UnixMilli(r.LastModifiedDate).UTC()})
	}
	return rows
}

func integer(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func date(t *testing.T, s string) time.Time {
	t.Helper()
	d, err := time.Parse("2006-01-02T15:04:05.000Z", s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// requireSummary fails the test unless the run has finished with the totals of
// the truth.
func (tr truth) requireSummary(t *testing.T, s summary) {
	t.Helper()
	if s.State != "finished" || s.Failed != 0 {
		t.Errorf("state %s with %d failed", s.State, s.Failed)
	}
	if s.Totals.Prefixes == nil {
		t.Fatalf("no count of prefixes in %+v", s)
	}
	if s.Totals.Objects != int64(len(tr.rows)) || s.Totals.Bytes != tr.bytes || *s.Totals.Prefixes != tr.prefixes {
		t.Errorf("%d objects, %d bytes, %d prefixes; want %d, %d, %d",
			s.Totals.Objects, s.Totals.Bytes, *s.Totals.Prefixes, len(tr.rows), tr.bytes, tr.prefixes)
	}
}
