// Package counter is a proxy that counts requests per operation, so that a test
// can say what a service would have charged.
package counter

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Counter counts the requests that pass through it.
type Counter struct {
	URL string

	mu    sync.Mutex
	count map[string]int
}

// New starts a proxy in front of the server at target, until the test ends.
func New(t testing.TB, target string) *Counter {
	t.Helper()
	return start(t, target, false)
}

// NewFacing is New for clients that ask where answers say that a queue is: these name the
// proxy where the server names itself.
func NewFacing(t testing.TB, target string) *Counter {
	t.Helper()
	return start(t, target, true)
}

func start(t testing.TB, target string, facing bool) *Counter {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	c := &Counter{count: map[string]int{}}
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(u) },
		Transport: transport,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil { // otherwise the client waits no more: a long poll at the end of a test
				t.Logf("pass on %s: %v", operation(r), err)
			}
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	if facing {
		proxy.ModifyResponse = func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			_ = r.Body.Close()
			body = bytes.ReplaceAll(body, []byte(u.Host), []byte(strings.TrimPrefix(c.URL, "http://")))
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.add(operation(r))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	c.URL = server.URL
	return c
}

// operation is the name that AWS's JSON protocols send ("AmazonSQS.SendMessage"),
// without its service, that of RPC in the path (".../operation/PutMetricData"), that of
// the older query protocol in the form ("Action=SendMessage"), and otherwise the method.
func operation(r *http.Request) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndexByte(target, '.')+1:]
	}
	if _, name, found := strings.Cut(r.URL.Path, "/operation/"); found {
		return name
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if form, bad := url.ParseQuery(string(body)); err == nil && bad == nil && form.Get("Action") != "" {
			return form.Get("Action")
		}
	}
	return r.Method
}

func (c *Counter) add(operation string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[operation]++
}

// Requests is how many requests there were of each operation.
func (c *Counter) Requests() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.count)
}
