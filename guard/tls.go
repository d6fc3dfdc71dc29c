package guard

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// TLS says by which certificate a server is known, and which clients it knows. Files
// are PEM.
type TLS struct {
	Cert, Key string // files; both empty: not encrypted
	ClientCA  string // file of the authorities of clients; empty: any client
}

// loaded is a certificate, read again when its file changes: so one that is renewed
// needs no restart.
type loaded struct {
	files TLS
	pool  *x509.CertPool // nil: clients need no certificate

	mu   sync.Mutex
	cert *tls.Certificate
	of   time.Time // of the file
}

func (t TLS) load() (*loaded, error) {
	switch {
	case t == TLS{}:
		return nil, nil
	case t.Cert == "" || t.Key == "":
		return nil, errors.New("read certificate: want --tls-cert and --tls-key together; --client-ca goes with both")
	}
	l := &loaded{files: t}
	if _, err := l.current(); err != nil {
		return nil, err
	}
	if t.ClientCA == "" {
		return l, nil
	}
	text, err := os.ReadFile(t.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("read authority of clients: %w", err)
	}
	l.pool = x509.NewCertPool()
	if !l.pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read authority of clients: %s holds no certificate, want PEM as `ramify ca` makes it", t.ClientCA)
	}
	return l, nil
}

// current is the certificate as its file now has it, or as it last could be read.
func (l *loaded) current() (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, err := os.Stat(l.files.Cert)
	if err == nil && l.cert != nil && info.ModTime().Equal(l.of) {
		return l.cert, nil
	}
	var cert tls.Certificate
	if err == nil {
		cert, err = tls.LoadX509KeyPair(l.files.Cert, l.files.Key)
	}
	switch {
	case err == nil:
		l.cert, l.of = &cert, info.ModTime()
	case l.cert == nil:
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return l.cert, nil
}

// clients reports whether clients must have a certificate.
func (l *loaded) clients() bool { return l != nil && l.pool != nil }

// named reports whether the certificate is for a host.
func (l *loaded) named(host string) bool {
	if l == nil {
		return false
	}
	cert, err := l.current()
	return err == nil && cert.Leaf.VerifyHostname(host) == nil
}

func (l *loaded) config() *tls.Config {
	if l == nil {
		return nil
	}
	c := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return l.current() },
	}
	if l.pool != nil {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, l.pool
	}
	return c
}

// nameOf is who a certificate says its owner is.
func nameOf(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return c.Subject.CommonName
	}
	return c.Subject.String()
}
