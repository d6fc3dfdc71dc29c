package integration

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/parquet-go/parquet-go"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// dated is where S3 puts a manifest, below a prefix of the destination bucket.
const dated = "inv/" + bucket + "/daily/2024-05-01T01-00Z"

// writeS3Inventory writes an inventory of objects into a folder as S3 does it, in
// so many files: keys in no order, URL-encoded in CSV, columns of S3's.
func writeS3Inventory(t *testing.T, dir, format string, tr truth, files int) {
	t.Helper()
	var rows []row
	for _, r := range tr.rows {
		rows = append(rows, r) // in the order of a map: none
	}
	m := manifest{
		SourceBucket: bucket, DestinationBucket: "arn:aws:s3:::" + bucket, Version: "2016-11-30", CreationTimestamp: "1714525200000",
		FileFormat: "CSV", FileSchema: "Bucket, Key, StorageClass, Size, EncryptionStatus, LastModifiedDate, ETag",
	}
	ext := ".csv.gz"
	if format == "parquet" {
		ext, m.FileFormat = ".parquet", "Parquet"
		m.FileSchema = "message s3.inventory {  required binary bucket (UTF8);  required binary key (UTF8);  optional int64 size;  optional int64 last_modified_date (TIMESTAMP_MILLIS);  optional binary e_tag (UTF8);  optional binary storage_class (UTF8);}"
	}
	for i := range files {
		part := rows[i*len(rows)/files : (i+1)*len(rows)/files]
		name := fmt.Sprintf("inv/%s/daily/data/%08d-7d5e-4a1a-a5a1-8f2d8f2d8f2d%s", bucket, i, ext)
		body := s3CSV(t, part)
		if format == "parquet" {
			body = s3Parquet(t, part)
		}
		writeFile(t, filepath.Join(dir, name), body)
		m.Files = append(m.Files, struct {
			Key  string `json:"key"`
			Size int64  `json:"size"`
			MD5  string `json:"MD5checksum"`
		}{name, int64(len(body)), md5Of(body)})
	}
	content, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, dated, "manifest.json"), content)
	writeFile(t, filepath.Join(dir, dated, "manifest.checksum"), []byte(md5Of(content)))
}

func writeFile(t *testing.T, name string, body []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, body, 0o600); err != nil {
		t.Fatal(err)
	}
}

func s3CSV(t *testing.T, rows []row) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for _, r := range rows {
		key := strings.ReplaceAll(url.QueryEscape(r.key), "%2F", "/")
		_, err := fmt.Fprintf(z, "\"%s\",\"%s\",\"%s\",\"%d\",\"SSE-S3\",\"%s\",\"%s\"\n",
			r.bucket, key, r.class, r.size, r.modified.Format("2006-01-02T15:04:05.000Z"), r.etag)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func s3Parquet(t *testing.T, rows []row) []byte {
	t.Helper()
	type object struct {
		Bucket   string    `parquet:"bucket"`
		Key      string    `parquet:"key"`
		Size     int64     `parquet:"size,optional"`
		Modified time.Time `parquet:"last_modified_date,optional,timestamp(millisecond)"`
		ETag     string    `parquet:"e_tag,optional"`
		Class    string    `parquet:"storage_class,optional"`
	}
	objects := make([]object, len(rows))
	for i, r := range rows {
		objects[i] = object{r.bucket, r.key, r.size, r.modified, r.etag, r.class}
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, objects); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// serveFolder serves the files of a folder.
func serveFolder(t *testing.T, dir string, o s3serve.Options) *server {
	t.Helper()
	listing, err := s3serve.Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, listing, o)
}

// An inventory that S3 has made is walked without a LIST, whatever its format and
// ours; the keys are awkward.
func TestS3Inventory(t *testing.T) {
	t.Parallel()
	tr := truthOf(listingOf(t, awkwardKeys()), "")
	for _, theirs := range []string{"csv", "parquet"} {
		dir := t.TempDir()
		writeS3Inventory(t, dir, theirs, tr, 7)
		s := serveFolder(t, dir, s3serve.Options{})
		for _, format := range []string{"csv", "ndjson", "keys", "parquet"} {
			for _, inline := range []string{"0", "1000"} {
				t.Run(theirs+" "+format+" "+inline, func(t *testing.T) {
					t.Parallel()
					u := newUser(t, s.url)
					r := u.run(t, "run", "inventory:s3://bucket/"+dated+"/manifest.json", "--json", "--out", "out", "--format", format, "--inline", inline)
					r.requireCode(t, 0)
					sum := parseSummary(t, r.stdout)
					tr.requireSummary(t, sum)
					if sum.Nodes != 8 || sum.Requests["get"] != 9 || len(sum.Requests) != 1 {
						t.Errorf("%d nodes, requests %v; want 8, and 9 GETs: a manifest, its checksum and 7 files", sum.Nodes, sum.Requests)
					}
					requireInventory(t, u.path("out"), format, tr)
				})
			}
		}
		t.Cleanup(func() {
			if n := s.count(); n > 0 {
				t.Errorf("%d LISTs", n)
			}
		})
	}
}

// What we have written we read again, in any format, exactly.
func TestInventoryOfOurOwn(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	tr := truthOf(listing, "")
	s := serve(t, listing, s3serve.Options{})
	formats := []string{"csv", "ndjson", "parquet"}
	for i, format := range formats {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			u := newUser(t, s.url)
			u.run(t, "run", "s3://bucket/", "--out", "first", "--format", format).requireCode(t, 0)
			again := formats[(i+1)%len(formats)]
			r := u.run(t, "run", "inventory:first", "--run", "r", "--out", "second", "--format", again, "--json", "--by-prefix", "1")
			r.requireCode(t, 0)
			lines := strings.SplitAfter(r.stdout, "\n")
			tr.requireSummary(t, parseSummary(t, lines[len(lines)-2]))
			requireInventory(t, u.path("second"), again, tr)
			// The totals are those of the crawl, to the depth that was asked for.
			crawled := u.run(t, "run", "s3://bucket/", "--json", "--by-prefix", "1")
			crawled.requireCode(t, 0)
			theirs := strings.SplitAfter(crawled.stdout, "\n")
			if mine, want := lines[1:len(lines)-2], theirs[1:len(theirs)-2]; !slices.Equal(mine, want) {
				t.Errorf("totals %s, want %s", mine, want)
			}
			if du := u.run(t, "du", "r", "--depth", "1"); du.code != 0 || strings.Count(du.stdout, "\n") != len(lines)-1 {
				t.Errorf("du: %d %s", du.code, du.stdout)
			}
			streamed := u.run(t, "run", "inventory:first/manifest.json", "--out", "-", "--filter", "/usr/bin/")
			streamed.requireCode(t, 0)
			if n := strings.Count(streamed.stdout, "\n"); n != 2400 {
				t.Errorf("%d keys of usr/bin/", n)
			}
		})
	}
	u := newUser(t, s.url)
	u.run(t, "run", "s3://bucket/", "--out", "keys", "--format", "keys").requireCode(t, 0)
	r := u.run(t, "run", "inventory:keys")
	if r.requireCode(t, 2); !strings.Contains(r.stderr, "its files hold keys and nothing else") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("said %q", r.stderr)
	}
}

// What cannot be walked is said before there is a run, in one line.
func TestInventoryThatIsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeS3Inventory(t, dir, "csv", truthOf(sampleListing(t, 100), ""), 2)
	u := newUser(t, serveFolder(t, dir, s3serve.Options{}).url)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"inventory:s3://bucket/none"}, 2, "get s3://bucket/none/manifest.json: NoSuchKey"},
		{[]string{"inventory:none"}, 2, "open file of inventory: open " + u.path("none")},
		{[]string{"inventory:s3://bucket/" + dated, "--versions"}, 1, "it is of current versions only"},
		{[]string{"inventory:s3://bucket/" + dated, "--node", "prefix"}, 1, "--node"},
		{[]string{"inventory:s3://bucket/" + dated, "--max-rps", "1"}, 1, "--max-rps"},
	} {
		r := u.run(t, append([]string{"run"}, c.args...)...)
		if r.requireCode(t, c.code); !strings.Contains(r.stderr, c.want) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%q: said %q, want %q", c.args, r.stderr, c.want)
		}
	}
	if left := u.stateFiles(t); len(left) > 0 {
		t.Errorf("runs were left: %q", left)
	}
}

// A file that is damaged where it lies fails alone; mended, it is redriven.
func TestInventoryWithADamagedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tr := truthOf(sampleListing(t, 2000), "")
	writeS3Inventory(t, dir, "csv", tr, 4)
	u := newUser(t, serveFolder(t, dir, s3serve.Options{}).url)
	damaged := dir + "/inv/" + bucket + "/daily/data/00000002-7d5e-4a1a-a5a1-8f2d8f2d8f2d.csv.gz"
	whole := readFile(t, damaged)
	bad := bytes.Clone(whole)
	bad[len(bad)/2] ^= 1
	writeFile(t, damaged, bad)
	r := u.run(t, "run", "inventory:s3://bucket/"+dated, "--run", "r", "--out", "out", "--retries", "1", "--json")
	r.requireCode(t, 3)
	if sum := parseSummary(t, r.stdout); sum.Failed != 1 || sum.Totals.Objects != 1500 {
		t.Errorf("summary %+v", sum)
	}
	if failed := u.run(t, "failed", "r"); !strings.Contains(failed.stdout, "its MD5 is "+md5Of(bad)) {
		t.Errorf("failed says %s", failed.stdout)
	}
	writeFile(t, damaged, whole)
	r = u.run(t, "redrive", "r", "--json")
	r.requireCode(t, 0)
	sum := parseSummary(t, r.stdout)
	tr.requireSummary(t, sum)
	requireInventory(t, u.path("out"), "csv", tr)
}

// Killed at any moment, through faults of the server: exact.
func TestKillInventory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tr := truthOf(sampleListing(t, sample.Count), "")
	for _, theirs := range []string{"csv", "parquet"} {
		writeS3Inventory(t, filepath.Join(dir, theirs), theirs, tr, 40)
	}
	for _, test := range []struct{ theirs, inline string }{{"csv", "0"}, {"parquet", "1000"}} {
		t.Run(test.theirs+" "+test.inline, func(t *testing.T) {
			t.Parallel()
			s := serveFolder(t, filepath.Join(dir, test.theirs), s3serve.Options{
				Latency: 60 * time.Millisecond,
				Faults:  s3serve.RandomFaults(3, s3serve.Rates{SlowDown: .03, InternalError: .03, Reset: .03, HalfSent: .1}),
			})
			u := newUser(t, s.url)
			k := newKiller(t, time.Second)
			for i := 0; k.kills < killsPerCase()/2; i++ {
				format := []string{"csv", "parquet", "ndjson"}[i%3]
				v := victim{user: u, name: fmt.Sprint("r", i), out: fmt.Sprint("out", i), args: []string{"--json"}}
				v.command = []string{
					"run", "inventory:s3://bucket/" + dated, "--run", v.name, "--out", v.out, "--format", format,
					"--inline", test.inline, "--concurrency", "2",
				}
				r := v.toTheEnd(t, k, killsPerCase()/2)
				r.requireCode(t, 0)
				tr.requireSummary(t, parseSummary(t, r.stdout))
				requireInventory(t, u.path(v.out), format, tr)
			}
		})
	}
}

// The same from a server that others wrote.
func TestInventoryOnAnotherServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tr := truthOf(listingOf(t, awkwardKeys()), "")
	writeS3Inventory(t, dir, "parquet", tr, 3)
	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body := readFile(t, filepath.Join(dir, name))
		_, err = backend.PutObject(bucket, name, nil, bytes.NewReader(body), int64(len(body)), nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s := serveHandler(t, gofakes3.New(backend).Server())
	u := newUser(t, s.url)
	r := u.run(t, "run", "inventory:s3://bucket/"+dated+"/", "--json", "--out", "out")
	r.requireCode(t, 0)
	tr.requireSummary(t, parseSummary(t, r.stdout))
	requireInventory(t, u.path("out"), "csv", tr)
	if n := s.count(); n > 0 {
		t.Errorf("%d LISTs", n)
	}
}
