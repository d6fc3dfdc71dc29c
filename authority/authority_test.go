package authority_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/authority"
)

const (
	rootLife = 10 * 365 * 24 * time.Hour
	leafLife = 397 * 24 * time.Hour
)

func made(t *testing.T) (*authority.Authority, string) {
	dir := filepath.Join(t.TempDir(), "ca")
	a, err := authority.Create(dir, "Test", rootLife, time.Now())
	require.NoError(t, err)
	return a, dir
}

func pool(t *testing.T, dir string) *x509.CertPool {
	text, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	require.NoError(t, err)
	p := x509.NewCertPool()
	require.True(t, p.AppendCertsFromPEM(text))
	return p
}

func pair(t *testing.T, file string) tls.Certificate {
	c, err := tls.LoadX509KeyPair(file, file[:len(file)-len(".pem")]+".key")
	require.NoError(t, err)
	return c
}

// A server and its clients know each other, and nobody of another authority.
func TestServerAndClientKnowEachOther(t *testing.T) {
	a, dir := made(t)
	server, err := a.Server([]string{"example.com", "127.0.0.1"}, leafLife, time.Now())
	require.NoError(t, err)
	client, err := a.Client("alice", leafLife, time.Now())
	require.NoError(t, err)
	other, _ := made(t)
	stranger, err := other.Client("alice", leafLife, time.Now())
	require.NoError(t, err)

	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair(t, server)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool(t, dir)}
	s.Config.ErrorLog = nil
	s.StartTLS()
	defer s.Close()
	get := func(cert *tls.Certificate) (string, error) {
		c := &tls.Config{RootCAs: pool(t, dir)}
		if cert != nil {
			c.Certificates = []tls.Certificate{*cert}
		}
		transport := &http.Transport{TLSClientConfig: c}
		defer transport.CloseIdleConnections()
		r, err := (&http.Client{Transport: transport}).Get(s.URL)
		if err != nil {
			return "", err
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		return string(body), err
	}
	mine, theirs, servers := pair(t, client), pair(t, stranger), pair(t, server)
	name, err := get(&mine)
	require.NoError(t, err)
	assert.Equal(t, "alice", name)
	for what, cert := range map[string]*tls.Certificate{"none": nil, "of another authority": &theirs, "of a server": &servers} {
		_, err = get(cert)
		require.Error(t, err, what)
	}
	require.NoError(t, servers.Leaf.VerifyHostname("example.com"))
	require.Error(t, servers.Leaf.VerifyHostname("other.com"))
}

func TestNothingIsWrittenOver(t *testing.T) {
	a, dir := made(t)
	before, err := os.ReadFile(filepath.Join(dir, "ca.key"))
	require.NoError(t, err)
	_, err = authority.Create(dir, "Test", rootLife, time.Now())
	require.ErrorContains(t, err, "ca.key exists")
	_, err = a.Client("alice", time.Hour, time.Now())
	require.NoError(t, err)
	_, err = a.Client("alice", time.Hour, time.Now())
	require.ErrorContains(t, err, "alice.key exists")
	for _, bad := range []string{"ca", "../x", "", "a b"} {
		_, err = a.Client(bad, time.Hour, time.Now())
		require.ErrorContains(t, err, "its name is")
	}
	after, err := os.ReadFile(filepath.Join(dir, "ca.key"))
	require.NoError(t, err)
	assert.Equal(t, before, after)
	info, err := os.Stat(filepath.Join(dir, "alice.key"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestNoCertificateOutlivesItsAuthority(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	a, err := authority.Create(dir, "Test", time.Hour, now)
	require.NoError(t, err)
	file, err := a.Client("alice", leafLife, now)
	require.NoError(t, err)
	assert.WithinDuration(t, now.Add(time.Hour), pair(t, file).Leaf.NotAfter, time.Second)
	_, err = a.Client("bob", time.Hour, now.Add(2*time.Hour))
	require.ErrorContains(t, err, "the authority ended on")
}

func TestOpen(t *testing.T) {
	_, err := authority.Open(t.TempDir())
	require.ErrorContains(t, err, "`ramify ca init")
	a, dir := made(t)
	file, err := a.Client("alice", time.Hour, time.Now())
	require.NoError(t, err)
	leaf := t.TempDir()
	for _, end := range []string{"pem", "key"} {
		text, err := os.ReadFile(filepath.Join(dir, "alice."+end))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(leaf, "ca."+end), text, 0o600))
	}
	_, err = authority.Open(leaf)
	require.ErrorContains(t, err, "is not the certificate of an authority", file)
}
