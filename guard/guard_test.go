package guard_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/authority"
	"github.com/ramify/ramify/guard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "a token of sixteen bytes"

// certificates are those of a server for 127.0.0.1 and job.example, and of alice.
type certificates struct{ dir, server, alice string }

func certify(t *testing.T) certificates {
	dir := t.TempDir()
	a, err := authority.Create(dir, "Test", time.Hour, time.Now())
	require.NoError(t, err)
	c := certificates{dir: dir}
	c.server, err = a.Server([]string{"job.example", "127.0.0.1"}, time.Hour, time.Now())
	require.NoError(t, err)
	c.alice, err = a.Client("alice", time.Hour, time.Now())
	require.NoError(t, err)
	return c
}

func keyOf(file string) string { return strings.TrimSuffix(file, ".pem") + ".key" }

func (c certificates) tls(mutual bool) guard.TLS {
	f := guard.TLS{Cert: c.server, Key: keyOf(c.server)}
	if mutual {
		f.ClientCA = filepath.Join(c.dir, "ca.pem")
	}
	return f
}

// TestWhereItMayListen: beyond loopback only where all is encrypted, and who asks known.
func TestWhereItMayListen(t *testing.T) {
	c := certify(t)
	cases := map[string]struct {
		address string
		tls     guard.TLS
		tokens  []string
		want    string
	}{
		"loopback":                    {address: "127.0.0.1:0"},
		"its name":                    {address: "localhost:0"},
		"version 6":                   {address: "[::1]:0"},
		"no host is loopback":         {address: ":0"},
		"everywhere":                  {address: "0.0.0.0:0", want: "beyond loopback"},
		"everywhere, version 6":       {address: "[::]:0", want: "beyond loopback"},
		"an address":                  {address: "192.0.2.1:0", want: "beyond loopback"},
		"a name":                      {address: "job.example:0", want: "beyond loopback"},
		"a token in the clear":        {address: "0.0.0.0:0", tokens: []string{token}, want: "beyond loopback"},
		"encrypted, for anybody":      {address: "0.0.0.0:0", tls: c.tls(false), want: "beyond loopback"},
		"encrypted, with a token":     {address: "0.0.0.0:0", tls: c.tls(false), tokens: []string{token}},
		"certificates of both":        {address: "0.0.0.0:0", tls: c.tls(true)},
		"certificates and a token":    {address: "0.0.0.0:0", tls: c.tls(true), tokens: []string{token}},
		"a short token":               {address: "127.0.0.1:0", tokens: []string{"short"}, want: "a token has 5 bytes, want at least 16"},
		"no port":                     {address: "127.0.0.1", want: "want HOST:PORT"},
		"a certificate without a key": {address: "127.0.0.1:0", tls: guard.TLS{Cert: c.server}, want: "together"},
		"clients without a server":    {address: "127.0.0.1:0", tls: guard.TLS{ClientCA: c.server}, want: "together"},
		"no such certificate":         {address: "127.0.0.1:0", tls: guard.TLS{Cert: "none", Key: "none"}, want: "read certificate"},
		"an authority that is none":   {address: "127.0.0.1:0", tls: guard.TLS{Cert: c.server, Key: keyOf(c.server), ClientCA: keyOf(c.server)}, want: "holds no certificate"},
		"no such authority":           {address: "127.0.0.1:0", tls: guard.TLS{Cert: c.server, Key: keyOf(c.server), ClientCA: "none"}, want: "read authority of clients"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := guard.New(guard.Options{Address: c.address, TLS: c.tls, Tokens: c.tokens})
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
			}
		})
	}
}

// asked is a request and its answer.
func asked(t *testing.T, h http.Handler, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:8008/jobs/x?secret=1", strings.NewReader("body"))
	change(r)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func echo(w http.ResponseWriter, r *http.Request) {
	if _, err := io.ReadAll(r.Body); err != nil {
		guard.Refuse(w, r, http.StatusRequestEntityTooLarge, "too large")
		return
	}
	guard.Note(r.Context()).Run = "a-run"
	guard.Answer(w, http.StatusAccepted, "ok")
}

// TestRequests: who may ask what, and the line of audit that each leaves.
func TestRequests(t *testing.T) {
	cases := map[string]struct {
		change func(*http.Request)
		code   int
		reason string
	}{
		"with the token":  {func(*http.Request) {}, 202, ""},
		"no token":        {func(r *http.Request) { r.Header.Del("Authorization") }, 401, "want Authorization"},
		"another":         {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token+"x") }, 401, "want Authorization"},
		"of another kind": {func(r *http.Request) { r.Header.Set("Authorization", "Basic "+token) }, 401, "want Authorization"},
		"bare":            {func(r *http.Request) { r.Header.Set("Authorization", token) }, 401, "want Authorization"},
		"localhost":       {func(r *http.Request) { r.Host = "localhost" }, 202, ""},
		"version 6":       {func(r *http.Request) { r.Host = "[::1]:8008" }, 202, ""},
		"its name":        {func(r *http.Request) { r.Host = "Jobs.example:8008" }, 202, ""},
		"another name":    {func(r *http.Request) { r.Host = "evil.example" }, 421, "another host"},
		"no name":         {func(r *http.Request) { r.Host = "" }, 421, "another host"},
		"page of its own": {func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Set("Origin", "http://127.0.0.1:8008")
		}, 202, ""},
		"typed by somebody":    {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "none") }, 202, ""},
		"page of another site": {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403, "another site"},
		"page of a neighbour":  {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403, "another site"},
		"of another origin":    {func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:80") }, 403, "another site"},
		"of no origin":         {func(r *http.Request) { r.Header.Set("Origin", "null") }, 403, "another site"},
		"too large":            {func(r *http.Request) { r.ContentLength = 1000 }, 413, "want at most 100"},
		"too large, and does not say so": {func(r *http.Request) {
			r.ContentLength, r.Body = -1, io.NopCloser(strings.NewReader(strings.Repeat("x", 1000)))
		}, 413, "too large"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var audit bytes.Buffer
			s, err := guard.New(guard.Options{Address: "127.0.0.1:8008", Hosts: []string{"jobs.example"}, Tokens: []string{"another token, of before", token}, MaxBody: 100, Audit: &audit})
			require.NoError(t, err)
			w := asked(t, s.Wrap(http.HandlerFunc(echo)), func(r *http.Request) {
				r.Header.Set("Authorization", "Bearer "+token)
				c.change(r)
			})
			assert.Equal(t, c.code, w.Code)
			var e guard.Entry
			require.NoError(t, json.Unmarshal(audit.Bytes(), &e))
			assert.Equal(t, [...]any{"REQUEST", "POST", "/jobs/x", c.code}, [...]any{e.Event, e.Method, e.Path, e.Status})
			assert.Contains(t, e.Reason, c.reason)
			assert.Equal(t, 1, strings.Count(audit.String(), "\n"))
			assert.NotContains(t, audit.String(), token)
			assert.NotContains(t, audit.String(), "secret")
			if c.code == 202 {
				assert.Equal(t, [...]any{"token", "a-run", ""}, [...]any{e.Client, e.Run, e.Reason})
			} else {
				assert.Contains(t, w.Body.String(), `{"error":"`)
				assert.Empty(t, e.Run)
			}
		})
	}
}

// TestFollowedLink: a link on a page of another site leads to what anybody may have, and
// to nothing else; no such page gets it in another way.
func TestFollowedLink(t *testing.T) {
	s, err := guard.New(guard.Options{Address: "127.0.0.1:8008", Tokens: []string{token}, Open: func(r *http.Request) bool { return r.URL.Path == "/" }})
	require.NoError(t, err)
	for _, c := range []struct {
		method, path, mode, dest string
		code                     int
	}{
		{http.MethodGet, "/", "navigate", "document", 202},
		{http.MethodGet, "/", "navigate", "iframe", 403},
		{http.MethodGet, "/", "cors", "empty", 403},
		{http.MethodGet, "/", "no-cors", "script", 403},
		{http.MethodPost, "/", "navigate", "document", 403},
		{http.MethodGet, "/api/runs", "navigate", "document", 403},
	} {
		w := asked(t, s.Wrap(http.HandlerFunc(echo)), func(r *http.Request) {
			r.Method, r.URL.Path = c.method, c.path
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", c.mode)
			r.Header.Set("Sec-Fetch-Dest", c.dest)
		})
		assert.Equal(t, c.code, w.Code, c)
	}
}

func TestRate(t *testing.T) {
	s, err := guard.New(guard.Options{Address: "127.0.0.1:8008", Tokens: []string{token}, Rate: 0.001, Burst: 2})
	require.NoError(t, err)
	h := s.Wrap(http.HandlerFunc(echo))
	with := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	for range 5 { // who may not ask anyway takes no turn
		assert.Equal(t, 401, asked(t, h, func(*http.Request) {}).Code)
	}
	assert.Equal(t, 202, asked(t, h, with).Code)
	assert.Equal(t, 202, asked(t, h, with).Code)
	w := asked(t, h, with)
	assert.Equal(t, 429, w.Code)
	assert.Equal(t, "1", w.Header().Get("Retry-After"))
}

// client asks a server with a certificate, if it has one.
func client(t *testing.T, c certificates, cert string) *http.Client {
	text, err := os.ReadFile(filepath.Join(c.dir, "ca.pem"))
	require.NoError(t, err)
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	require.True(t, config.RootCAs.AppendCertsFromPEM(text))
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, keyOf(cert))
		require.NoError(t, err)
		config.Certificates = []tls.Certificate{pair}
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 2 * time.Minute}
}

func TestMutualTLS(t *testing.T) {
	c := certify(t)
	var audit bytes.Buffer
	s, err := guard.New(guard.Options{Address: "0.0.0.0:0", TLS: c.tls(true), Audit: &audit})
	require.NoError(t, err)
	require.NoError(t, s.Start(t.Context(), http.HandlerFunc(echo)))
	_, port, err := net.SplitHostPort(s.Address())
	require.NoError(t, err)
	url := "https://127.0.0.1:" + port + "/jobs/x"
	r, err := client(t, c, c.alice).Post(url, "", nil)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	assert.Equal(t, 202, r.StatusCode)
	_, err = client(t, c, "").Post(url, "", nil) //nolint:bodyclose // there is none
	require.Error(t, err)

	ask, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	require.NoError(t, err)
	ask.Host = "job.example" // of the certificate
	r, err = client(t, c, c.alice).Do(ask)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	assert.Equal(t, 202, r.StatusCode)
	ask.Host = "evil.example"
	r, err = client(t, c, c.alice).Do(ask)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	assert.Equal(t, 421, r.StatusCode)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s.Stop(ctx)
	assert.Contains(t, audit.String(), `"client":"alice"`)
	assert.Equal(t, 3, strings.Count(audit.String(), "\n"))
}

// A certificate that is renewed is used without a restart; one that cannot be read
// leaves the one before.
func TestARenewedCertificateIsUsed(t *testing.T) {
	c, later := certify(t), certify(t)
	s, err := guard.New(guard.Options{Address: "127.0.0.1:0", TLS: c.tls(false), Tokens: []string{token}})
	require.NoError(t, err)
	require.NoError(t, s.Start(t.Context(), http.HandlerFunc(echo)))
	ask := func(c certificates) error {
		r, err := client(t, c, "").Post("https://"+s.Address()+"/", "", nil)
		if err == nil {
			err = r.Body.Close()
		}
		return err
	}
	require.NoError(t, ask(c))
	require.NoError(t, os.WriteFile(c.server, []byte("half"), 0o600))
	require.NoError(t, ask(c))
	for from, to := range map[string]string{keyOf(later.server): keyOf(c.server), later.server: c.server} {
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to, text, 0o600))
	}
	require.NoError(t, os.Chtimes(c.server, time.Time{}, time.Now().Add(time.Second)))
	require.NoError(t, ask(later))
	require.Error(t, ask(c))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s.Stop(ctx)
}
