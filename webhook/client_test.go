package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func keys(t testing.TB, id string) *schema.Keyring {
	t.Helper()
	ring, err := schema.NewKeyring(schema.Key{ID: id, Secret: []byte(strings.Repeat(id, 32))})
	require.NoError(t, err)
	return ring
}

// app serves an application and makes a client of it.
func app(t testing.TB, h http.HandlerFunc, o webhook.Options) *webhook.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return client(t, s.URL+"/jobs", o)
}

func client(t testing.TB, at string, o webhook.Options) *webhook.Client {
	t.Helper()
	u, err := webhook.ParseURL(at)
	require.NoError(t, err)
	o.URL = u
	c := webhook.NewClient(o)
	t.Cleanup(c.Close)
	return c
}

// The request is the one that the page of Elastic Beanstalk describes, whatever the
// message has in it.
func TestRequestIsTheDaemons(t *testing.T) {
	var got *http.Request
	var body []byte
	c := app(t, func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}, webhook.Options{})
	a, err := c.Post(t.Context(), &webhook.Work{
		ID: "5fea7756", Queue: "jobs", Received: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Receives: 3, Sender: "123456789012",
		Task: "audit", At: "2026-01-02T03:00:00Z", Path: "/audit",
		Attrs: map[string]string{
			"origin": "AEJ", "evil": "a\r\nX-Admin: yes\x00", "bad name": "x", "new\r\nline": "x", "utf8": "\xffé",
		},
		Body: []byte(`hello`),
	})
	require.NoError(t, err)
	assert.Equal(t, webhook.Answer{}, a)
	assert.Equal(t, "/jobs/audit", got.URL.Path)
	assert.Equal(t, "hello", string(body))
	want := http.Header{
		"User-Agent": {"aws-sqsd/2.0"}, "Content-Type": {"application/json"}, "Content-Length": {"5"}, "Accept-Encoding": nil,
		"Accept": {"application/vnd.ramify.answer+json, */*;q=0.1"}, "X-Aws-Sqsd-Msgid": {"5fea7756"}, "X-Aws-Sqsd-Queue": {"jobs"},
		"X-Aws-Sqsd-First-Received-At": {"2026-01-02T03:04:05Z"}, "X-Aws-Sqsd-Receive-Count": {"3"}, "X-Aws-Sqsd-Sender-Id": {"123456789012"},
		"X-Aws-Sqsd-Taskname": {"audit"}, "X-Aws-Sqsd-Scheduled-At": {"2026-01-02T03:00:00Z"}, "X-Aws-Sqsd-Path": {"/audit"},
		"X-Aws-Sqsd-Attr-Origin": {"AEJ"}, "X-Aws-Sqsd-Attr-Evil": {"a  X-Admin: yes"}, "X-Aws-Sqsd-Attr-Utf8": {"é"},
	}
	delete(want, "Accept-Encoding")
	assert.Equal(t, want, got.Header)
}

func TestAnswers(t *testing.T) {
	const ours = webhook.AnswerType
	for name, test := range map[string]struct {
		code       int
		kind, body string
		want       webhook.Answer
		err        string
	}{
		"any body of another type":  {200, "text/html", `{"children": [{}`, webhook.Answer{}, ""},
		"no body":                   {200, "", "", webhook.Answer{}, ""},
		"children":                  {200, ours + "; charset=utf-8", `{"children": [{"id": "a"}], "objects": 2}`, webhook.Answer{Children: []webhook.Child{{ID: "a"}}, Objects: 2}, ""},
		"no JSON":                   {200, ours, `{"children": [`, webhook.Answer{}, "the answer cannot be used: read answer: unexpected EOF"},
		"empty":                     {200, ours, ``, webhook.Answer{}, "the answer cannot be used"},
		"an unknown field":          {200, ours, `{"childs": []}`, webhook.Answer{}, `unknown field "childs"`},
		"two objects":               {200, ours, `{} {}`, webhook.Answer{}, "there is more behind"},
		"a row that is no object":   {200, ours, `{"rows": [{}, 1]}`, webhook.Answer{}, `rows[1] is "1", want a JSON object`},
		"args that are no object":   {200, ours, `{"children": [{"id": "a", "args": []}]}`, webhook.Answer{}, `children[0].args is "[]"`},
		"fewer than no bytes":       {200, ours, `{"bytes": -1}`, webhook.Answer{}, `bytes is "-1"`},
		"too large":                 {200, ours, `{"error": "` + strings.Repeat("x", 2000) + `"}`, webhook.Answer{}, "it has more than 1000 bytes"},
		"done and failed":           {200, ours, `{"error": "no room"}`, webhook.Answer{}, `error is "no room", want none with status 200`},
		"done and given up":         {200, ours, `{"give_up": true}`, webhook.Answer{}, "want none with status 200"},
		"failed at length":          {500, ours, `{"error": "` + strings.Repeat("x", 2000) + `"}`, webhook.Answer{}, "it answers 500 Internal Server Error"},
		"created":                   {201, "", "", webhook.Answer{}, "it answers 201 Created"},
		"a redirect":                {302, "", "", webhook.Answer{}, "it answers 302 Found"},
		"an error with words":       {500, "text/plain", "no\nroom\x1b[31m", webhook.Answer{}, "it answers 500 Internal Server Error: no room [31m"},
		"an error with many words":  {500, "text/plain", strings.Repeat("é", 1000), webhook.Answer{}, "…"},
		"an error in our own words": {500, ours, `{"error": "no room"}`, webhook.Answer{}, "it answers 500 Internal Server Error: no room"},
	} {
		t.Run(name, func(t *testing.T) {
			var elsewhere atomic.Bool
			c := app(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/jobs" {
					elsewhere.Store(true)
				}
				w.Header().Set("Content-Type", test.kind)
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(test.code)
				_, _ = io.WriteString(w, test.body)
			}, webhook.Options{MaxAnswer: 1000})
			got, err := c.Post(t.Context(), &webhook.Work{ID: "1"})
			assert.Equal(t, test.want, got)
			assert.False(t, elsewhere.Load(), "a redirect was followed")
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.err)
			status := (*webhook.StatusError)(nil)
			assert.Equal(t, test.code != 200, errors.As(err, &status))
			assert.Equal(t, test.code == 200, errors.Is(err, webhook.ErrAnswer))
			assert.Less(t, len(err.Error()), 500)
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "4000000000": 0, "1000000": 12 * time.Hour,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:00 GMT": 0,
	} {
		c := app(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(http.StatusServiceUnavailable)
		}, webhook.Options{Now: func() time.Time { return now }})
		_, err := c.Post(t.Context(), &webhook.Work{})
		status := (*webhook.StatusError)(nil)
		require.ErrorAs(t, err, &status)
		assert.Equal(t, want, status.After, value)
	}
}

// A name may resolve to whatever it likes: what is dialled is what counts.
func TestOnlyThisMachine(t *testing.T) {
	for _, at := range []string{"http://192.0.2.1/", "http://[2001:db8::1]/", "http://0.0.0.0/", "http://169.254.169.254/latest/meta-data"} {
		c := client(t, at, webhook.Options{Connect: time.Second})
		_, err := c.Post(t.Context(), &webhook.Work{})
		require.ErrorContains(t, err, "not an address of this machine", at)
	}
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:1") // is not heeded
	c := app(t, func(http.ResponseWriter, *http.Request) {}, webhook.Options{})
	_, err := c.Post(t.Context(), &webhook.Work{})
	require.NoError(t, err)
}

// One that is told that it may goes elsewhere.
func TestElsewhereIfTold(t *testing.T) {
	address := outside(t)
	l, err := net.Listen("tcp", address+":0")
	require.NoError(t, err)
	s := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	_, err = client(t, "http://"+l.Addr().String(), webhook.Options{}).Post(t.Context(), &webhook.Work{})
	require.ErrorContains(t, err, "not an address of this machine")
	require.ErrorIs(t, err, webhook.ErrUnreachable)
	_, err = client(t, "http://"+l.Addr().String(), webhook.Options{Remote: true}).Post(t.Context(), &webhook.Work{})
	require.NoError(t, err)
}

// outside is an address of this machine that is not loopback.
func outside(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback")
	return ""
}

func TestURLs(t *testing.T) {
	for text, want := range map[string]string{
		"http://localhost":             "",
		"https://localhost:8443/a/b":   "",
		"localhost:8000":               "want http:// or https://",
		"ftp://localhost/":             "want http:// or https://",
		"http:///path":                 "a host",
		"http://user:secret@localhost": "no user",
		"http://localhost/?token=x":    "no query",
		"http://localhost/#x":          "no fragment",
		"http://local host/":           "not a URL",
	} {
		_, err := webhook.ParseURL(text)
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want, text)
		assert.NotContains(t, err.Error(), "secret")
	}
}

func TestPaths(t *testing.T) {
	for path, fine := range map[string]bool{
		"/": true, "/a": true, "/a/b/": true, "/a-b_c.d~e": true,
		"": false, "a": false, "//host/a": false, "/a//b": false, "/../a": false, "/a/..": false, "/a/./b": false, "/..": false,
		"/..;/a": false, "/a/..;x=1/b": false, "/.;/a": false, "/;/a": false, "/a;v=1/b": true, "/a..;/b": true, "/...": true,
		"/%2e%2e/a": false, "/a?b": false, "/a#b": false, `/a\b`: false, "/a b": false, "/a\r\nHost: x": false, "/é": false,
		"http://host/": false, "/@host": true, "/" + strings.Repeat("a", 1024): false,
	} {
		err := webhook.CheckPath(path)
		assert.Equal(t, fine, err == nil, "%q: %v", path, err)
	}
	c := app(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }, webhook.Options{})
	_, err := c.Post(t.Context(), &webhook.Work{Path: "/../x"})
	require.ErrorContains(t, err, `path is "/../x"`)
}

// The daemon posts periodic tasks to paths of the host, wherever all else goes.
func TestRootedPaths(t *testing.T) {
	for rooted, want := range map[bool]string{false: "/jobs/a", true: "/a"} {
		var got []string
		c := app(t, func(_ http.ResponseWriter, r *http.Request) { got = append(got, r.RequestURI) }, webhook.Options{Rooted: rooted})
		for _, path := range []string{"/a", ""} {
			_, err := c.Post(t.Context(), &webhook.Work{Path: path})
			require.NoError(t, err)
		}
		assert.Equal(t, []string{want, "/jobs"}, got)
	}
}

// An application that is silent is given up; one that takes long and says so is not.
func TestInactivity(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	c := app(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
	}, webhook.Options{Inactivity: 50 * time.Millisecond})
	_, err := c.Post(t.Context(), &webhook.Work{Body: []byte("x")})
	close(release)
	require.ErrorContains(t, err, "the application has sent nothing for 50ms")

	// Longer than that in all, and a fraction of it at a time: whoever answers may be held up.
	const most = 8 * time.Second
	c = app(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", webhook.AnswerType)
		for i := range 25 {
			_, _ = io.WriteString(w, map[int]string{0: "{", 23: `"objects": 1`, 24: "}"}[i]+" ")
			w.(http.Flusher).Flush()
			<-time.After(most / 20)
		}
	}, webhook.Options{Inactivity: most})
	a, err := c.Post(t.Context(), &webhook.Work{})
	require.NoError(t, err)
	assert.EqualValues(t, 1, a.Objects)
}

func TestPostEndsWithItsContext(t *testing.T) {
	lost := errors.New("lease lost")
	arrived := make(chan struct{})
	c := app(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
	}, webhook.Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-arrived
		cancel(lost)
	}()
	_, err := c.Post(ctx, &webhook.Work{})
	require.ErrorIs(t, err, lost)
}

// Not more requests are under way than connections are allowed.
func TestConnections(t *testing.T) {
	var now, most atomic.Int64
	full := make(chan struct{}) // closed when as many are under way as may be
	var once sync.Once
	c := app(t, func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		if n == 3 {
			once.Do(func() { close(full) })
		}
		<-full
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-time.After(time.Millisecond)
		now.Add(-1)
	}, webhook.Options{Connections: 3})
	done := make(chan error)
	for range 40 {
		go func() {
			_, err := c.Post(t.Context(), &webhook.Work{})
			done <- err
		}()
	}
	for range 40 {
		require.NoError(t, <-done)
	}
	assert.EqualValues(t, 3, most.Load())
}

// Nothing is posted before the application is up, and one that has gone away is
// waited for again.
func TestHealthIsAwaited(t *testing.T) {
	var asked, posted, healthy atomic.Int64
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthy" {
			posted.Add(1)
			return
		}
		if healthy.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		asked.Add(1)
	})
	s := httptest.NewServer(h)
	address := s.Listener.Addr().String()
	c := client(t, s.URL+"/jobs", webhook.Options{Health: "/healthy", Patience: 5 * time.Minute})
	done := make(chan error)
	for range 5 {
		go func() {
			_, err := c.Post(t.Context(), &webhook.Work{})
			done <- err
		}()
	}
	for range 5 {
		require.NoError(t, <-done)
	}
	assert.EqualValues(t, 3, asked.Load(), "one asks for all")
	assert.EqualValues(t, 5, posted.Load())

	c.Close()
	s.Close()
	_, err := c.Post(t.Context(), &webhook.Work{})
	require.ErrorIs(t, err, webhook.ErrUnreachable)
	go func() {
		_, err := c.Post(t.Context(), &webhook.Work{})
		done <- err
	}()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	again := &http.Server{Handler: h}
	go func() { _ = again.Serve(l) }()
	t.Cleanup(func() { _ = again.Close() })
	require.NoError(t, <-done)
}

func TestAwaitGivesUp(t *testing.T) {
	c := app(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, webhook.Options{Health: "/up", Patience: 1100 * time.Millisecond})
	_, err := c.Post(t.Context(), &webhook.Work{})
	require.ErrorIs(t, err, webhook.ErrUnreachable)
	require.ErrorContains(t, err, "/up: the application cannot be reached within 1.1s: it answers 500")
}

func TestSignedRequests(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ring := keys(t, "k1")
	c := app(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		path, _ := url.Parse(r.RequestURI)
		verify := func(h http.Header, path, body string, at time.Time) error {
			return webhook.Verify(ring, h, path, []byte(body), at, time.Minute)
		}
		assert.NoError(t, verify(r.Header, path.Path, string(body), now))
		assert.NoError(t, verify(r.Header, path.Path, string(body), now.Add(59*time.Second)))
		changed := func(name, value string) http.Header {
			h := r.Header.Clone()
			h.Set(name, value)
			return h
		}
		for what, err := range map[string]error{
			"another body":  verify(r.Header, path.Path, string(body)+" ", now),
			"another path":  verify(r.Header, "/other", string(body), now),
			"later":         verify(r.Header, path.Path, string(body), now.Add(61*time.Second)),
			"earlier":       verify(r.Header, path.Path, string(body), now.Add(-61*time.Second)),
			"another time":  verify(changed(webhook.HeaderTime, fmt.Sprint(now.Unix()+1)), path.Path, string(body), now),
			"no time":       verify(changed(webhook.HeaderTime, ""), path.Path, string(body), now),
			"another task":  verify(changed(webhook.HeaderTask, "drop"), path.Path, string(body), now),
			"another key":   verify(changed(webhook.HeaderKey, "k2"), path.Path, string(body), now),
			"no signature":  verify(changed(webhook.HeaderSignature, ""), path.Path, string(body), now),
			"others' keys":  webhook.Verify(keys(t, "k2"), r.Header, path.Path, body, now, time.Minute),
			"no keys":       webhook.Verify(nil, r.Header, path.Path, body, now, time.Minute),
			"as a message":  ring.Verify(body, map[string]string{schema.AttrKeyID: "k1", schema.AttrSignature: r.Header.Get(webhook.HeaderSignature)}),
			"a new line in": verify(changed(webhook.HeaderTask, "\n"), path.Path, string(body), now),
		} {
			assert.Error(t, err, what)
		}
	}, webhook.Options{Keys: ring, Now: func() time.Time { return now }})
	_, err := c.Post(t.Context(), &webhook.Work{Path: "/a", Task: "audit", Body: []byte(`{}`)})
	require.NoError(t, err)
}

// What is nested without end is refused before anything is made of it.
func TestDeepAnswers(t *testing.T) {
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	for _, body := range []string{
		`{"rows": [{"a": ` + deep + `}]}`, `{"children": [{"id": "a", "args": {"a": ` + deep + `}}]}`, `{"unknown": ` + deep + `}`,
		`{"rows": ` + strings.Repeat(`[`, 100_000), deep,
	} {
		a, err := webhook.ReadAnswer([]byte(body))
		require.ErrorContains(t, err, "exceeded max depth")
		assert.Less(t, len(err.Error()), 200)
		assert.Equal(t, webhook.Answer{}, a)
	}
}
