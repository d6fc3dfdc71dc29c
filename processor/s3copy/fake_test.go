package s3copy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/sink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is gofakes3 behind a gate at which requests are counted, delayed and
// refused.
type fake struct {
	*s3mem.Backend
	url     string
	latency time.Duration
	fault   func(r *http.Request) (code string, status int) // "" lets it through

	answer func(w http.ResponseWriter, r *http.Request) bool // of copies; false leaves it to gofakes3

	mu      sync.Mutex
	asked   map[string]int // by method, and "copy"
	flying  int            // copies
	history []string       // keys that copies were asked for, in order
}

func newFake(t testing.TB, buckets ...string) *fake {
	t.Helper()
	f := &fake{Backend: s3mem.New(), asked: map[string]int{}}
	for _, b := range buckets {
		require.NoError(t, f.CreateBucket(b))
	}
	inner := gofakes3.New(f.Backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(inner, w, r) }))
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func (f *fake) serve(inner http.Handler, w http.ResponseWriter, r *http.Request) {
	name := r.Method
	if r.Header.Get("X-Amz-Copy-Source") != "" {
		name = "copy"
	}
	f.mu.Lock()
	f.asked[name]++
	if name == "copy" {
		f.history = append(f.history, r.URL.Path)
		f.flying++
	}
	latency, fault := f.latency, f.fault
	f.mu.Unlock()
	defer func() {
		if name == "copy" {
			f.mu.Lock()
			f.flying--
			f.mu.Unlock()
		}
	}()
	time.Sleep(latency)
	if fault != nil {
		if code, status := fault(r); code != "" {
			w.WriteHeader(status)
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>as told</Message></Error>", code)
			return
		}
	}
	if match := r.Header.Get("X-Amz-Copy-Source-If-Match"); match != "" { // gofakes3 does not know it
		bucket, key, _ := strings.Cut(r.Header.Get("X-Amz-Copy-Source"), "/")
		if o, err := f.HeadObject(bucket, key); err == nil && fmt.Sprintf("%q", fmt.Sprintf("%x", o.Hash)) != match {
			w.WriteHeader(http.StatusPreconditionFailed)
			fmt.Fprint(w, "<Error><Code>PreconditionFailed</Code><Message>as told</Message></Error>")
			return
		}
	}
	if name == "copy" && f.answer != nil && f.answer(w, r) {
		return
	}
	inner.ServeHTTP(w, r)
}

func (f *fake) put(t testing.TB, bucket, key, content string) {
	t.Helper()
	_, err := f.PutObject(bucket, key, map[string]string{"Content-Type": "text/x-" + content, "X-Amz-Meta-Who": "me"}, strings.NewReader(content), int64(len(content)), nil)
	require.NoError(t, err)
}

// all is the content by key.
func (f *fake) all(t testing.TB, bucket string) map[string]string {
	t.Helper()
	got, err := f.ListBucket(bucket, nil, gofakes3.ListBucketPage{})
	require.NoError(t, err)
	all := map[string]string{}
	for _, c := range got.Contents {
		o, err := f.GetObject(bucket, c.Key, nil)
		require.NoError(t, err)
		b, err := io.ReadAll(o.Contents)
		require.NoError(t, err)
		all[c.Key] = string(b)
	}
	return all
}

func configOf(url string) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &url,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "k", SecretAccessKey: "secretsecret"}, nil
		}),
	}
}

// trial is a copy by the simplest engine.
type trial struct {
	url    string
	bucket string
	prefix string
	order  Order
	slots  int
	params map[string]string
	root   *processor.Node // instead of the bucket's
	dues   []processor.Due
	config aws.Config // of what is at url, if it is no fake
}

type outcomeRow struct{ Key, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage string }

func (c trial) run(t testing.TB) (*processortest.Tree, map[string][]outcomeRow) {
	t.Helper()
	if c.slots == 0 {
		c.slots = 16
	}
	if c.config.BaseEndpoint == nil {
		c.config = configOf(c.url)
	}
	p := New(Options{Config: c.config, Slots: c.slots})
	t.Cleanup(p.close)
	params := map[string]string{listing.ParamFormat: "ndjson", listing.ParamColumns: inventory.OutcomeColumns.String()}
	for k, v := range c.params {
		params[k] = v
	}
	n := processor.Node{Kind: Kind, Params: params}
	if c.root != nil {
		n = *c.root
		n.Params = params
	} else {
		root, err := Root(c.bucket, c.prefix, s3crawl.Range, c.order)
		require.NoError(t, err)
		n.ID, n.Args = root.ID, root.Args
	}
	tree, err := processortest.Walker{Set: processor.Set{Kind: p}, Out: func() *processortest.Recorder {
		return &processortest.Recorder{Idle: c.slots - 1, Dues: c.dues}
	}}.Walk(t.Context(), n)
	require.NoError(t, err)
	rows := map[string][]outcomeRow{}
	dec := json.NewDecoder(bytes.NewReader(tree.Streams[sink.Rows].Bytes()))
	for dec.More() {
		var r outcomeRow
		require.NoError(t, dec.Decode(&r))
		rows[r.Key] = append(rows[r.Key], r)
	}
	return tree, rows
}

func keysOf[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
