package integration

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// stock is a bucket of so many objects, each of another content, and the SHA-256 of
// each by key.
func stock(t *testing.T, n int, before func(w http.ResponseWriter, r *http.Request) bool) (*shop, map[string]string) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for i := range n {
		key, body := fmt.Sprintf("data/%02d/%d & <%d>.txt", i%20, i, i%7), fmt.Sprintf("object %d\n", i)
		if _, err := backend.PutObject(bucket, key, nil, strings.NewReader(body), int64(len(body)), nil); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(body))
		sums[key] = hex.EncodeToString(sum[:])
	}
	inner := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	s := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before == nil || !before(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	return &shop{server: s, t: t, api: s3.New(s3.Options{
		BaseEndpoint: &s.url, Region: "us-east-1", UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})}, sums
}

// hashesOf are the digests in rows of NDJSON by key; a key that comes twice is an error.
func hashesOf(t *testing.T, rows io.Reader, algorithm string) map[string]string {
	t.Helper()
	got := map[string]string{}
	lines := bufio.NewScanner(rows)
	for lines.Scan() {
		var row map[string]any
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		key := row["key"].(string)
		if v, _ := row["versionId"].(string); v != "" {
			key += "#" + v
		}
		if _, twice := got[key]; twice {
			t.Errorf("key %q comes twice", key)
		}
		got[key], _ = row[algorithm].(string)
	}
	return got
}

// hashesIn are those in the results of a run.
func hashesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	var all bytes.Buffer
	for _, f := range readManifest(t, dir).Files {
		all.Write(unzstd(t, readFile(t, dir+"/"+f.Key)))
	}
	return hashesOf(t, &all, "sha256")
}

// Every object has a node, and a row with its digest, however nodes are posted.
func TestEachObjectIsHashed(t *testing.T) {
	t.Parallel()
	const n = 2300
	s, sums := stock(t, n, nil)
	for _, inline := range []string{"1000", "0", "7"} {
		u := newUser(t, s.url)
		r := u.run(t, "run", "s3://bucket/data/", "--each", "s3.hash", "--out", "out", "--inline", inline, "--json")
		r.requireCode(t, 0)
		sum := parseSummary(t, r.stdout)
		if sum.Totals.Objects != n || sum.Totals.Prefixes == nil || *sum.Totals.Prefixes != 20 || sum.Nodes < n || sum.Requests["get"] != n {
			t.Errorf("inline %s: %+v", inline, sum)
		}
		if got := hashesIn(t, u.path("out")); !maps.Equal(got, sums) {
			t.Errorf("inline %s: %d digests of %d are right", inline, len(got), len(sums))
		}
	}
}

// An object that cannot be read fails alone, and is tried again alone.
func TestEachObjectFailsAlone(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	broken.Store(true)
	var gets atomic.Int64
	s, sums := stock(t, 600, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || r.URL.Query().Has("list-type") {
			return false
		}
		gets.Add(1)
		if broken.Load() && strings.Contains(r.URL.Path, "/17 &") {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
			return true
		}
		return false
	})
	u := newUser(t, s.url)
	r := u.run(t, "run", "s3://bucket/", "--each", "s3.hash", "--out", "out", "--run", "r", "--json")
	r.requireCode(t, 3)
	if sum := parseSummary(t, r.stdout); sum.Failed != 1 || sum.Totals.Objects != 600 {
		t.Errorf("%+v", sum)
	}
	requireHas(t, u.run(t, "failed", "r").stdout, "s3://bucket/data/17/17 & <3>.txt")
	const lost = "data/17/17 & <3>.txt"
	want := maps.Clone(sums)
	delete(want, lost)
	if got := hashesIn(t, u.path("out")); !maps.Equal(got, want) {
		t.Errorf("%d rows, want all %d but that of %s", len(got), len(want), lost)
	}
	broken.Store(false)
	before := gets.Load()
	u.run(t, "redrive", "r").requireCode(t, 0)
	if got := hashesIn(t, u.path("out")); !maps.Equal(got, sums) {
		t.Errorf("%d rows after the redrive, want %d", len(got), len(sums))
	}
	if n := gets.Load() - before; n != 1 {
		t.Errorf("%d objects were read again, want the one that failed", n)
	}
}

// An object that changes between its listing and its reading is said to have, and
// nothing of it is taken for the object that was listed.
func TestEachObjectAsItWasListed(t *testing.T) {
	t.Parallel()
	var s *shop
	var once atomic.Bool
	s, sums := stock(t, 30, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && !r.URL.Query().Has("list-type") && once.CompareAndSwap(false, true) {
			s.put(bucket, "data/05/5 & <5>.txt", "another")
		}
		return false
	})
	delete(sums, "data/05/5 & <5>.txt")
	u := newUser(t, s.url)
	r := u.run(t, "run", "s3://bucket/", "--each", "s3.hash", "--out", "out", "--run", "r", "--concurrency", "1")
	r.requireCode(t, 3)
	requireHas(t, u.run(t, "failed", "r").stdout, "it is not the object that was listed: it has changed since")
	if got := hashesIn(t, u.path("out")); !maps.Equal(got, sums) {
		t.Errorf("%d rows, want %d", len(got), len(sums))
	}
}

// Args, filters, versions, several objects a node, and rows on standard output.
func TestEachObjectInOtherWays(t *testing.T) {
	t.Parallel()
	s, _ := stock(t, 40, nil)
	u := newUser(t, s.url)
	r := u.run(t, "run", "s3://bucket/", "--each", `s3.hash={"algorithm":"md5"}`, "--filter", "**/1? *", "--out", "-", "--run", "md5")
	r.requireCode(t, 0)
	if got := hashesOf(t, strings.NewReader(r.stdout), "md5"); len(got) != 10 || got["data/10/10 & <3>.txt"] != md5Of([]byte("object 10\n")) {
		t.Errorf("%v", got)
	}
	if _, err := s.api.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String(bucket), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		t.Fatal(err)
	}
	s.put(bucket, "versions/a", "one")
	s.put(bucket, "versions/a", "two")
	r = u.run(t, "run", "s3://bucket/versions/", "--each", "s3.hash", "--versions", "--out", "-")
	r.requireCode(t, 0)
	digests := map[string]bool{}
	for _, sum := range hashesOf(t, strings.NewReader(r.stdout), "sha256") {
		digests[sum] = true
	}
	for _, body := range []string{"one", "two"} {
		if sum := sha256.Sum256([]byte(body)); !digests[hex.EncodeToString(sum[:])] {
			t.Errorf("the digest of version %q is not among %v", body, digests)
		}
	}
	// A processor that knows nothing of objects refuses what it is told of one.
	r = u.run(t, "run", "s3://bucket/data/", "--each", `synthetic={"bytes":3}`, "--run", "s")
	r.requireCode(t, 3)
	requireHas(t, u.run(t, "failed", "s").stdout, `unknown field "bucket"`)
}

func TestEachRefuses(t *testing.T) {
	t.Parallel()
	s, _ := stock(t, 3, nil)
	u := newUser(t, s.url)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"s3://bucket/", "--each", "s3.hsah"}, `--each: kind "s3.hsah" is not known; want a kind that works on one object, such as s3.hash;`},
		{[]string{"s3://bucket/", "--each", "s3.hash=[1]"}, `--each is "s3.hash=[1]", want KIND or KIND={…}`},
		{[]string{"s3://bucket/", "--each", "s3.crawl"}, "want one that works on objects"},
		{[]string{"s3://bucket/", "--each", `s3.hash={"key":"x"}`}, "want another name"},
		{[]string{"s3://bucket/", "--each", "s3.hash", "--node", "prefix"}, `--node is "prefix"`},
		{[]string{"s3://bucket/", "--each", "s3.hash", "--batch", "1000"}, `batch is "1000"`},
		{[]string{"s3://bucket/", "--batch", "2"}, "--batch is 2, but without --each"},
		{[]string{"s3://bucket/", "--each", "s3.hash", "--out", "out", "--format", "csv"}, "--format is csv, but what nodes of kind s3.objects write is ndjson"},
		{[]string{`{"kind":"synthetic","id":"0"}`, "--each", "s3.hash"}, "is no crawl of a bucket"},
	} {
		r := u.run(t, append([]string{"run"}, c.args...)...)
		r.requireCode(t, 1)
		requireHas(t, r.stderr, c.want)
	}
	if left := u.stateFiles(t); len(left) != 0 {
		t.Errorf("runs that were refused are left: %q", left)
	}
}

// Objects are nodes on a fleet as on one machine.
func TestFleetEachObject(t *testing.T) {
	t.Parallel()
	s, sums := stock(t, 1500, nil)
	c := newCrew(t, s.url).setup(t)
	a, b := c.work(t), c.work(t)
	r := c.run(t, "seed", "s3://bucket/data/", "--each", "s3.hash", "--checksums", "--run", "r", "--out", "s3://bucket/out", "--watch", "--json")
	r.requireCode(t, 0)
	sum := parseSummary(t, r.stdout)
	if sum.State != "finished" || sum.Totals.Objects != 1500 || sum.Nodes < 1500 {
		t.Errorf("%+v", sum)
	}
	if sum.Totals.Digests == nil {
		t.Errorf("no digests in %s", r.stdout)
	}
	var all bytes.Buffer
	list, err := s.api.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String("out/r/data/")})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list.Contents {
		got, err := s.api.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: o.Key})
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(unzstd(t, data))
	}
	if got := hashesOf(t, &all, "sha256"); !maps.Equal(got, sums) {
		t.Errorf("%d digests, want %d", len(got), len(sums))
	}
	// The totals of a fleet's run are compared as those of one machine's.
	d := c.run(t, "diff", "r", "s3://bucket/data/")
	d.requireCode(t, 0)
	requireHas(t, d.stdout, "equal by etag: 1,500 objects")
	s.put(bucket, "data/07/7 & <0>.txt", "another") // here the run's own key is listed as it is now, too
	d = c.run(t, "diff", "r", "s3://bucket/data/", "--json")
	d.requireCode(t, 3)
	if got := parseDifferences(t, d.stdout); !slices.Equal(got.lines, []string{"prefix both", "prefix both 07/"}) {
		t.Errorf("%+v", got)
	}
	d = c.run(t, "diff", "nobody", "r")
	d.requireCode(t, 1)
	requireHas(t, d.stderr, "no run nobody in dynamodb:")
	for _, p := range []*process{a, b} {
		p.signal(t, terminate)
		p.wait(t).requireCode(t, 0)
	}
}
