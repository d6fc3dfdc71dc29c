package s3copy

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/emulator/versitygw"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
)

// gateway is versitygw behind a proxy that refuses what it is told.
type gateway struct {
	url    string // of the proxy
	direct *s3.Client

	mu     sync.Mutex
	refuse func(r *http.Request) bool // with 403
	parts  int                        // copied or put
	copies int                        // at once
}

func newGateway(t *testing.T, buckets ...string) *gateway {
	t.Helper()
	to, err := url.Parse(versitygw.Start(t))
	require.NoError(t, err)
	g := &gateway{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // it is signed
	}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		refused := g.refuse != nil && g.refuse(r)
		switch {
		case refused:
		case r.URL.Query().Has("partNumber") && r.Method == http.MethodPut:
			g.parts++
		case r.Header.Get("X-Amz-Copy-Source") != "":
			g.copies++
		}
		g.mu.Unlock()
		if refused {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<Error><Code>AccessDenied</Code><Message>as told</Message></Error>")
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	g.url = s.URL
	t.Setenv("AWS_ACCESS_KEY_ID", versitygw.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", versitygw.SecretKey)
	g.direct = s3.NewFromConfig(gatewayConfig(to.String()), func(o *s3.Options) { o.UsePathStyle = true })
	for _, b := range buckets {
		_, err := g.direct.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &b})
		require.NoError(t, err)
	}
	return g
}

func gatewayConfig(url string) aws.Config {
	cfg := configOf(url)
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: versitygw.AccessKey, SecretAccessKey: versitygw.SecretKey}, nil
	})
	return cfg
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(b)
	return b
}

// put puts an object with all that can be said of one, in parts where a size is
// given.
func (g *gateway) put(t *testing.T, bucket, key string, content []byte, part int) {
	t.Helper()
	meta := map[string]string{"who": "me", "odd": "a b"}
	if part == 0 {
		_, err := g.direct.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: &bucket, Key: &key, Body: bytes.NewReader(content), Metadata: meta, ContentType: aws.String("text/plain"),
			CacheControl: aws.String("max-age=7"), ContentLanguage: aws.String("de"), ContentDisposition: aws.String("inline"), ContentEncoding: aws.String("x-none"),
			Tagging: aws.String("team=a%2Bb%20c&cost=12"),
		})
		require.NoError(t, err)
		return
	}
	up, err := g.direct.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: &bucket, Key: &key, Metadata: meta, ContentType: aws.String("text/plain"), Tagging: aws.String("team=a%2Bb%20c&cost=12"),
		CacheControl: aws.String("max-age=7"), ContentLanguage: aws.String("de"), ContentDisposition: aws.String("inline"), ContentEncoding: aws.String("x-none"),
	})
	require.NoError(t, err)
	var parts []types.CompletedPart
	for i := 0; len(content) > 0; i++ {
		n := min(part, len(content))
		p, err := g.direct.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: up.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(content[:n])})
		require.NoError(t, err)
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: p.ETag})
		content = content[n:]
	}
	_, err = g.direct.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	require.NoError(t, err)
}

// same demands that two objects are alike in all that a copy keeps.
func (g *gateway) same(t *testing.T, bucket, key, toBucket, toKey string) {
	t.Helper()
	var got [2]string
	for i, at := range [][2]string{{bucket, key}, {toBucket, toKey}} {
		o, err := g.direct.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &at[0], Key: &at[1]})
		require.NoError(t, err)
		b, err := io.ReadAll(o.Body)
		require.NoError(t, err)
		o.Body.Close()
		tags, err := g.direct.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &at[0], Key: &at[1]})
		require.NoError(t, err)
		all := map[string]string{}
		for _, tag := range tags.TagSet {
			all[*tag.Key] = *tag.Value
		}
		got[i] = fmt.Sprint(fmt.Sprintf("%x", md5.Sum(b)), len(b), o.Metadata, aws.ToString(o.ContentType), aws.ToString(o.CacheControl),
			aws.ToString(o.ContentLanguage), aws.ToString(o.ContentDisposition), aws.ToString(o.ContentEncoding), all)
	}
	require.Equal(t, got[0], got[1])
	require.Contains(t, got[0], "team:a+b c")
}

// uploads are those that are not completed.
func (g *gateway) uploads(t *testing.T, bucket string) (ids []string) {
	t.Helper()
	got, err := g.direct.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
	require.NoError(t, err)
	for _, u := range got.Uploads {
		ids = append(ids, *u.UploadId)
	}
	return ids
}

const mib = 1 << 20

// A copy keeps all there is about an object, at once, in parts and through the
// task; and in parts of the source's size it has the source's ETag.
func TestAllIsKept(t *testing.T) {
	g := newGateway(t, "aaa", "bbb")
	g.put(t, "aaa", "x/small é", noise(1000), 0)
	g.put(t, "aaa", "x/large", noise(23*mib), 0)
	g.put(t, "aaa", "x/parts", noise(16*mib), 6*mib)
	for name, o := range map[string]Order{"server": {Above: 10 * mib, Part: 0}, "through": {Above: 10 * mib, Endpoint: g.url}} {
		t.Run(name, func(t *testing.T) {
			g.parts, g.copies = 0, 0
			o.To = "s3://bbb/" + name + "/"
			if o.Endpoint == "" {
				o.Part = 8 * mib
			}
			c := trial{url: g.url, bucket: "aaa", prefix: "x/", order: o, config: gatewayConfig(g.url)}
			tree, rows := c.run(t)
			require.Empty(t, tree.Failed)
			for _, key := range []string{"small é", "large", "parts"} {
				g.same(t, "aaa", "x/"+key, "bbb", name+"/"+key)
				require.Contains(t, rows["x/"+key][0].ResultMessage, "copied", key)
			}
			require.Empty(t, g.uploads(t, "bbb"))
			if o.Endpoint != "" {
				require.Equal(t, "copied: ETag equal", rows["x/parts"][0].ResultMessage, "the source's parts")
				require.Zero(t, g.copies)
			}
			// All is seen to be equal, also where ETags are not.
			g.parts, g.copies = 0, 0
			tree, rows = c.run(t)
			require.Empty(t, tree.Failed)
			for key := range rows {
				require.Equal(t, "equal: not copied", rows[key][0].ResultMessage, key)
			}
			require.Zero(t, g.parts+g.copies)
		})
	}
}

// close lets idle connections go.
func (p *Processor) close() {
	p.stores.mu.Lock()
	defer p.stores.mu.Unlock()
	for _, st := range p.stores.all {
		st.s3.CloseIdle()
	}
}

// A copy in parts that is cut short goes on with the parts there are, in another
// process; of other versions nothing is left, and of others' uploads nothing is
// touched.
func TestResumeInParts(t *testing.T) {
	g := newGateway(t, "aaa", "bbb")
	g.put(t, "aaa", "x/k", noise(27*mib), 0)
	foreign, err := g.direct.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("bbb"), Key: aws.String("y/k")})
	require.NoError(t, err)
	_, err = g.direct.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: aws.String("bbb"), Key: aws.String("y/k"), UploadId: foreign.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("foreign")})
	require.NoError(t, err)

	c := trial{url: g.url, bucket: "aaa", prefix: "x/", order: Order{To: "s3://bbb/y/", Above: 5 * mib, Part: 5 * mib}, config: gatewayConfig(g.url), slots: 2}
	cut := func(from int) {
		g.refuse = func(r *http.Request) bool {
			return r.Header.Get("X-Amz-Copy-Source") != "" && g.parts >= from
		}
	}
	cutBy := func(from int) {
		ctx, cancel := context.WithCancel(t.Context())
		g.refuse = func(r *http.Request) bool {
			if r.Header.Get("X-Amz-Copy-Source") != "" && g.parts >= from {
				cancel()
				return true
			}
			return false
		}
		p := New(Options{Config: c.config, Slots: 2})
		defer p.close()
		root, err := Root("aaa", "x/", "", c.order)
		require.NoError(t, err)
		err = p.Process(ctx, &processor.Node{Kind: Kind, Args: root.Args}, nowhere{})
		require.Error(t, err)
	}
	cutBy(signs + 3) // those that say whose it is, and three
	require.Len(t, g.uploads(t, "bbb"), 2)
	g.refuse, g.parts = nil, 0
	tree, rows := c.run(t)
	require.Empty(t, tree.Failed)
	require.Regexp(t, `^copied: .*; [23] of 6 parts were there from before$`, rows["x/k"][0].ResultMessage)
	require.LessOrEqual(t, g.parts, 4)
	g.same(t, "aaa", "x/k", "bbb", "y/k")
	require.Equal(t, []string{*foreign.UploadId}, g.uploads(t, "bbb"))

	// Cut again, and the source changes before it goes on.
	g.put(t, "aaa", "x/k", noise(26*mib), 0)
	g.parts = 0
	cutBy(signs + 2)
	require.Len(t, g.uploads(t, "bbb"), 2)
	g.put(t, "aaa", "x/k", noise(25*mib), 0)
	g.refuse = nil
	tree, rows = c.run(t)
	require.Empty(t, tree.Failed)
	require.NotContains(t, rows["x/k"][0].ResultMessage, "from before")
	g.same(t, "aaa", "x/k", "bbb", "y/k")
	require.Equal(t, []string{*foreign.UploadId}, g.uploads(t, "bbb"), "what was begun of another version is removed")

	// The same content with other metadata is another version, though its ETag is the
	// same: nothing of what was begun with the old metadata is completed.
	g.parts = 0
	content := noise(28 * mib)
	g.put(t, "aaa", "x/k", content, 0)
	cutBy(signs + 2)
	_, err = g.direct.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("aaa"), Key: aws.String("x/k"), Body: bytes.NewReader(content), Metadata: map[string]string{"who": "another"},
		Tagging: aws.String("team=a%2Bb%20c"),
	})
	require.NoError(t, err)
	g.refuse = nil
	tree, rows = c.run(t)
	require.Empty(t, tree.Failed)
	require.NotContains(t, rows["x/k"][0].ResultMessage, "from before")
	g.same(t, "aaa", "x/k", "bbb", "y/k")
	require.Equal(t, []string{*foreign.UploadId}, g.uploads(t, "bbb"))

	// What no retry mends leaves nothing behind.
	g.put(t, "aaa", "x/k", noise(24*mib), 0)
	g.parts = 0
	cut(signs + 1)
	tree, _ = c.run(t)
	require.Len(t, tree.Failed, 1)
	require.ErrorContains(t, tree.Failed[0].Err, "AccessDenied")
	require.Equal(t, []string{*foreign.UploadId}, g.uploads(t, "bbb"))
}

// Two of a great many versions of an object do not look the same, and one whose tags,
// metadata, class or way of being stored are others does not either.
func TestSigns(t *testing.T) {
	sign := func(change func(*upload)) [signs]int64 {
		u := &upload{
			copier: &copier{source: "aaa", order: Order{bucket: "bbb"}}, o: &inventory.Object{Key: "k", Size: 9, ETag: "e"}, key: "y/k", size: 5 * mib,
			with: attributes{metadata: map[string]string{"a": "b"}},
		}
		change(u)
		return u.signed()
	}
	seen := map[[versionSigns]int64]bool{}
	const versions = 20_000
	for i := range versions {
		got := sign(func(u *upload) { u.o.ETag = fmt.Sprint(i) })
		seen[[versionSigns]int64(got[objectSigns:])] = true
		for _, size := range got {
			require.True(t, size >= 1 && size <= 1<<16)
		}
	}
	require.Len(t, seen, versions, "16 bits would tell a few of them apart")

	first := sign(func(*upload) {})
	require.Equal(t, first, sign(func(*upload) {}))
	for name, change := range map[string]func(*upload){
		"size": func(u *upload) { u.o.Size++ }, "part": func(u *upload) { u.size++ }, "class": func(u *upload) { u.o.StorageClass = "STANDARD_IA" },
		"class wanted": func(u *upload) { u.order.StorageClass = "GLACIER" }, "encryption": func(u *upload) { u.order.SSE = "AES256" },
		"key": func(u *upload) { u.order.KMSKey = "k" }, "type": func(u *upload) { u.with.contentType = aws.String("text/plain") },
		"tags": func(u *upload) { u.with.tags = aws.String("a=b") }, "value": func(u *upload) { u.with.metadata["a"] = "c" },
		"name": func(u *upload) { u.with.metadata = map[string]string{"ab": ""} }, "none": func(u *upload) { u.with.metadata = nil },
		"expires": func(u *upload) { u.with.expires = &time.Time{} },
	} {
		got := sign(change)
		require.Equal(t, first[:objectSigns], got[:objectSigns], name)
		require.NotEqual(t, first[objectSigns:], got[objectSigns:], name)
	}
	require.NotEqual(t, first[:objectSigns], sign(func(u *upload) { u.source = "ccc" }))
}

// A source that changes while it is copied in parts is not put together of two.
func TestChangeBetweenParts(t *testing.T) {
	g := newGateway(t, "aaa", "bbb")
	g.put(t, "aaa", "k", noise(27*mib), 0)
	var once sync.Once
	g.refuse = func(r *http.Request) bool {
		if r.Header.Get("X-Amz-Copy-Source") != "" && g.parts > signs {
			once.Do(func() { g.put(t, "aaa", "k", noise(26*mib), 0) })
		}
		return false
	}
	tree, rows := trial{url: g.url, bucket: "aaa", order: Order{To: "s3://bbb/", Above: 5 * mib, Part: 5 * mib}, config: gatewayConfig(g.url), slots: 1}.run(t)
	require.Len(t, tree.Failed, 1)
	require.Equal(t, "PreconditionFailed", rows["k"][0].ErrorCode)
	require.Empty(t, g.uploads(t, "bbb"))
}

// nowhere is an Out that keeps nothing, and lends one slot.
type nowhere struct{}

func (nowhere) Child(processor.Child) error     { return nil }
func (nowhere) Write(string, []byte, int) error { return nil }
func (nowhere) Count(int64, int64)              {}
func (nowhere) Keep(float64)                    {}
func (nowhere) Request(string, int64)           {}
func (nowhere) Borrow() (processor.Slot, bool)  { return nil, false }
func (nowhere) Due() processor.Due              { return processor.NotDue }

// A unit that is to end stops a copy in parts between two of them; the next goes
// on with it.
func TestHandedOnInParts(t *testing.T) {
	g := newGateway(t, "aaa", "bbb")
	g.put(t, "aaa", "k", noise(31*mib), 0)
	c := trial{url: g.url, bucket: "aaa", order: Order{To: "s3://bbb/", Above: 5 * mib, Part: 5 * mib}, config: gatewayConfig(g.url), slots: 1}
	c.dues = []processor.Due{processor.NotDue, processor.NotDue, processor.NotDue, processor.Share}
	tree, rows := c.run(t)
	require.Empty(t, tree.Failed)
	require.Greater(t, tree.Account.Nodes, int64(1))
	require.Regexp(t, `; [1-6] of 7 parts were there from before$`, rows["k"][0].ResultMessage)
	require.Equal(t, 7+signs, g.parts, "each part once")
	g.same(t, "aaa", "k", "bbb", "k")
}
