package s3copy

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/filter"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// All objects come below the destination with their content and metadata, whatever
// their keys are; a second run finds them equal, and copies only what has changed.
func TestCopy(t *testing.T) {
	f := newFake(t, "a", "b")
	want := map[string]string{}
	for i := range 2300 {
		key := fmt.Sprintf("dir%d/é +%%&?#'%d", i%7, i)
		f.put(t, "a", "x/"+key, fmt.Sprint("content", i%5))
		want["y/"+key] = fmt.Sprint("content", i%5)
	}
	f.put(t, "a", "z", "not below")
	f.put(t, "b", "w", "there")
	c := trial{url: f.url, bucket: "a", prefix: "x/", order: Order{To: "s3://b/y"}}
	tree, rows := c.run(t)
	require.Empty(t, tree.Failed)
	require.Equal(t, schema.Whole, tree.Settled)
	require.Len(t, rows, 2300)
	require.EqualValues(t, 2300, tree.Account.Objects)
	want["w"] = "there"
	require.Equal(t, want, f.all(t, "b"))
	o, err := f.HeadObject("b", "y/dir0/é +%&?#'0")
	require.NoError(t, err)
	require.Equal(t, "me", o.Metadata["X-Amz-Meta-Who"])
	require.Equal(t, "text/x-content0", o.Metadata["Content-Type"])
	require.Equal(t, 2300, f.asked["copy"])
	require.Less(t, f.asked["GET"], 12, "LISTs of both")
	require.Zero(t, f.asked["HEAD"])
	require.Zero(t, f.asked["DELETE"])

	f.put(t, "a", "x/new", "new")
	f.put(t, "a", "x/dir1/é +%&?#'1", "changed")
	f.put(t, "b", "y/zzz", "of another")
	f.asked = map[string]int{}
	tree, rows = c.run(t)
	require.Empty(t, tree.Failed)
	require.Equal(t, 2, f.asked["copy"])
	require.Less(t, f.asked["GET"], 12)
	require.Equal(t, "equal: not copied", rows["x/dir0/é +%&?#'0"][0].ResultMessage)
	require.Equal(t, "copied: ETag equal", rows["x/new"][0].ResultMessage)
	got := f.all(t, "b")
	require.Equal(t, "changed", got["y/dir1/é +%&?#'1"])
	require.Equal(t, "of another", got["y/zzz"], "nothing is deleted")
}

// A filter says what is copied; a dry run copies nothing.
func TestFilterAndDryRun(t *testing.T) {
	f := newFake(t, "a", "b")
	for _, key := range []string{"x/", "x/1.txt", "x/2.csv", "x/d/3.txt"} {
		f.put(t, "a", key, key)
	}
	only, err := filter.Parse([]string{"*.txt"}, time.Now())
	require.NoError(t, err)
	c := trial{url: f.url, bucket: "a", prefix: "x/", order: Order{To: "s3://b/", DryRun: true}, params: map[string]string{listing.ParamFilter: only.Encode()}}
	_, rows := c.run(t)
	require.Equal(t, []string{"x/1.txt", "x/d/3.txt"}, keysOf(rows))
	require.Equal(t, "would be copied", rows["x/1.txt"][0].ResultMessage)
	require.Empty(t, f.all(t, "b"))
	c.order.DryRun = false
	c.run(t)
	require.Equal(t, []string{"1.txt", "d/3.txt"}, keysOf(f.all(t, "b")))
	// All of it, but for the marker of the folder, which has no name there.
	c.params = nil
	tree, rows := c.run(t)
	require.Empty(t, tree.Failed)
	require.Contains(t, rows["x/"][0].ResultMessage, "the folder itself")
	require.Equal(t, []string{"1.txt", "2.csv", "d/3.txt"}, keysOf(f.all(t, "b")))
}

// The destination may hold far more keys than the source has in a range: then it is
// asked for by key.
func TestCrowdedDestination(t *testing.T) {
	f := newFake(t, "a", "b")
	for i := range 7000 {
		f.put(t, "b", fmt.Sprintf("m%05d", i), "")
	}
	for _, key := range []string{"a", "m06999", "m069995", "z"} {
		f.put(t, "a", key, "")
	}
	tree, rows := trial{url: f.url, bucket: "a", order: Order{To: "s3://b/"}}.run(t)
	require.Empty(t, tree.Failed)
	require.Equal(t, "equal: not copied", rows["m06999"][0].ResultMessage)
	require.Equal(t, 3, f.asked["copy"])
	require.Less(t, f.asked["GET"], 12)
}

// Objects fail one by one: with a row each, and as nodes of their own; the others
// are copied. What is about the bucket fails the node.
func TestFailures(t *testing.T) {
	f := newFake(t, "a", "b")
	for i := range 50 {
		f.put(t, "a", fmt.Sprintf("x/%02d", i), "c")
	}
	denied := true
	f.fault = func(r *http.Request) (string, int) {
		if denied && strings.HasSuffix(r.URL.Path, "7") && r.Method == http.MethodPut {
			return "AccessDenied", 403
		}
		return "", 0
	}
	c := trial{url: f.url, bucket: "a", prefix: "x/", order: Order{To: "s3://b/x/"}}
	tree, rows := c.run(t)
	require.Len(t, tree.Failed, 5)
	require.EqualValues(t, 5, tree.Account.Failures)
	require.EqualValues(t, 45, tree.Account.Objects)
	require.Contains(t, tree.Failed[0].Err.Error(), "copy s3://a/x/07: AccessDenied: as told; allow s3:GetObject")
	require.Equal(t, "s3://a/x/07", tree.Failed[0].ID)
	require.Equal(t, []outcomeRow{{"x/07", "failed", "AccessDenied", "403", tree.Failed[0].Err.Error()}}, rows["x/07"])
	require.Len(t, f.all(t, "b"), 45)
	require.Equal(t, 50, f.asked["copy"], "what is denied is not asked again")

	denied = false
	for i := range 2 {
		f.fault = func(r *http.Request) (string, int) {
			if r.Header.Get("X-Amz-Copy-Source") == "" {
				return "", 0
			}
			return []string{"NoSuchBucket", "InvalidAccessKeyId"}[i], 404
		}
		tree, _ = trial{url: f.url, bucket: "a", prefix: "x/", order: Order{To: "s3://b/fresh/"}}.run(t)
		require.Len(t, tree.Failed, 1)
		require.True(t, processor.IsPermanent(tree.Failed[0].Err))
	}
}

// An object that changes after it was listed fails, and is not mixed; what it is
// then is copied by a redrive, and one that is gone is nothing to copy.
func TestChangeMeanwhile(t *testing.T) {
	f := newFake(t, "a", "b")
	for _, key := range []string{"1", "2", "3"} {
		f.put(t, "a", key, "old")
	}
	var once sync.Once
	f.fault = func(r *http.Request) (string, int) {
		if r.Method == http.MethodPut {
			once.Do(func() {
				f.put(t, "a", "2", "new content")
				_, err := f.DeleteObject("a", "3")
				require.NoError(t, err)
			})
		}
		return "", 0
	}
	tree, rows := trial{url: f.url, bucket: "a", order: Order{To: "s3://b/"}, slots: 1}.run(t)
	require.Len(t, tree.Failed, 2)
	require.Equal(t, "PreconditionFailed", rows["2"][0].ErrorCode)
	require.Equal(t, "NoSuchKey", rows["3"][0].ErrorCode)
	require.Contains(t, rows["2"][0].ResultMessage, "changed since it was listed")
	for _, failed := range tree.Failed {
		key := strings.TrimPrefix(failed.ID, "s3://a/")
		n := &processor.Node{Kind: Kind, ID: failed.ID, Epoch: 1, Args: schema.Args(`{"bucket":"a","prefix":"","key":"` + key + `","size":3,"etag":"x","epoch":0,"failed":{"message":"m","permanent":true},"with":{"to":"s3://b/"}}`)}
		tree, rows := trial{url: f.url, root: n}.run(t)
		require.Empty(t, tree.Failed)
		require.Equal(t, map[string]string{"2": "copied: ETag equal", "3": "the source is gone: not copied"}[key], rows[key][0].ResultMessage)
	}
	require.Equal(t, map[string]string{"1": "old", "2": "new content"}, f.all(t, "b"))
}

// A node that is a part of a crawl, with all that such nodes have, is a part of the copy.
func TestPartOfARange(t *testing.T) {
	f := newFake(t, "a", "b")
	for _, key := range []string{"x/1", "x/2", "x/3"} {
		f.put(t, "a", key, key)
	}
	root := &processor.Node{Kind: Kind, ID: "s3://a/x/ (1…]", Epoch: 1, Args: schema.Args(`{"bucket":"a","prefix":"x/","mode":"range","base":2,"ranges":[{"after":"x/1","until":"","left":2}],"past":{"keys":1,"first":1,"done":0.25},"with":{"to":"s3://b/y/"}}`)}
	tree, _ := trial{url: f.url, root: root}.run(t)
	require.Empty(t, tree.Failed)
	require.Equal(t, map[string]string{"y/2": "x/2", "y/3": "x/3"}, f.all(t, "b"))
}

// With so many slots so many copies are in flight: the first is not answered before the
// last has been asked for. (Listing may have the one slot that is left.)
func TestInFlight(t *testing.T) {
	const slots = 256
	f := newFake(t, "a", "b")
	for i := range 3000 {
		f.put(t, "a", fmt.Sprintf("%05d", i), "")
	}
	var flying atomic.Int64
	all := make(chan struct{})
	f.fault = func(r *http.Request) (string, int) {
		if r.Header.Get("X-Amz-Copy-Source") != "" {
			if flying.Add(1) == slots-1 {
				close(all)
			}
			select {
			case <-all:
			case <-r.Context().Done():
			}
		}
		return "", 0
	}
	tree, _ := trial{url: f.url, bucket: "a", order: Order{To: "s3://b/"}, slots: slots}.run(t)
	require.Empty(t, tree.Failed)
	require.Len(t, f.all(t, "b"), 3000)
	require.GreaterOrEqual(t, flying.Load(), int64(slots-1), "%d copies waited for others", flying.Load())
}

// SlowDown is answered by fewer requests at a time, and not by failing.
func TestSlowDown(t *testing.T) {
	f := newFake(t, "a", "b")
	f.latency = time.Millisecond
	for i := range 400 {
		f.put(t, "a", fmt.Sprintf("%05d", i), "")
	}
	f.fault = func(r *http.Request) (string, int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if r.Header.Get("X-Amz-Copy-Source") != "" && f.flying > 8 {
			return "SlowDown", 503
		}
		return "", 0
	}
	tree, _ := trial{url: f.url, bucket: "a", order: Order{To: "s3://b/"}, slots: 64}.run(t)
	require.Empty(t, tree.Failed)
	require.Positive(t, tree.Requests["throttled"])
	require.Len(t, f.all(t, "b"), 400)
}

// Through the task, between two stores.
func TestThrough(t *testing.T) {
	a, b := newFake(t, "same"), newFake(t, "same")
	for i := range 30 {
		a.put(t, "same", fmt.Sprintf("x/%d", i), strings.Repeat("c", i))
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "k")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	t.Setenv("AWS_ENDPOINT_URL_S3", a.url)
	tree, rows := trial{url: a.url, bucket: "same", prefix: "x/", order: Order{To: "s3://same/x/", Endpoint: b.url}}.run(t)
	require.Empty(t, tree.Failed)
	require.Len(t, rows, 30)
	require.Equal(t, a.all(t, "same"), b.all(t, "same"))
	require.Zero(t, b.asked["copy"])
	o, err := b.HeadObject("same", "x/3")
	require.NoError(t, err)
	require.Equal(t, "me", o.Metadata["X-Amz-Meta-Who"])
	require.Equal(t, "text/x-ccc", o.Metadata["Content-Type"])
}

func TestBadOrders(t *testing.T) {
	for _, c := range []struct {
		bucket, prefix string
		o              Order
		field, want    string
	}{
		{"a", "x/", Order{To: "b"}, "to", "s3://bucket"},
		{"a", "x/", Order{To: "s3://a/x/y"}, "to", "not within the source, s3://a/x/"},
		{"a", "", Order{To: "s3://a/x/"}, "to", "not within the source"},
		{"a", "x/", Order{To: "s3://a/x"}, "to", "not within the source"},
		{"a", "x/y/", Order{To: "s3://a/x"}, "to", "does not hold the source"},
		{"a", "x/", Order{To: "s3://a/"}, "to", "does not hold the source"},
		{"a", "x/", Order{To: "s3://b", StorageClass: "COLD"}, "storage-class", "GLACIER"},
		{"a", "x/", Order{To: "s3://b", SSE: "rot13"}, "sse", "aws:kms"},
		{"a", "x/", Order{To: "s3://b", SSE: "AES256", KMSKey: "k"}, "kms-key", "no key"},
		{"a", "x/", Order{To: "s3://b", Part: 1}, "part-size", "5 MiB"},
		{"a", "x/", Order{To: "s3://b", Above: 6 << 30}, "multipart-above", "5 GiB"},
		{"a", "x/", Order{To: "s3://b", Through: true, Above: 1 << 30}, "multipart-above", "512 MiB"},
		{"a", "x/", Order{To: "s3://b", Endpoint: "http://other", Part: 1 << 30}, "part-size", "512 MiB"},
		{"a", "x/", Order{To: "s3://b", Endpoint: "host"}, "to-endpoint", "http"},
		{"a", "x/", Order{To: "s3://b", Endpoint: "http://me:hunter2@other"}, "to-endpoint", "no user"},
		{"a", "x/", Order{To: "s3://b", Endpoint: "http://me:hunter2@other:1:2/x"}, "to-endpoint", "no user"},
	} {
		_, err := Root(c.bucket, c.prefix, "", c.o)
		require.ErrorContains(t, err, c.field+" is ")
		require.ErrorContains(t, err, c.want)
		require.NotContains(t, err.Error(), "hunter2")
	}
	for _, o := range []Order{{To: "s3://a/xx/"}, {To: "s3://a/y/"}, {To: "s3://a/x/", Endpoint: "http://other"}} {
		_, err := Root("a", "x/", "", o)
		require.NoError(t, err)
	}
}

func TestBadArgs(t *testing.T) {
	for args, want := range map[string]string{
		``:                          `no "with"`,
		`{"bucket":"b"}`:            `no "with"`,
		`{"bucket":"b","what":1}`:   `unknown field "what"`,
		`{"bucket":"b","with":{}}`:  "to is",
		`{"with":{"to":"s3://b/"}}`: "bucket is",
		`{"bucket":"b","with":{"to":"s3://b/","x":1}}`:                           `unknown field "x"`,
		`{"key":"k","with":{"to":"s3://b/"}}`:                                    "bucket is",
		`{"bucket":"b","prefix":"x/","key":"k","with":{"to":"s3://c/"}}`:         "key is",
		`{"bucket":"b","prefix":"","key":"k","size":-1,"with":{"to":"s3://c/"}}`: "size is",
		`{"bucket":"b","prefix":"","key":"k","with":{"to":"s3://c/"},"odd":1}`:   `unknown field "odd"`,
	} {
		tree, _ := trial{url: "http://127.0.0.1:1", root: &processor.Node{Kind: Kind, Args: schema.Args(args)}}.run(t)
		require.Len(t, tree.Failed, 1, args)
		require.ErrorContains(t, tree.Failed[0].Err, want, args)
		require.True(t, processor.IsPermanent(tree.Failed[0].Err), args)
	}
}
