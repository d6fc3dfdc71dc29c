// Package authority is a small certificate authority in a folder: for servers and
// clients of one's own that know each other by mutual TLS, and nobody else.
//
// A folder holds ca.pem, which everybody may read, ca.key, and a NAME.pem and
// NAME.key for each certificate. Keys are ECDSA P-256, in files that only their owner
// reads. Nothing is written over.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// skew is how long a new certificate has been valid already: clocks differ.
const skew = 5 * time.Minute

// root names the files of the authority itself.
const root = "ca"

// Authority is one that was opened.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

// Create makes an authority in a folder, which it makes where there is none.
func Create(dir, name string, life time.Duration, now time.Time) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	a := &Authority{dir: dir, key: key}
	c := template(name, life, now)
	c.IsCA, c.BasicConstraintsValid, c.MaxPathLenZero = true, true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	a.cert = c // it signs itself
	if err := a.write(root, c, key); err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	return Open(dir)
}

// Open opens the authority of a folder.
func Open(dir string) (*Authority, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, root+".pem"), filepath.Join(dir, root+".key"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open authority: there is none in %s: `ramify ca init %s` makes one", dir, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open authority %s: %w", dir, err)
	}
	key, is := pair.PrivateKey.(crypto.Signer)
	if !is || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("open authority: %s/%s.pem is not the certificate of an authority", dir, root)
	}
	return &Authority{dir: dir, cert: pair.Leaf, key: key}, nil
}

// fileName is what a certificate may be called.
var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Server makes the certificate of a server: its names and addresses, of which the
// first names the files.
func (a *Authority) Server(hosts []string, life time.Duration, now time.Time) (file string, err error) {
	c := template(hosts[0], life, now)
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
	return a.issue(strings.ReplaceAll(hosts[0], ":", "_"), c, now)
}

// Client makes the certificate of a client, which servers know by its name.
func (a *Authority) Client(name string, life time.Duration, now time.Time) (file string, err error) {
	c := template(name, life, now)
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.issue(name, c, now)
}

func (a *Authority) issue(name string, c *x509.Certificate, now time.Time) (string, error) {
	if !fileName.MatchString(name) || name == root {
		return "", fmt.Errorf("make certificate: its name is %q, want 1 to 64 letters, digits, '.', '_' or '-', and not %s", name, root)
	}
	if now.After(a.cert.NotAfter) {
		return "", fmt.Errorf("make certificate: the authority ended on %s: make another in another folder", a.cert.NotAfter.Format(time.DateOnly))
	}
	if c.NotAfter.After(a.cert.NotAfter) { // it is worth nothing longer
		c.NotAfter = a.cert.NotAfter
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make certificate: %w", err)
	}
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.BasicConstraintsValid = true
	if err := a.write(name, c, key); err != nil {
		return "", fmt.Errorf("make certificate: %w", err)
	}
	return filepath.Join(a.dir, name+".pem"), nil
}

func template(name string, life time.Duration, now time.Time) *x509.Certificate {
	return &x509.Certificate{ // x509 draws the serial number
		Subject:   pkix.Name{CommonName: name},
		NotBefore: now.Add(-skew), NotAfter: now.Add(life),
	}
}

// write writes a key, then its certificate, into files that do not exist.
func (a *Authority) write(name string, c *x509.Certificate, key *ecdsa.PrivateKey) error {
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		end, kind string
		mode      fs.FileMode
		bytes     []byte
	}{{".key", "PRIVATE KEY", 0o600, secret}, {".pem", "CERTIFICATE", 0o644, der}} {
		path := filepath.Join(a.dir, name+f.end)
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.mode)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s exists, and is not written over: choose another name, or remove it", path)
		}
		if err != nil {
			return err
		}
		err = pem.Encode(file, &pem.Block{Type: f.kind, Bytes: f.bytes})
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}
