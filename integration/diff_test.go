package integration

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/ramify/ramify/s3serve"
)

// shop is an S3 server of other people's with buckets to put things in.
type shop struct {
	*server
	t   *testing.T
	api *s3.Client
}

func openShop(t *testing.T, buckets ...string) *shop {
	t.Helper()
	backend := s3mem.New()
	for _, b := range buckets {
		if err := backend.CreateBucket(b); err != nil {
			t.Fatal(err)
		}
	}
	s := serveHandler(t, gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	return &shop{server: s, t: t, api: s3.New(s3.Options{
		BaseEndpoint: &s.url, Region: "us-east-1", UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})}
}

func (s *shop) put(bucket, key, body string) {
	s.t.Helper()
	if _, err := s.api.PutObject(s.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)}); err != nil {
		s.t.Fatal(err)
	}
}

// copyAll copies what is in one bucket below a prefix of another.
func (s *shop) copyAll(from, to, prefix string) {
	s.t.Helper()
	pages := s3.NewListObjectsV2Paginator(s.api, &s3.ListObjectsV2Input{Bucket: &from})
	for pages.HasMorePages() {
		page, err := pages.NextPage(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		for _, o := range page.Contents {
			if _, err := s.api.CopyObject(s.t.Context(), &s3.CopyObjectInput{
				Bucket: &to, Key: aws.String(prefix + *o.Key), CopySource: aws.String(from + "/" + *o.Key),
			}); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// differences are the lines of diff --json, the last of which is its result.
type differences struct {
	lines []string // type, place and name
	end   struct {
		Equal        bool
		Keys         int64
		Prefixes     int64
		A, B         struct{ Objects, Bytes int64 }
		Compare      string
		Type, Reason string
	}
}

func parseDifferences(t *testing.T, stdout string) (d differences) {
	t.Helper()
	all := slices.Collect(strings.Lines(stdout))
	for i, line := range all {
		if i == len(all)-1 {
			if err := json.Unmarshal([]byte(line), &d.end); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			break
		}
		var l struct{ Type, In, Name, Why string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		d.lines = append(d.lines, strings.TrimSpace(l.Type+" "+l.In+" "+l.Name+" "+l.Why))
	}
	return d
}

// A copy is proven equal to its source; what is changed in it then is found, and
// nothing else.
func TestDiffOfACopy(t *testing.T) {
	s := openShop(t, "source", "vault")
	for i := range 1200 {
		s.put("source", fmt.Sprintf("%02d/%d/file %d", i%12, i%7, i), strings.Repeat("x", i%50))
	}
	s.copyAll("source", "vault", "2026/")
	u := newUser(t, s.url)

	equal := u.run(t, "diff", "s3://source/", "s3://vault/2026/", "--json", "--run", "nightly")
	equal.requireCode(t, 0)
	if d := parseDifferences(t, equal.stdout); !d.end.Equal || len(d.lines) != 0 || d.end.A.Objects != 1200 || d.end.A != d.end.B {
		t.Errorf("%+v", d)
	}
	lists := s.count()
	r := u.run(t, "diff", "nightly-a", "nightly-b")
	r.requireCode(t, 0)
	requireHas(t, r.stdout, "equal by etag: 1,200 objects")
	if n := s.count() - lists; n != 0 {
		t.Errorf("%d LISTs to compare runs that were made and are equal, want none", n)
	}

	s.put("vault", "2026/03/1/file 15", "X") // of one byte more
	s.put("vault", "2026/new/file", "new")
	if _, err := s.api.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("vault"), Key: aws.String("2026/05/3/file 17")}); err != nil {
		t.Fatal(err)
	}
	s.put("vault", "2026/07/5/file 19", strings.Repeat("y", 19)) // another content of the same size
	r = u.run(t, "run", "s3://vault/2026/", "--checksums", "--run", "later", "--json")
	r.requireCode(t, 0)
	lists = s.count()
	r = u.run(t, "diff", "nightly-a", "later", "--json")
	r.requireCode(t, 3)
	want := []string{
		"prefix both", "prefix both 03/", "prefix both 03/1/", "key both 03/1/file 15 size",
		"prefix both 05/", "prefix both 05/3/", "key a 05/3/file 17",
		"prefix both 07/", "prefix both 07/5/", "key both 07/5/file 19 etag",
		"prefix b new/", "key b new/file",
	}
	if d := parseDifferences(t, r.stdout); !slices.Equal(d.lines, want) || d.end.Equal || d.end.Keys != 4 || d.end.Prefixes != 8 {
		t.Errorf("%+v, want %q", d, want)
	}
	// Two folders were listed in both, the deleted key's in both, and the new one in one.
	if n := s.count() - lists; n != 7 {
		t.Errorf("%d LISTs for the keys of four folders, want 7", n)
	}
	r = u.run(t, "diff", "nightly-a", "later", "--compare", "size", "--no-keys")
	r.requireCode(t, 3)
	if strings.Contains(r.stdout, "07/") || !strings.Contains(r.stdout, "only in B  new/  1 object, 3 B") || !strings.Contains(r.stdout, "differs    05/3/") {
		t.Errorf("by size: %s", r.stdout)
	}
	if left := u.stateFiles(t); len(left) != 3 {
		t.Errorf("the runs that were named are kept, and no others: %q", left)
	}
}

// What a run copied is proven equal to its source, and what was missed is found.
func TestDiffOfWhatARunCopied(t *testing.T) {
	t.Parallel()
	s := openShop(t, "source", "vault")
	for i := range 300 {
		s.put("source", fmt.Sprintf("%02d/file %d", i%12, i), strings.Repeat("x", i%50))
	}
	u := newUser(t, s.url)
	u.run(t, "run", "s3://source/", "--to", "s3://vault/2026/", "--checksums", "--run", "copy").requireCode(t, 0)
	r := u.run(t, "diff", "copy", "s3://vault/2026/")
	r.requireCode(t, 0)
	requireHas(t, r.stdout, "equal by etag: 300 objects")
	if _, err := s.api.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("vault"), Key: aws.String("2026/05/file 17")}); err != nil {
		t.Fatal(err)
	}
	r = u.run(t, "diff", "copy", "s3://vault/2026/", "--json")
	r.requireCode(t, 3)
	if d := parseDifferences(t, r.stdout); !slices.Equal(d.lines, []string{"prefix both", "prefix both 05/", "key a 05/file 17"}) {
		t.Errorf("%+v", d)
	}
}

// ETags that tell parts, too, are said to be so, with the way to know more.
func TestDiffOfParts(t *testing.T) {
	l, err := s3serve.FromObjects([]s3serve.Object{
		{Key: "a/big", Size: 7, ETag: "0123456789abcdef0123456789abcdef-2"}, {Key: "b/big", Size: 7, ETag: "0123456789abcdef0123456789abcdef-3"},
		{Key: "a/small", Size: 1, ETag: "1"}, {Key: "b/small", Size: 1, ETag: "2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, l, s3serve.Options{})
	u := newUser(t, s.url)
	r := u.run(t, "diff", "s3://"+bucket+"/a/", "s3://"+bucket+"/b/")
	r.requireCode(t, 3)
	requireHas(t, r.stdout, "differs    big  etag of parts\n")
	requireHas(t, r.stdout, "differs    small  etag\n")
	requireHas(t, r.stdout, "--compare checksum")
	u.run(t, "diff", "s3://"+bucket+"/a/", "s3://"+bucket+"/b/", "--compare", "size").requireCode(t, 0)
	if left := u.stateFiles(t); len(left) != 0 {
		t.Errorf("crawls that nobody named are left: %q", left)
	}
}

func TestDiffRefuses(t *testing.T) {
	s := serve(t, sampleListing(t, 30), s3serve.Options{})
	u := newUser(t, s.url)
	u.run(t, "run", "s3://"+bucket+"/", "--run", "plain").requireCode(t, 0)
	u.run(t, "run", `{"kind":"synthetic","id":"0"}`, "--run", "synthetic").requireCode(t, 0)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"plain", "plain"}, "run plain has no digests to compare by: it was made without --checksums"},
		{[]string{"synthetic", "plain"}, "run synthetic cannot be compared"},
		{[]string{"nobody", "plain"}, "no run nobody in"},
		{[]string{"plain", "plain", "--compare", "mtime"}, `--compare is "mtime", want size, etag, checksum or content`},
		{[]string{"plain", "plain", "--compare", "checksum", "--no-keys"}, "--no-keys is set"},
		{[]string{"plain", "plain", "--run", "x"}, `--run is "x"`},
		{[]string{"plain", "plain", "--filter", "*"}, `--filter is "*"`},
		{[]string{`{"kind":"synthetic","id":"0"}`, "plain"}, "cannot be compared"},
		{[]string{"plain", "plain", "--concurrency", "0"}, "--concurrency is 0"},
	} {
		r := u.run(t, append([]string{"diff"}, c.args...)...)
		r.requireCode(t, 1)
		requireHas(t, r.stderr, c.want)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"s3://" + bucket + "/", "--checksums", "--versions"}, "--checksums is set, and so is --versions"},
		{[]string{`{"kind":"synthetic","id":"0"}`, "--checksums"}, "--checksums is set, but nodes of kind synthetic find no objects"},
	} {
		r := u.run(t, append([]string{"run"}, c.args...)...)
		r.requireCode(t, 1)
		requireHas(t, r.stderr, c.want)
	}
}

// Digests stand in what du and status say, and only where they were asked for.
func TestChecksumsAreShown(t *testing.T) {
	s := serve(t, sampleListing(t, 500), s3serve.Options{})
	u := newUser(t, s.url)
	type line struct {
		Prefix  string
		Digests *struct{ Size, ETag string }
		Totals  struct {
			Digests *struct{ Size, ETag string }
		}
	}
	read := func(text string) (l line) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return l
	}
	u.run(t, "run", "s3://"+bucket+"/", "--run", "plain").requireCode(t, 0)
	u.run(t, "run", "s3://"+bucket+"/", "--run", "sums", "--checksums").requireCode(t, 0)
	u.run(t, "run", "s3://"+bucket+"/", "--run", "nodes", "--checksums", "--node", "prefix", "--inline", "0").requireCode(t, 0)
	var whole string
	for _, run := range []string{"plain", "sums", "nodes"} {
		status := read(u.run(t, "status", run, "--json").stdout)
		du := u.run(t, "du", run, "--json").stdout
		if run == "plain" {
			if status.Totals.Digests != nil || strings.Contains(du, "digest") {
				t.Errorf("digests that nobody asked for: %+v, %s", status, du)
			}
			continue
		}
		first := read(strings.SplitAfter(du, "\n")[0])
		if status.Totals.Digests == nil || first.Digests == nil || *status.Totals.Digests != *first.Digests || len(first.Digests.ETag) != 64 {
			t.Errorf("%s: %+v and %+v", run, status, first)
		}
		if whole == "" {
			whole = du
		}
		if du != whole {
			t.Errorf("the digests depend on how the tree was walked: %s, want %s", du, whole)
		}
		requireHas(t, u.run(t, "du", run).stdout, first.Digests.ETag[:16])
	}
	// An inventory has the digests of what it lists, and one without ETags none.
	all := "s3://" + bucket + "/"
	u.run(t, "run", all, "--out", "inv", "--run", "inv").requireCode(t, 0)
	u.run(t, "run", "inventory:inv", "--checksums", "--run", "listed").requireCode(t, 0)
	u.run(t, "diff", "listed", "sums").requireCode(t, 0)
	u.run(t, "run", all, "--out", "bare", "--columns", "key,size", "--run", "bare").requireCode(t, 0)
	r := u.run(t, "run", "inventory:bare", "--checksums")
	r.requireCode(t, 1)
	requireHas(t, r.stderr, "of which digests are made (--checksums)")
}

func requireHas(t *testing.T, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%q is not in\n%s", want, shortened(got))
	}
}
