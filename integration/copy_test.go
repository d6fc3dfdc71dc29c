package integration

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/ramify/ramify/internal/emulator/versitygw"
)

// warehouse is gofakes3 with two buckets, behind a gate that delays and refuses
// copies.
type warehouse struct {
	*server
	backend *s3mem.Backend
	copies  atomic.Int64
	denied  atomic.Bool // keys that end in 7
}

func newWarehouse(t *testing.T, keys int, latency time.Duration) *warehouse {
	t.Helper()
	w := &warehouse{backend: s3mem.New()}
	for _, b := range []string{"from", "to"} {
		if err := w.backend.CreateBucket(b); err != nil {
			t.Fatal(err)
		}
	}
	for i := range keys {
		body := fmt.Sprint("content ", i)
		if _, err := w.backend.PutObject("from", fmt.Sprintf("x/%d/k %d", i%9, i), nil, strings.NewReader(body), int64(len(body)), nil); err != nil {
			t.Fatal(err)
		}
	}
	inner := gofakes3.New(w.backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	w.server = serveHandler(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		time.Sleep(latency)
		if r.Header.Get("X-Amz-Copy-Source") != "" {
			w.copies.Add(1)
			if w.denied.Load() && strings.HasSuffix(r.URL.Path, "7") {
				rw.WriteHeader(http.StatusForbidden)
				fmt.Fprint(rw, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
				return
			}
		}
		inner.ServeHTTP(rw, r)
	}))
	return w
}

// has is how many objects of the destination are as they are to be.
func (w *warehouse) has(t *testing.T, keys int) (right int) {
	t.Helper()
	for i := range keys {
		o, err := w.backend.GetObject("to", fmt.Sprintf("y/%d/k %d", i%9, i), nil)
		if err != nil {
			continue
		}
		if b, err := io.ReadAll(o.Contents); err == nil && string(b) == fmt.Sprint("content ", i) {
			right++
		}
	}
	return right
}

// reportRows are the rows of a report by key, as the manifest names its files.
func reportRows(t *testing.T, dir string) map[string][][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		FileSchema string
		Files      []struct{ Key string }
	}
	if err := json.Unmarshal(text, &m); err != nil || m.FileSchema != "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage" {
		t.Fatalf("manifest %s: %v", text, err)
	}
	rows := map[string][][]string{}
	for _, file := range m.Files {
		z, err := gzip.NewReader(strings.NewReader(string(readFile(t, filepath.Join(dir, file.Key)))))
		if err != nil {
			t.Fatal(err)
		}
		all, err := csv.NewReader(z).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			rows[r[1]] = append(rows[r[1]], r)
		}
	}
	return rows
}

// Killed as often as it takes, a copy ends with all objects there and one row for
// each; another run finds them equal.
func TestCopyKilled(t *testing.T) {
	t.Parallel()
	const keys = 3000
	w := newWarehouse(t, keys, 20*time.Millisecond)
	u := newUser(t, w.url)
	k := newKiller(t, 3*time.Second)
	v := victim{user: u, name: "r", out: "out", command: []string{"run", "s3://from/x/", "--to", "s3://to/y/", "--run", "r", "--out", "out"}, args: []string{"--concurrency", "8", "--json"}}
	r := v.toTheEnd(t, k, killsPerCase())
	r.requireCode(t, 0)
	if sum := parseSummary(t, r.stdout); sum.Totals.Objects != keys || sum.Failed != 0 {
		t.Errorf("summary %+v", sum)
	}
	if n := w.has(t, keys); n != keys {
		t.Errorf("%d of %d objects are there", n, keys)
	}
	rows := reportRows(t, u.path("out"))
	for key, all := range rows {
		if len(all) != 1 || all[0][3] != "succeeded" || all[0][0] != "from" {
			t.Fatalf("rows of %s: %q", key, all)
		}
	}
	if len(rows) != keys {
		t.Errorf("%d rows", len(rows))
	}
	t.Logf("%d kills, %d copies", k.kills, w.copies.Load())
	w.copies.Store(0)
	u.run(t, "run", "s3://from/x/", "--to", "s3://to/y/").requireCode(t, 0)
	if n := w.copies.Load(); n != 0 {
		t.Errorf("%d copies of what was equal", n)
	}
}

// Objects that cannot be copied fail one by one; a redrive copies them.
func TestCopyFailuresAndRedrive(t *testing.T) {
	t.Parallel()
	const keys, bad = 500, 50
	w := newWarehouse(t, keys, 0)
	w.denied.Store(true)
	u := newUser(t, w.url)
	r := u.run(t, "run", "s3://from/x/", "--to", "s3://to/y/", "--run", "r", "--out", "out", "--json")
	r.requireCode(t, 3)
	sum := parseSummary(t, r.stdout)
	if sum.Failed != bad || sum.Totals.Objects != keys-bad || w.has(t, keys) != keys-bad {
		t.Errorf("%d failed, %d objects, %d there", sum.Failed, sum.Totals.Objects, w.has(t, keys))
	}
	failed := 0
	for key, all := range reportRows(t, u.path("out")) {
		if all[0][3] == "failed" {
			failed++
			if all[0][4] != "AccessDenied" || all[0][5] != "403" || !strings.Contains(all[0][6], "allow s3:GetObject") || !strings.HasSuffix(key, "7") {
				t.Fatalf("row %q", all[0])
			}
		}
	}
	if failed != bad {
		t.Errorf("%d rows say failed", failed)
	}
	lines := strings.Split(strings.TrimSpace(u.run(t, "failed", "r", "--json").stdout), "\n")
	if len(lines) != bad || !strings.Contains(lines[0], `"kind":"s3.copy"`) || !strings.Contains(lines[0], `"reason":"copy s3://from/x/`) {
		t.Errorf("%d lines, the first %s", len(lines), lines[0])
	}
	w.denied.Store(false)
	w.copies.Store(0)
	r = u.run(t, "redrive", "r", "--json")
	r.requireCode(t, 0)
	if sum := parseSummary(t, r.stdout); sum.Failed != 0 || sum.Totals.Objects != keys || w.has(t, keys) != keys || w.copies.Load() != bad {
		t.Errorf("redriven: %+v, %d there, %d copies", sum, w.has(t, keys), w.copies.Load())
	}
}

// What makes no sense is refused before there is a run.
func TestCopyUsage(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, 3, 0)
	u := newUser(t, w.url)
	for _, test := range []struct{ args, want string }{
		{"run s3://from/x/ --to s3://from/x/y/", `--to is "s3://from/x/y/", want a place that is not within the source, s3://from/x/`},
		{"run s3://from/x/ --to s3://from/", `--to is "s3://from/", want a place that does not hold the source`},
		{"run s3://from/x/ --to to", `--to is "to", want s3://bucket`},
		{"run s3://from/x/ --dry-run", "--dry-run is for copies: it goes with --to"},
		{"run s3://from/x/ --to s3://to/ --storage-class COLD", `--storage-class is "COLD", want one of STANDARD`},
		{"run s3://from/x/ --to s3://to/ --part-size 1kB", `--part-size is "1000", want 5 MiB to 5 GiB`},
		{"run s3://from/x/ --to s3://to/ --part-size much", `--part-size is "much", want a size`},
		{"run s3://from/x/ --to s3://to/ --versions", "--versions is set"},
		{"run s3://from/x/ --to s3://to/ --out out --format keys", `--format is "keys", but the report`},
		{"run s3://from/x/ --to s3://to/ --out out --columns key", "--columns is"},
		{"run inventory:x --to s3://to/", "--to is"},
		{"run s3://from/x/ --to s3://to/ --to-endpoint there", `--to-endpoint is "there"`},
	} {
		r := u.run(t, strings.Fields(test.args)...)
		r.requireCode(t, 1)
		if !strings.Contains(r.stderr, test.want) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s: %s", test.args, r.stderr)
		}
	}
	r := u.run(t, "run", "s3://from/x/", "--to", "s3://nowhere/")
	r.requireCode(t, 2)
	if !strings.Contains(r.stderr, "destination: list s3://nowhere/: NoSuchBucket") {
		t.Errorf("said %s", r.stderr)
	}
	if files := u.stateFiles(t); len(files) != 0 {
		t.Errorf("left %q", files)
	}
}

// Killed in the middle of a copy in parts, a run that is resumed goes on with the
// parts there are.
func TestCopyInPartsKilled(t *testing.T) {
	t.Parallel()
	to, err := url.Parse(versitygw.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	direct := s3.NewFromConfig(aws.Config{
		Region: versitygw.Region, Credentials: credentials.NewStaticCredentialsProvider(versitygw.AccessKey, versitygw.SecretKey, ""), BaseEndpoint: aws.String(to.String()),
	}, func(o *s3.Options) { o.UsePathStyle = true })
	for _, b := range []string{"from", "too"} {
		if _, err := direct.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &b}); err != nil {
			t.Fatal(err)
		}
	}
	content := bytes.Repeat([]byte("0123456789abcdef"), 42<<16) // 42 MiB: 9 parts
	if _, err := direct.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("from"), Key: aws.String("x/big"), Body: bytes.NewReader(content), Metadata: map[string]string{"who": "me"}}); err != nil {
		t.Fatal(err)
	}
	const before = 4
	var parts, held atomic.Int64
	var open atomic.Bool
	waiting := make(chan struct{}, 100)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}
	s := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("partNumber") && r.Header.Get("X-Amz-Copy-Source") != "" {
			if n := parts.Add(1); !open.Load() && n > before {
				held.Add(1)
				waiting <- struct{}{}
				<-r.Context().Done()
				return
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	u := newUser(t, s.url)
	u.env = append(u.env, "AWS_ACCESS_KEY_ID="+versitygw.AccessKey, "AWS_SECRET_ACCESS_KEY="+versitygw.SecretKey)
	p := u.start(t, "run", "s3://from/x/", "--to", "s3://too/", "--run", "r", "--out", "out", "--multipart-above", "5MiB", "--part-size", "5MiB", "--concurrency", "2")
	for range 2 { // both slots wait: four parts are there
		select {
		case <-waiting:
		case <-time.After(deadline):
			t.Fatalf("no part is waited for: %s", p.stderr)
		}
	}
	p.signal(t, kill)
	p.wait(t)
	open.Store(true)
	parts.Store(0)
	r := u.run(t, "resume", "r", "--json")
	r.requireCode(t, 0)
	if n := parts.Load(); n != 9-before {
		t.Errorf("%d parts were copied after the kill, want %d", n, 9-before)
	}
	if all := reportRows(t, u.path("out"))["x/big"]; len(all) != 1 || !strings.HasSuffix(all[0][6], "; 4 of 9 parts were there from before") {
		t.Errorf("rows %q", all)
	}
	o, err := direct.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("too"), Key: aws.String("big")})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	got, err := io.ReadAll(o.Body)
	if err != nil || md5.Sum(got) != md5.Sum(content) || o.Metadata["who"] != "me" {
		t.Errorf("%d bytes, %v, %v", len(got), err, o.Metadata)
	}
	left, err := direct.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String("too")})
	if err != nil || len(left.Uploads) != 0 {
		t.Errorf("%d uploads are left, %v", len(left.Uploads), err)
	}
}

// A fleet copies as one machine does, and writes the report into a bucket.
func TestFleetCopies(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetSettings{latency: 2 * time.Millisecond, env: []string{"RAMIFY_CONCURRENCY=8"}})
	copied := "copied" + f.key()
	if err := f.depot.backend.CreateBucket(copied); err != nil {
		t.Fatal(err)
	}
	const below = "etc/a"
	want := map[string]bool{}
	for _, key := range f.depot.keys {
		if strings.HasPrefix(key, below) {
			want[strings.TrimPrefix(key, "etc/")] = true
		}
	}
	f.grow(t, 3)
	p := f.seed(t, "r", "s3://"+bucket+"/"+below, "--to", "s3://"+copied+"/y/", "--out", "s3://"+results, "--format", "ndjson")
	f.awaitEnd(t, p).requireCode(t, 0)
	got, err := f.depot.backend.ListBucket(copied, nil, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range got.Contents {
		delete(want, strings.TrimPrefix(o.Key, "y/"))
	}
	if len(want) != 0 || len(got.Contents) < 100 {
		t.Errorf("%d objects are there, %d are missing", len(got.Contents), len(want))
	}
	if sum := parseSummary(t, f.run(t, "status", "r", "--json").stdout); sum.Totals.Objects != int64(len(got.Contents)) || sum.Failed != 0 {
		t.Errorf("summary %+v, %d objects", sum, len(got.Contents))
	}
}

// What the page about copies shows can be typed.
func TestCopyPage(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, 20, 0)
	if _, err := w.backend.PutObject("from", "x/a.csv", nil, strings.NewReader("1,2"), 3, nil); err != nil {
		t.Fatal(err)
	}
	page := string(readFile(t, filepath.Join("..", "docs", "processors", "s3copy.md")))
	blocks, ran := regexp.MustCompile("```(?:sh)?\n").Split(page, -1), 0
	said := map[string]string{}
	for i := 1; i < len(blocks); i += 2 {
		words, is := strings.CutPrefix(blocks[i], "ramify ")
		if !is {
			continue
		}
		try(strings.Split(blocks[i], "\n")...)
		u := newUser(t, w.url)
		sh := exec.CommandContext(t.Context(), "sh", "-c", binary+" "+words)
		sh.Dir, sh.Env = u.dir, u.env
		var stderr strings.Builder
		sh.Stderr = &stderr
		out, err := sh.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", blocks[i], err, stderr.String())
		}
		said[words] = string(out)
		if ran++; ran == 1 && w.has(t, 20) != 20 {
			t.Errorf("%s: %d objects are there", blocks[i], w.has(t, 20))
		}
	}
	if ran != 3 {
		t.Errorf("ran %d commands", ran)
	}
	for words, out := range said {
		if strings.Contains(words, "--dry-run") && out != `"from","x/a.csv","","succeeded","","200","equal: not copied"`+"\n" {
			t.Errorf("%s said %s", words, out)
		}
	}
}
