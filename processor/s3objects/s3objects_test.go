package s3objects_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/processor/s3objects"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bucket is one in memory, which lists and gives its objects.
type bucket struct {
	objects []inventory.Object // sorted
	bodies  map[string]string

	mu    sync.Mutex
	lists int
}

func newBucket(keys ...string) *bucket {
	b := &bucket{bodies: map[string]string{}}
	slices.Sort(keys)
	for i, k := range keys {
		b.bodies[k] = strings.Repeat("x", i%50)
		b.objects = append(b.objects, inventory.Object{Bucket: "b", Key: k, Size: int64(i % 50), ETag: "e"})
	}
	return b
}

func (b *bucket) List(_ context.Context, q s3crawl.Query) (s3crawl.Page, error) {
	b.mu.Lock()
	b.lists++
	b.mu.Unlock()
	if q.Count != nil {
		q.Count("list", 1)
	}
	var pg s3crawl.Page
	for _, o := range b.objects {
		if !strings.HasPrefix(o.Key, q.Prefix) || o.Key <= q.After {
			continue
		}
		if len(pg.Objects) == 1000 {
			pg.More = true
			break
		}
		pg.Objects = append(pg.Objects, o)
	}
	return pg, nil
}

func (b *bucket) GetContent(_ context.Context, o s3client.Content, w io.Writer, count func(int64)) (bool, error) {
	defer count(1)
	if o.ETag != "" && o.ETag != "e" {
		return true, errors.New("it has changed since")
	}
	body, found := b.bodies[o.Key]
	if !found {
		return true, errors.New("no such key")
	}
	_, err := io.WriteString(w, body)
	return false, err
}

// seen is a processor that keeps the nodes it is given.
type seen struct {
	mu    sync.Mutex
	nodes map[string]string // args by id
}

func (s *seen) Process(_ context.Context, n *processor.Node, _ processor.Out) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nodes == nil {
		s.nodes = map[string]string{}
	}
	if _, twice := s.nodes[n.ID]; twice {
		return fmt.Errorf("node %q comes twice", n.ID)
	}
	s.nodes[n.ID] = string(n.Args)
	return nil
}

func walk(t *testing.T, b *bucket, prefix string, e s3objects.Each, kind string, p processor.Processor, params map[string]string) (*processortest.Tree, error) {
	t.Helper()
	root, err := s3objects.Root("b", prefix, e)
	require.NoError(t, err)
	set := processor.Set{s3objects.Kind: s3objects.New(s3objects.Options{Lister: b}), kind: p}
	return processortest.Walk(t.Context(), set, processor.Node{Kind: s3objects.Kind, ID: root.ID, Args: root.Args, Params: params})
}

func manyKeys(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("p/%05d & <x>", i))
	}
	return keys
}

// Every object is a node, once, with what is known of it, whatever page it is on.
func TestEveryObjectIsANode(t *testing.T) {
	for _, n := range []int{0, 1, 249, 250, 251, 1000, 1001, 3300} {
		b, s := newBucket(append(manyKeys(n), "other")...), &seen{}
		tree, err := walk(t, b, "p/", s3objects.Each{Kind: "k", Args: schema.Args(`{"depth": 2}`)}, "k", s, nil)
		require.NoError(t, err)
		assert.Len(t, s.nodes, n)
		assert.EqualValues(t, n, tree.Account.Objects)
		for _, o := range b.objects {
			if o.Key == "other" {
				continue
			}
			want := fmt.Sprintf(`{"bucket":"b","key":%q,"size":%d,"etag":"e","depth":2}`, o.Key, o.Size)
			require.Equal(t, want, s.nodes["s3://b/"+o.Key])
		}
		pages, parts := n/1000+1, (n+249)/250+n/1000
		assert.LessOrEqual(t, b.lists, pages+parts, "LISTs for %d objects", n)
	}
}

// Some together are a node with a list of them.
func TestBatches(t *testing.T) {
	b, s := newBucket(manyKeys(620)...), &seen{}
	_, err := walk(t, b, "", s3objects.Each{Kind: "k", Batch: 100}, "k", s, nil)
	require.NoError(t, err)
	assert.Len(t, s.nodes, 3+3+2) // of parts of 250, 250 and 120
	keys := map[string]bool{}
	for id, raw := range s.nodes {
		var args struct {
			Bucket  string
			Objects []s3objects.Object
		}
		require.NoError(t, json.Unmarshal([]byte(raw), &args))
		for _, o := range args.Objects {
			keys[o.Key] = true
		}
		assert.Equal(t, "b", args.Bucket)
		assert.True(t, strings.HasPrefix(id, "s3://b/"+args.Objects[0].Key), id)
	}
	assert.Len(t, keys, 620)

	long := make([]string, 250)
	for i := range long {
		long[i] = fmt.Sprintf("%03d", i) + strings.Repeat("k", 1000)
	}
	b, s = newBucket(long...), &seen{}
	_, err = walk(t, b, "", s3objects.Each{Kind: "k", Batch: 250}, "k", s, nil)
	require.NoError(t, err)
	for _, args := range s.nodes {
		assert.Less(t, len(args), 64<<10, "a message has to carry it")
	}
	assert.Len(t, s.nodes, 6)
}

// Args that name what an object has are all that its node has.
func TestPlaceholders(t *testing.T) {
	b, s := newBucket(`a"b`), &seen{}
	_, err := walk(t, b, "", s3objects.Each{Kind: "k", Args: schema.Args(`{"job":"x","n":[1,"{size} {etag}{versionId}"],"at":{"url":"{url}","parts":"{bucket}|{key}"}}`)}, "k", s, nil)
	require.NoError(t, err)
	assert.JSONEq(t, `{"job":"x","n":[1,"0 e"],"at":{"url":"s3://b/a\"b","parts":"b|a\"b"}}`, s.nodes[`s3://b/a"b`])
}

func TestEachRefuses(t *testing.T) {
	for _, c := range []struct {
		want string
		each s3objects.Each
	}{
		{`kind is ""`, s3objects.Each{}},
		{"one that works on objects", s3objects.Each{Kind: s3objects.Kind}},
		{"one that works on objects", s3objects.Each{Kind: s3crawl.Kind}},
		{"1 to 250 objects", s3objects.Each{Kind: "k", Batch: 251}},
		{"1 to 250 objects", s3objects.Each{Kind: "k", Batch: -1}},
		{"a JSON object", s3objects.Each{Kind: "k", Args: schema.Args(`[1]`)}},
		{"another name", s3objects.Each{Kind: "k", Args: schema.Args(`{"key":"x"}`)}},
		{"what one object has", s3objects.Each{Kind: "k", Args: schema.Args(`{"x":"{key}"}`), Batch: 2}},
		{"at most 16384 bytes", s3objects.Each{Kind: "k", Args: schema.Args(`{"x":"` + strings.Repeat("y", 20_000) + `"}`)}},
	} {
		_, err := s3objects.Root("b", "", c.each)
		require.Error(t, err)
		assert.Contains(t, err.Error(), c.want)
	}
	p := s3objects.New(s3objects.Options{Lister: newBucket("a")})
	for _, args := range []string{
		`{"bucket":"b","prefix":""}`, `{"bucket":"b","prefix":"","with":{"kind":"k","x":1}}`, `{"bucket":"b","with":{"kind":"k"},"part":{"after":"b","until":"a"}}`,
		`{"bucket":"b","with":{"kind":"k"},"part":{"after":"a","until":"b"},"x":1}`, `[]`,
	} {
		_, err := processortest.Run(t.Context(), p, &processor.Node{Kind: s3objects.Kind, Args: schema.Args(args)})
		assert.True(t, processor.IsPermanent(err), "%s: %v", args, err)
	}
}

// Rows with the digests of bodies; an object that changed or went fails alone.
func TestHash(t *testing.T) {
	b := newBucket(manyKeys(60)...)
	hash := s3objects.Streamed(b, s3objects.Hash{})
	tree, err := walk(t, b, "", s3objects.Each{Kind: s3objects.HashKind}, s3objects.HashKind, hash, nil)
	require.NoError(t, err)
	got := map[string]string{}
	for line := range strings.Lines(string(tree.Streams["rows"].Bytes())) {
		var row struct{ Bucket, Key, SHA256 string }
		require.NoError(t, json.Unmarshal([]byte(line), &row))
		got[row.Key] = row.SHA256
	}
	want := map[string]string{}
	for k, body := range b.bodies {
		sum := sha256.Sum256([]byte(body))
		want[k] = hex.EncodeToString(sum[:])
	}
	assert.True(t, maps.Equal(want, got))

	for want, args := range map[string]string{
		"it has changed since":              `{"bucket":"b","key":"p/00007 & <x>","size":7,"etag":"old"}`,
		"no such key":                       `{"bucket":"b","key":"gone","size":7}`,
		"it has 7 bytes, and had 8 when it": `{"bucket":"b","key":"p/00007 & <x>","size":8}`,
		`algorithm is "crc"`:                `{"bucket":"b","key":"p/00007 & <x>","size":7,"algorithm":"crc"}`,
		`unknown field "algo"`:              `{"bucket":"b","key":"p/00007 & <x>","size":7,"algo":"md5"}`,
		`bucket is ""`:                      `{"key":"a"}`,
		`key is ""`:                         `{"bucket":"b"}`,
		`size is "-1"`:                      `{"bucket":"b","key":"a","size":-1}`,
		"none given":                        ``,
	} {
		_, err := processortest.Run(t.Context(), hash, &processor.Node{Kind: s3objects.HashKind, Args: schema.Args(args)})
		require.Error(t, err, want)
		assert.True(t, processor.IsPermanent(err), "%v", err)
		assert.Contains(t, err.Error(), want)
	}
	out, err := processortest.Run(t.Context(), hash, &processor.Node{Args: schema.Args(`{"bucket":"b","key":"p/00007 & <x>","size":7,"versionId":"v","algorithm":"md5"}`)})
	require.NoError(t, err)
	if got, want := string(out.Streams["rows"].Bytes()), `{"bucket":"b","key":"p/00007 & <x>","size":7,"versionId":"v","md5":"04adb4e2f055c978c9bb101ee1bc5cd4"}`+"\n"; got != want { // byte by byte
		t.Errorf("got %s, want %s", got, want)
	}
}

// reading is Content made of a function.
type reading func(body io.Reader) error

func (r reading) Object(_ context.Context, _ *processor.Node, _ *s3objects.Object, body io.Reader, _ processor.Out) error {
	return r(body)
}

// cutOff gives half of a body and then fails in a way that may pass.
type cutOff struct{}

var errCut = errors.New("cut off")

func (cutOff) GetContent(_ context.Context, _ s3client.Content, w io.Writer, _ func(int64)) (bool, error) {
	_, _ = io.WriteString(w, "half")
	return false, errCut
}

// A body that is cut off is never taken for the whole, and one that nobody wants to
// the end is let go.
func TestBodies(t *testing.T) {
	node := &processor.Node{Args: schema.Args(`{"bucket":"b","key":"k","size":4}`)}
	all := reading(func(body io.Reader) error { _, err := io.ReadAll(body); return err })
	deaf := reading(func(body io.Reader) error { _, _ = io.ReadAll(body); return nil })
	for _, c := range []s3objects.Content{all, deaf} {
		_, err := processortest.Run(t.Context(), s3objects.Streamed(cutOff{}, c), node)
		require.ErrorIs(t, err, errCut)
		assert.False(t, processor.IsPermanent(err))
	}
	b := newBucket("k")
	b.bodies["k"] = strings.Repeat("x", 1<<20)
	first := reading(func(body io.Reader) error { _, err := io.ReadFull(body, make([]byte, 3)); return err })
	_, err := processortest.Run(t.Context(), s3objects.Streamed(b, first), node)
	require.NoError(t, err)
	own := errors.New("no picture")
	_, err = processortest.Run(t.Context(), s3objects.Streamed(b, reading(func(io.Reader) error { return own })), node)
	require.ErrorIs(t, err, own)
	assert.Contains(t, err.Error(), "s3://b/k")
}
