package s3inventory

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/filter"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/totals"
)

// bucket is a server of objects that can be spoiled.
type bucket struct {
	mu      sync.Mutex
	objects map[string][]byte
	asked   map[string]int
	fault   func(key string, n int) ([]byte, error) // of the n-th request for a key
}

func (b *bucket) put(key string, body []byte) {
	if b.objects == nil {
		b.objects, b.asked = map[string][]byte{}, map[string]int{}
	}
	b.objects[key] = body
}

// Get implements Getter.
func (b *bucket) Get(_ context.Context, name, key string, w io.Writer, count func(int64)) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked[key]++
	if count != nil {
		count(1)
	}
	if b.fault != nil {
		if body, err := b.fault(key, b.asked[key]); err != nil {
			return false, err
		} else if body != nil {
			_, err := w.Write(body)
			return false, err
		}
	}
	body, ok := b.objects[key]
	if name != "dest" || !ok {
		return true, fmt.Errorf("get s3://%s/%s: %w", name, key, fs.ErrNotExist)
	}
	_, err := w.Write(body)
	return false, err
}

func md5Of(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// genuine is an inventory as S3 lays it out: "Amazon S3 User Guide", "Locating
// your inventory list". Keys are URL-encoded, columns in an order of their own.
type genuine struct {
	bucket
	files []inventory.File
}

const (
	manifestKey = "inv/src/daily/2024-05-01T01-00Z/manifest.json"
	manifestURL = "s3://dest/" + manifestKey
)

func (g *genuine) add(name string, body []byte) {
	key := "inv/src/daily/data/" + name
	g.put(key, body)
	g.files = append(g.files, inventory.File{Key: key, Size: int64(len(body)), MD5: md5Of(body)})
}

func (g *genuine) manifest(t *testing.T, format, schema string) {
	t.Helper()
	content, err := json.Marshal(inventory.Manifest{
		SourceBucket: "src", DestinationBucket: "arn:aws:s3:::dest", Version: "2016-11-30",
		CreationTimestamp: "1714525200000", FileFormat: format, FileSchema: schema, Files: g.files,
	})
	require.NoError(t, err)
	g.put(manifestKey, content)
	g.put(strings.TrimSuffix(manifestKey, "json")+"checksum", []byte(md5Of(content)+"\n"))
}

// walk walks an inventory, and gives its rows as NDJSON.
func walk(t *testing.T, from Getter, at string, params map[string]string) (*processortest.Tree, []inventory.Object) {
	t.Helper()
	v, err := Open(t.Context(), from, at)
	require.NoError(t, err)
	if params == nil {
		params = map[string]string{}
	}
	params[listing.ParamFormat], params[listing.ParamColumns] = "ndjson", inventory.VersionColumns.String()
	root := v.Root()
	tree, err := processortest.Walker{Set: processor.Set{Kind: New(Options{Getter: from, Files: true, Dir: t.TempDir()})}, Retries: 4}.
		Walk(t.Context(), processor.Node{Kind: Kind, ID: root.ID, Args: root.Args, Params: params})
	require.NoError(t, err)
	var rows []inventory.Object
	for o, err := range inventory.NDJSON.With(inventory.VersionColumns).Read(bytes.NewReader(tree.Streams[sink.Rows].Bytes())) {
		require.NoError(t, err)
		rows = append(rows, o)
	}
	slices.SortFunc(rows, func(a, b inventory.Object) int { return strings.Compare(a.Key+a.VersionID, b.Key+b.VersionID) })
	return tree, rows
}

// lines are the totals per prefix of a walk, and their number.
func lines(t *testing.T, tree *processortest.Tree) (map[string]totals.Line, int64) {
	t.Helper()
	blocks := slices.Clone(tree.Streams[sink.Prefixes].Blocks)
	slices.SortFunc(blocks, bytes.Compare)
	m := totals.Merge(func(yield func([]byte, error) bool) {
		for _, b := range blocks {
			if !yield(b, nil) {
				return
			}
		}
	})
	all := map[string]totals.Line{}
	for l, err := range m.Lines() {
		require.NoError(t, err)
		all[l.Prefix] = l
	}
	return all, m.Prefixes()
}

const versionSchema = "Bucket, Key, StorageClass, VersionId, IsLatest, IsDeleteMarker, Size, ObjectOwner, LastModifiedDate, ETag"

// versioned has keys in no order, in two files.
func versioned(t *testing.T) *genuine {
	g := &genuine{}
	g.add("a.csv.gz", inventory.CSV.Pack(nil, []byte(
		`"src","x/y/b+c%2Bd%22%0A.txt","STANDARD","v2","true","false","20","me","2024-04-30T10:00:00.000Z","e1"
"src","x/y/b+c%2Bd%22%0A.txt","STANDARD","v1","false","false","7","me","2024-04-29T10:00:00.000Z","e0"
"src","x/gone","","v9","true","true","","me","2024-04-28T10:00:00.000Z",""
`)))
	g.add("b.csv.gz", inventory.CSV.Pack(nil, []byte(
		`"src","x/a/1","GLACIER","null","true","false","5","","2024-04-30T11:00:00.000Z","e2"
"src","top","STANDARD","null","true","false","0","","2024-04-30T12:00:00.000Z","e3"
`)))
	g.manifest(t, "CSV", versionSchema)
	return g
}

func TestInventoryOfS3(t *testing.T) {
	g := versioned(t)
	tree, rows := walk(t, g, manifestURL, nil)
	at := func(d, h int) time.Time { return time.Date(2024, 4, d, h, 0, 0, 0, time.UTC) }
	current := []inventory.Object{
		{Bucket: "src", Key: "top", StorageClass: "STANDARD", VersionID: "null", IsLatest: true, LastModified: at(30, 12), ETag: "e3"},
		{Bucket: "src", Key: "x/a/1", StorageClass: "GLACIER", VersionID: "null", IsLatest: true, Size: 5, LastModified: at(30, 11), ETag: "e2"},
		{Bucket: "src", Key: "x/y/b c+d\"\n.txt", StorageClass: "STANDARD", VersionID: "v2", IsLatest: true, Size: 20, LastModified: at(30, 10), ETag: "e1"},
	}
	assert.Equal(t, current, rows)
	assert.Equal(t, int64(3), tree.Account.Objects)
	assert.Equal(t, int64(25), tree.Account.Bytes)
	assert.Equal(t, int64(3), tree.Account.Nodes) // a manifest and its files
	assert.Equal(t, map[string]int64{"get": 4}, tree.Requests)
	all, n := lines(t, tree)
	assert.Equal(t, int64(3), n)
	assert.Equal(t, int64(25), all["x/"].Bytes)
	assert.Equal(t, int64(3), all[""].Objects)
	top, x := all[""], all["x/"]
	assert.Positive(t, x.Took(), "getting the files took time")
	assert.Greater(t, top.Took(), x.Took(), "and what is not in x/ its part")

	tree, rows = walk(t, g, manifestURL, map[string]string{listing.ParamVersions: "true"})
	assert.Len(t, rows, 5)
	assert.Equal(t, int64(32), tree.Account.Bytes)

	f, err := filter.Parse([]string{"/x/", "size>=6"}, time.Time{})
	require.NoError(t, err)
	_, rows = walk(t, g, "s3://dest/inv/src/daily/2024-05-01T01-00Z/", map[string]string{listing.ParamFilter: f.Encode()})
	assert.Equal(t, current[2:], rows)
}

// The files of an inventory that was fetched to this machine lie as in the bucket.
func TestInventoryOfS3OnThisMachine(t *testing.T) {
	g, dir := versioned(t), t.TempDir()
	for key, body := range g.objects {
		name := filepath.Join(dir, filepath.FromSlash(key))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, body, 0o600))
	}
	tree, rows := walk(t, nil, filepath.Join(dir, filepath.Dir(manifestKey)), nil)
	assert.Len(t, rows, 3)
	assert.Empty(t, tree.Requests["get"])
}

// many is more objects than a batch has, of awkward keys.
func many(n int) []inventory.Object {
	objects := make([]inventory.Object, n)
	for i := range objects {
		objects[i] = inventory.Object{
			Bucket: "src", Key: fmt.Sprintf("%d/a b/%%2F+\n/%d", i%7, i*7919%n), Size: int64(i), ETag: fmt.Sprint("e", i),
			LastModified: time.Unix(1_700_000_000+int64(i), 0).UTC(), StorageClass: "STANDARD",
		}
	}
	return objects
}

// file is a data file of ours in a format.
func file(t testing.TB, f inventory.Format, objects []inventory.Object) []byte {
	t.Helper()
	var b bytes.Buffer
	if f == inventory.Parquet {
		w := inventory.NewParquetWriter(&b, inventory.CurrentColumns)
		for i := range objects {
			require.NoError(t, w.Write(&objects[i]))
		}
		require.NoError(t, w.Close())
		return b.Bytes()
	}
	var rows []byte
	for i := range objects {
		rows = f.Layout().Append(rows, &objects[i])
	}
	return f.Pack(nil, rows)
}

var timeZero = time.Unix(0, 0)

// ours is an inventory as --out lays it out, put into a bucket.
func ours(t testing.TB, f inventory.Format, files ...[]inventory.Object) *bucket {
	t.Helper()
	m := inventory.NewManifest(f.Layout(), "src", "file:///somewhere/else", timeZero)
	b := &bucket{}
	for i, objects := range files {
		body, key := file(t, f, objects), fmt.Sprintf("data/part-%05d%s", i+1, f.Ext())
		b.put("copied/"+key, body)
		m.Files = append(m.Files, inventory.File{Key: key, Size: int64(len(body)), MD5: md5Of(body)})
	}
	content, sum, err := m.Encode()
	require.NoError(t, err)
	b.put("copied/manifest.json", content)
	b.put("copied/manifest.checksum", sum)
	return b
}

func TestInventoryOfOurs(t *testing.T) {
	want := many(2500)
	for _, f := range []inventory.Format{inventory.CSV, inventory.NDJSON, inventory.Parquet} {
		b := ours(t, f, want[:1200], nil, want[1200:])
		tree, rows := walk(t, b, "s3://dest/copied", nil)
		sorted := slices.SortedFunc(slices.Values(want), func(a, b inventory.Object) int { return strings.Compare(a.Key, b.Key) })
		assert.Equal(t, sorted, rows, f)
		all, n := lines(t, tree)
		assert.Equal(t, int64(21), n)
		assert.Equal(t, int64(2500*2499/2), all[""].Bytes)
		assert.Empty(t, tree.Failed)
	}
	_, err := Open(t.Context(), ours(t, inventory.Keys, want), "s3://dest/copied")
	require.ErrorContains(t, err, "read inventory s3://dest/copied/manifest.json: its files hold keys and nothing else")
	assert.True(t, processor.IsPermanent(err))
}

// What fails and may pass is asked for again, and leaves no row behind: cut
// off, damaged, refused, another file's content.
func TestInventoryWithFaults(t *testing.T) {
	want := many(3000)
	for _, f := range []inventory.Format{inventory.CSV, inventory.Parquet} {
		b := ours(t, f, want[:2000], want[2000:])
		b.fault = func(key string, n int) ([]byte, error) {
			body := b.objects[key]
			switch {
			case n == 1 && strings.Contains(key, "part"):
				return body[:len(body)/2], nil
			case n == 2 && strings.Contains(key, "part"):
				bad := bytes.Clone(body)
				bad[len(bad)/2] ^= 1
				return bad, nil
			case n == 3:
				return nil, errors.New("get: 503 SlowDown")
			}
			return nil, nil
		}
		tree, rows := walk(t, b, "s3://dest/copied", nil)
		assert.Empty(t, tree.Failed)
		assert.Len(t, rows, len(want))
		assert.Equal(t, int64(len(want)), tree.Account.Objects)
		assert.Equal(t, int64(2*4+2), tree.Requests["get"])
	}
}

// A storage fault in the middle of a file fails the attempt, not the run.
func TestInventoryIntoWhatFails(t *testing.T) {
	b := ours(t, inventory.CSV, many(5000))
	v, err := Open(t.Context(), b, "s3://dest/copied")
	require.NoError(t, err)
	root, failed := v.Root(), false
	tree, err := processortest.Walker{Set: processor.Set{Kind: New(Options{Getter: b})}, Retries: 2, Out: func() *processortest.Recorder {
		return &processortest.Recorder{Fault: func(method string, before int) error {
			if method == "Write" && before == 3 && !failed {
				failed = true
				return errors.New("disk is away")
			}
			return nil
		}}
	}}.Walk(t.Context(), processor.Node{Kind: Kind, ID: root.ID, Args: root.Args})
	require.NoError(t, err)
	assert.True(t, failed)
	assert.Equal(t, int64(5000), tree.Account.Objects)
	_, n := lines(t, tree)
	assert.Equal(t, int64(21), n)
}

func TestInventoryRefused(t *testing.T) {
	oneFile := func(schema, rows string) func(*testing.T) *genuine {
		return func(t *testing.T) *genuine {
			g := &genuine{}
			g.add("a.csv.gz", inventory.CSV.Pack(nil, []byte(rows)))
			g.manifest(t, "CSV", schema)
			return g
		}
	}
	for name, c := range map[string]struct {
		make      func(*testing.T) *genuine
		params    map[string]string
		want      string
		transient bool
	}{
		"orc": {make: func(t *testing.T) *genuine { g := &genuine{}; g.manifest(t, "ORC", "struct<key:string>"); return g }, want: `fileFormat is "ORC", want one of`},
		"twice": {make: func(t *testing.T) *genuine {
			g := versioned(t)
			g.files = append(g.files, g.files[0])
			g.manifest(t, "CSV", versionSchema)
			return g
		}, want: `it lists file "inv/src/daily/data/a.csv.gz" twice`},
		"checksum": {make: func(t *testing.T) *genuine {
			g := versioned(t)
			g.put(strings.TrimSuffix(manifestKey, "json")+"checksum", []byte("0"))
			return g
		}, want: `manifest.checksum says "0"`, transient: true},
		"none": {make: func(*testing.T) *genuine { g := &genuine{}; g.put("x", nil); return g }, want: "get s3://dest/" + manifestKey},
		"file gone": {make: func(t *testing.T) *genuine {
			g := versioned(t)
			delete(g.objects, "inv/src/daily/data/b.csv.gz")
			return g
		}, want: "get s3://dest/inv/src/daily/data/b.csv.gz"},
		"file damaged": {make: func(t *testing.T) *genuine {
			g := versioned(t)
			g.objects["inv/src/daily/data/b.csv.gz"][12] ^= 1
			return g
		}, want: "check file s3://dest/inv/src/daily/data/b.csv.gz of inventory: its MD5 is", transient: true},
		"file longer": {make: func(t *testing.T) *genuine {
			g := versioned(t)
			g.put("inv/src/daily/data/b.csv.gz", make([]byte, 10_000))
			return g
		}, want: "it is longer than the manifest says"},
		"file shorter": {make: func(t *testing.T) *genuine {
			g := versioned(t)
			g.put("inv/src/daily/data/b.csv.gz", []byte("x"))
			return g
		}, want: "it has 1 bytes, and the manifest says", transient: true},
		"bad row":        {make: oneFile("Bucket, Key, Size", "\"src\",\"k\",\"1\"\n\"src\",\"k\",\"many\"\n"), want: `of inventory: read csv row 2: parse Size "many"`},
		"no key":         {make: oneFile("Bucket, Key", "\"src\",\"\"\n"), want: "row 1: it has no key"},
		"not UTF-8":      {make: oneFile("Bucket, Key", "\"src\",\"%FF\"\n"), want: `row 1: key "\xff" is not UTF-8`},
		"other bucket":   {make: oneFile("Bucket, Key", "\"b\",\"k\"\n"), want: `row 1: key "k" is of bucket "b", and the inventory is of "src"`},
		"not versions":   {make: oneFile("Bucket, Key", ""), params: map[string]string{listing.ParamVersions: "true"}, want: "it is of current versions only"},
		"which versions": {make: oneFile("Bucket, Key, VersionId", ""), want: "has no IsLatest or no IsDeleteMarker"},
		"no dates":       {make: oneFile("Bucket, Key, Size", ""), params: map[string]string{listing.ParamFilter: `["modified<2024-01-01"]`}, want: "has no LastModifiedDate, which a filter is about"},
	} {
		t.Run(name, func(t *testing.T) {
			g := c.make(t)
			tree, err := processortest.Walk(t.Context(), processor.Set{Kind: New(Options{Getter: g})},
				processor.Node{Kind: Kind, Args: args{Manifest: manifestURL}.child(0).Args, Params: c.params})
			require.NoError(t, err)
			require.Len(t, tree.Failed, 1)
			err = tree.Failed[0].Err
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "\n")
			assert.Equal(t, !c.transient, processor.IsPermanent(err), "%v", err)
		})
	}
}

// A run reads the manifest that it began with, or none.
func TestManifestThatChanges(t *testing.T) {
	g := versioned(t)
	v, err := Open(t.Context(), g, manifestURL)
	require.NoError(t, err)
	g.manifest(t, "CSV", versionSchema+", EncryptionStatus")
	root := v.Root()
	_, err = processortest.Run(t.Context(), New(Options{Getter: g}), &processor.Node{Kind: Kind, Args: root.Args})
	require.ErrorContains(t, err, "it is not the one that the run began with")
	assert.True(t, processor.IsPermanent(err))
}

func TestPlaces(t *testing.T) {
	for name, want := range map[string]string{
		"s3://b/p/manifest.json": "s3://b/p/manifest.json", "s3://b/p": "s3://b/p/manifest.json", "s3://b/p/": "s3://b/p/manifest.json",
		"s3://b": "s3://b/manifest.json", "/a/b.json": "file:/a/b.json", "file:/a/b.json": "file:/a/b.json", "file:///a/b.json": "file:/a/b.json",
	} {
		got, err := parsePlace(name)
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
	for _, name := range []string{"", "s3://", "http://x/y"} {
		_, err := parsePlace(name)
		require.Error(t, err, name)
	}
	_, err := place("file:/a/manifest.json").resolve("../../etc/passwd", false)
	require.ErrorContains(t, err, "lies outside of its folder")
	for raw, want := range map[string]string{"": "none given", `{}`: `manifest is ""`, `{"manifest":"a","file":"b"}`: "want one of", `{"file":"b","format":"x"}`: `fileFormat is "x"`} {
		_, err := parseArgs([]byte(raw))
		require.ErrorContains(t, err, want)
	}
}

// A task of a fleet reads no file of its machine, whoever sends a node that names one:
// its rows would be what is in the file.
func TestATaskReadsNoFiles(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("hunter2\n"), 0o600))
	sum := md5.Sum([]byte("hunter2\n"))
	p := New(Options{Getter: &bucket{}, Dir: t.TempDir()})
	for _, text := range []string{
		fmt.Sprintf(`{"file": "file:%s", "size": 8, "md5": "%x", "format": "Keys", "schema": "Key"}`, secret, sum),
		fmt.Sprintf(`{"file": "file:%s", "size": 8, "format": "CSV", "schema": "Key"}`, secret),
		fmt.Sprintf(`{"file": %q, "size": 8, "format": "Keys", "schema": "Key"}`, secret),
		fmt.Sprintf(`{"manifest": "file:%s"}`, secret),
		fmt.Sprintf(`{"manifest": %q}`, secret),
		`{"manifest": "file:///proc/self/environ"}`,
	} {
		out, err := processortest.Run(t.Context(), p, &processor.Node{Kind: Kind, Args: []byte(text)})
		require.ErrorContains(t, err, "a task of a fleet reads no files of its machine", text)
		assert.True(t, processor.IsPermanent(err))
		assert.NotContains(t, err.Error(), "hunter2")
		if out != nil {
			assert.Empty(t, out.Streams)
		}
	}
}

// A size that no object has would have sums wrap.
func TestSizesThatNoObjectHas(t *testing.T) {
	for size, fine := range map[string]bool{"0": true, "5000000000000000": true, "5000000000000001": false, "-1": false, "9223372036854775807": false} {
		r := reader{}
		n, err := strconv.ParseInt(size, 10, 64)
		require.NoError(t, err)
		assert.Equal(t, fine, r.check(&inventory.Object{Key: "k", Size: n}) == nil, size)
	}
}
