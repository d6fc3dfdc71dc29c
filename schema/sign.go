package schema

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// Names of the message attributes that carry a signature.
const (
	AttrKeyID     = "ramify-key"
	AttrSignature = "ramify-sig"
)

// ErrUnsigned is returned where a signature is required and there is none, it
// names an unknown key, or it does not fit the body.
var ErrUnsigned = errors.New("message is not signed by a known key")

// Key is a signing key and the name by which messages refer to it.
type Key struct {
	ID     string
	Secret []byte // at least 32 bytes
}

// Keyring signs with its first key and verifies with any: two are valid while
// keys rotate. A nil Keyring signs nothing and accepts everything.
type Keyring struct{ keys []Key }

// NewKeyring checks the keys: each has a distinct name and at least 32 bytes.
func NewKeyring(keys ...Key) (*Keyring, error) {
	seen := map[string]bool{}
	for _, k := range keys {
		switch {
		case k.ID == "" || seen[k.ID]:
			return nil, fmt.Errorf("make keyring: key name %q is empty or used twice", k.ID)
		case len(k.Secret) < sha256.Size:
			return nil, fmt.Errorf("make keyring: key %q has %d bytes, want at least %d", k.ID, len(k.Secret), sha256.Size)
		}
		seen[k.ID] = true
	}
	if len(keys) == 0 {
		return nil, errors.New("make keyring: no key given")
	}
	return &Keyring{keys: keys}, nil
}

// Sign returns the attributes to send with the body: key id and HMAC-SHA256
// (RFC 2104) of its exact bytes. A nil keyring returns nil.
func (r *Keyring) Sign(body []byte) map[string]string {
	if r == nil {
		return nil
	}
	k := r.keys[0]
	return map[string]string{AttrKeyID: k.ID, AttrSignature: base64.RawURLEncoding.EncodeToString(mac(k, body))}
}

// Verify returns ErrUnsigned unless the attributes sign the body with one of
// the keys. A nil keyring accepts everything.
func (r *Keyring) Verify(body []byte, attrs map[string]string) error {
	if r == nil {
		return nil
	}
	got, err := base64.RawURLEncoding.DecodeString(attrs[AttrSignature])
	if err != nil {
		return fmt.Errorf("verify message: %w", ErrUnsigned)
	}
	for _, k := range r.keys {
		if k.ID == attrs[AttrKeyID] && hmac.Equal(got, mac(k, body)) {
			return nil
		}
	}
	return fmt.Errorf("verify message: %w", ErrUnsigned)
}

func mac(k Key, body []byte) []byte {
	h := hmac.New(sha256.New, k.Secret)
	h.Write(body)
	return h.Sum(nil)
}
