package s3crawl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/s3crawl/listxml"
	"github.com/ramify/ramify/s3serve"
)

var withVersions = map[string]string{listing.ParamVersions: "true"}

// versioned is a lister over versions, by key and the newest first. Their sizes
// are random, so that the sum tells which were listed.
type versioned struct {
	rows    []inventory.Object
	perPage int
	calls   atomic.Int64
	fault   func(n int64) error
}

func versionsOf(keys []string, r *rand.Rand) *versioned {
	v := &versioned{perPage: pageKeys}
	for _, k := range keys {
		n := 1 + r.IntN(5)
		for i := range n {
			v.rows = append(v.rows, inventory.Object{
				Key: k, Size: r.Int64N(1 << 40), VersionID: fmt.Sprint(n - i), IsLatest: i == 0, IsDeleteMarker: r.IntN(4) == 0,
			})
		}
	}
	return v
}

// List implements Lister.
func (v *versioned) List(_ context.Context, q Query) (Page, error) {
	if !q.Versions || q.Token != "" || q.Mark != "" && q.After == "" {
		return Page{}, errors.New("not a query for versions")
	}
	if n := v.calls.Add(1); v.fault != nil {
		if err := v.fault(n); err != nil {
			return Page{}, err
		}
	}
	pg := &listxml.Page{SaysTruncated: true}
	i := sort.Search(len(v.rows), func(i int) bool { return v.rows[i].Key >= max(q.After, q.Prefix) })
	skip := ""
	if q.Delimiter != "" && strings.HasPrefix(q.After, q.Prefix) && strings.HasSuffix(q.After, "/") && q.Mark == "" && q.After != q.Prefix {
		skip = q.After // a common prefix
	}
	for passed := q.Mark == ""; i < len(v.rows) && (v.rows[i].Key == q.After || skip != "" && strings.HasPrefix(v.rows[i].Key, skip)); i++ {
		if q.Mark != "" && passed {
			break
		}
		passed = passed || v.rows[i].VersionID == q.Mark
	}
	for n := 0; i < len(v.rows) && strings.HasPrefix(v.rows[i].Key, q.Prefix); n++ {
		o := v.rows[i]
		if n == v.perPage {
			pg.IsTruncated = true
			break
		}
		if at := strings.Index(o.Key[len(q.Prefix):], "/"); q.Delimiter != "" && at >= 0 {
			common := o.Key[:len(q.Prefix)+at+1]
			pg.Prefixes = append(pg.Prefixes, common)
			pg.NextKeyMarker, pg.NextVersionIDMarker = common, ""
			for i < len(v.rows) && strings.HasPrefix(v.rows[i].Key, common) {
				i++
			}
			continue
		}
		pg.Objects = append(pg.Objects, o)
		pg.NextKeyMarker, pg.NextVersionIDMarker = o.Key, o.VersionID
		i++
	}
	if err := check(&q, pg); err != nil {
		return Page{}, err
	}
	return pageOf(pg), nil
}

// check holds a walk against what there is below a prefix.
func (v *versioned) check(t interface {
	Fatalf(string, ...any)
	Helper()
}, w *walk, prefix string,
) {
	t.Helper()
	var keys []string
	bytes := int64(0)
	for _, o := range v.rows {
		if strings.HasPrefix(o.Key, prefix) {
			keys, bytes = append(keys, o.Key), bytes+o.Size
		}
	}
	slices.Sort(w.keys)
	if !slices.Equal(w.keys, keys) || w.objects != int64(len(keys)) || w.bytes != bytes {
		t.Fatalf("listed %d rows of %d bytes, want %d of %d", len(w.keys), w.bytes, len(keys), bytes)
	}
	want := truthOf(newBucket(keys...), prefix, 0).prefixes
	if got := w.totals.Sum().Prefixes; got != want {
		t.Fatalf("counted %d prefixes, want %d", got, want)
	}
}

// Pages may end within a key, and so may units: no version is lost or repeated,
// whatever is cut, handed on or tried again.
func TestEveryVersionIsListedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		v := versionsOf(drawKeys(t, 40), r)
		v.perPage = rapid.IntRange(1, 4).Draw(t, "per page")
		faults := rapid.IntRange(0, 1).Draw(t, "faults")
		v.fault = func(n int64) error {
			if faults > 0 && n%7 == 0 {
				return errors.New("reset")
			}
			return nil
		}
		prefix := rapid.SampledFrom([]string{"", "", "a", "/", "a/", "kk"}).Draw(t, "prefix")
		dues := rapid.SliceOfN(rapid.SampledFrom([]processor.Due{
			processor.NotDue, processor.NotDue, processor.Checkpoint, processor.Share, processor.Stop,
		}), 1, 20).Draw(t, "dues")
		var asked atomic.Int64
		w := &walk{
			slots: rapid.IntRange(1, 6).Draw(t, "slots"), retries: 20, params: withVersions, topTotals: 1000,
			due: func(int) processor.Due { return dues[int(asked.Add(1))%len(dues)] },
		}
		mustWalkWith(t, w, withChaos(v, r.Uint64()), Root("b", prefix, Range))
		v.check(t, w, prefix)
	})
}

// One node per prefix finds the same versions.
func TestModePrefixListsEveryVersionOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := versionsOf(drawKeys(t, 40), rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
		v.perPage = rapid.IntRange(1, 4).Draw(t, "per page")
		w := &walk{slots: 1, params: withVersions}
		mustWalkWith(t, w, New(Options{Lister: v}), Root("b", "", Prefix))
		v.check(t, w, "")
	})
}

// A key with more versions than a page holds, in the middle of others.
func TestKeyWithManyVersions(t *testing.T) {
	v := versionsOf([]string{"a", "m", "z"}, rand.New(rand.NewPCG(1, 2)))
	for i := range 5000 {
		v.rows = append(v.rows, inventory.Object{Key: "n", Size: int64(i) << 20, VersionID: fmt.Sprint(5000 - i)})
	}
	sort.SliceStable(v.rows, func(i, j int) bool { return v.rows[i].Key < v.rows[j].Key })
	w := &walk{slots: 8, params: withVersions, due: func(n int) processor.Due { return processor.Due(n % 3) }}
	mustWalkWith(t, w, New(Options{Lister: v}), Root("b", "", Range))
	v.check(t, w, "")
}

// Through the wire, with faults: what the server holds is listed once.
func TestVersionsOfAServer(t *testing.T) {
	var keys []string
	for i := range 1500 {
		keys = append(keys, fmt.Sprintf("%s/%s%d", awkward[i%19], awkward[i%31], i))
	}
	slices.Sort(keys)
	v := versionsOf(keys, rand.New(rand.NewPCG(3, 4)))
	all := make([]s3serve.Version, len(v.rows))
	for i := range v.rows {
		o := &v.rows[i]
		if o.IsDeleteMarker {
			o.Size = 0
		}
		all[i] = s3serve.Version{Object: s3serve.Object{Key: o.Key, Size: o.Size}, ID: o.VersionID, DeleteMarker: o.IsDeleteMarker}
	}
	listing, err := s3serve.FromVersions(all)
	if err != nil {
		t.Fatal(err)
	}
	h := s3serve.New(s3serve.Options{
		Buckets: map[string]*s3serve.Listing{"b": listing},
		Faults:  s3serve.RandomFaults(7, s3serve.Rates{SlowDown: .04, InternalError: .04, Reset: .04, HalfSent: .04, TruncatedXML: .04}),
	})
	c := clientOf(t, server(t, h))
	for _, mode := range []Mode{Range, Prefix} {
		for _, prefix := range []string{"", "a"} {
			before := h.Counts().List
			w := &walk{slots: 4, retries: 2, params: withVersions}
			mustWalkWith(t, w, New(Options{Lister: c}), Root("b", prefix, mode))
			v.check(t, w, prefix)
			if got := h.Counts().List - before; w.requests != got {
				t.Errorf("mode %s: counted %d requests, the server %d", mode, w.requests, got)
			}
		}
	}
	pg, err := c.List(t.Context(), Query{Bucket: "b", Versions: true})
	if err != nil || !pg.Objects[0].IsLatest || pg.Objects[0].VersionID != v.rows[0].VersionID || pg.Objects[0].IsDeleteMarker != v.rows[0].IsDeleteMarker {
		t.Errorf("%+v, %v", pg.Objects[0], err)
	}
}

// A server that we did not write. It takes a key marker for the first key to
// list, not the last one listed as S3 does, so its answer must fit on a page.
func TestVersionsOfGofakes3(t *testing.T) {
	backend := s3mem.New()
	url := server(t, gofakes3.New(backend).Server())
	if err := backend.CreateBucket("b"); err != nil {
		t.Fatal(err)
	}
	if err := backend.SetVersioningConfiguration("b", gofakes3.VersioningConfiguration{Status: gofakes3.VersioningEnabled}); err != nil {
		t.Fatal(err)
	}
	v := &versioned{}
	for i := range 200 {
		k := fmt.Sprintf("dir%d/%03d", i/50, i)
		for n := range 1 + i%3 {
			body := strings.Repeat("x", i+n)
			if _, err := backend.PutObject("b", k, nil, strings.NewReader(body), int64(len(body)), nil); err != nil {
				t.Fatal(err)
			}
			v.rows = append(v.rows, inventory.Object{Key: k, Size: int64(len(body))})
		}
		if i%5 == 0 {
			if _, err := backend.DeleteObject("b", k); err != nil {
				t.Fatal(err)
			}
			v.rows = append(v.rows, inventory.Object{Key: k})
		}
	}
	for _, prefix := range []string{"", "dir1/"} {
		w := &walk{slots: 4, params: withVersions}
		mustWalkWith(t, w, New(Options{Lister: clientOf(t, url)}), Root("b", prefix, Range))
		v.check(t, w, prefix)
	}
}

// What a listing of versions must keep to.
func TestBadPagesOfVersions(t *testing.T) {
	version := func(key, id string) string {
		return "<Version><Key>" + key + "</Key><VersionId>" + id + "</VersionId></Version>"
	}
	const last, more = "<IsTruncated>false</IsTruncated>", "<IsTruncated>true</IsTruncated>"
	for body, want := range map[string]string{
		last + version("k", "1") + version("k", "2") + version("l", "2"):       "",
		last + version("k", "1") + "<DeleteMarker><Key>k</Key></DeleteMarker>": "",
		more + version("k", "1"):                     "",
		version("k", "1"):                            "does not say",
		last + version("k", "1") + version("k", "1"): "comes twice",
		last + version("k", "1") + version("j", "1"): "not in the order",
		last + version("a", "v"):                     "comes twice",
		more + version("k", ""):                      "no version to go on from",
		more:                                         "no key to go on from",
		more + "<NextKeyMarker>a</NextKeyMarker>":    "no key to go on from",
		more + "<NextKeyMarker>A</NextKeyMarker>":    "no key to go on from",
		more + "<NextKeyMarker>b</NextKeyMarker>":    "",
	} {
		c, _ := canned(t, "<ListVersionsResult>"+body+"</ListVersionsResult>")
		_, err := c.List(t.Context(), Query{Bucket: "b", Versions: true, After: "a", Mark: "v"})
		if (err == nil) != (want == "") || want != "" && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// What listxml is in doubt of, the SDK reads, and in the order that it was in.
func TestDoubtsOfVersionsAreLeftToTheSDK(t *testing.T) {
	at := func(kind, key, id, day string) string {
		return "<" + kind + "><Key>" + key + "</Key><VersionId>" + id + "</VersionId><LastModified>2024-01-" + day + "T00:00:00Z</LastModified></" + kind + ">"
	}
	c, _ := canned(t, "<!DOCTYPE x><ListVersionsResult><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType><NextKeyMarker>l+1</NextKeyMarker><NextVersionIdMarker>8</NextVersionIdMarker>"+
		at("Version", "k", "1", "09")+at("DeleteMarker", "k", "2", "08")+at("Version", "k", "3", "07")+at("DeleteMarker", "l+1", "8", "01")+"</ListVersionsResult>")
	pg, err := c.List(t.Context(), Query{Bucket: "b", Versions: true})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, o := range pg.Objects {
		got += fmt.Sprint(o.Key, o.VersionID, o.IsDeleteMarker, " ")
	}
	if got != "k1false k2true k3false l 18true " || pg.After != "l 1" || pg.Mark != "8" {
		t.Errorf("got %s, then %q %q", got, pg.After, pg.Mark)
	}
}

// The way out names the right that versions need.
func TestVersionsDenied(t *testing.T) {
	c := clientOf(t, server(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<Error><Code>AccessDenied</Code><Message>No.</Message></Error>`)
	})))
	err := c.Check(t.Context(), Query{Bucket: "b", Versions: true})
	if err == nil || !strings.Contains(err.Error(), "s3:ListBucketVersions on arn:aws:s3:::b ") || !processor.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
}

func TestSpansWithMarks(t *testing.T) {
	for raw, ok := range map[string]bool{
		`[{"after":"k","until":"k","mark":"1"},{"after":"k","until":""}]`:                           true,
		`[{"after":"k","until":""},{"after":"k","until":"k","mark":"1"}]`:                           true,
		`[{"after":"a","until":"k"},{"after":"k","until":"","mark":"1"}]`:                           false,
		`[{"after":"k","until":"k"}]`:                                                               false,
		`[{"after":"k","until":"l","mark":"1"},{"after":"k","until":"l"}]`:                          false,
		`[{"after":"k","until":"k","mark":"1"},{"after":"k","until":"k","mark":"2"}]`:               false,
		`[{"after":"a","until":"b"},{"after":"b","until":"b"},{"after":"b","until":"c"}]`:           false,
		`[{"after":"a","until":"b","mark":"1"},{"after":"b","until":"c"},{"after":"c","until":""}]`: true,
	} {
		if _, err := parseArgs([]byte(`{"bucket":"b","ranges":` + raw + `}`)); (err == nil) != ok {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
