package schema

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
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
// keys rotate, and all can be replaced while it is in use. A nil Keyring signs
// nothing and accepts everything.
type Keyring struct {
	keys    atomic.Pointer[[]Key]
	unknown atomic.Pointer[func(id string)]
}

// NewKeyring checks the keys: each has a distinct name and at least 32 bytes.
func NewKeyring(keys ...Key) (*Keyring, error) {
	r := &Keyring{}
	if err := r.put(keys); err != nil {
		return nil, fmt.Errorf("make keyring: %w", err)
	}
	return r, nil
}

// Replace puts other keys in the place of all there are, at once for all who use
// the keyring. Keys that NewKeyring would not take change nothing.
func (r *Keyring) Replace(keys ...Key) error {
	if err := r.put(keys); err != nil {
		return fmt.Errorf("replace keys: %w", err)
	}
	return nil
}

// OnUnknown has Verify call f with a key id that is not in the ring, and look
// again before it refuses: f may replace the keys, or wait for who does. Many
// goroutines call it. The id is whatever the message says.
func (r *Keyring) OnUnknown(f func(id string)) { r.unknown.Store(&f) }

func (r *Keyring) put(keys []Key) error {
	seen := map[string]bool{}
	for _, k := range keys {
		switch {
		case k.ID == "" || seen[k.ID]:
			return fmt.Errorf("key name %q is empty or used twice", k.ID)
		case len(k.Secret) < sha256.Size:
			return fmt.Errorf("key %q has %d bytes, want at least %d", k.ID, len(k.Secret), sha256.Size)
		}
		seen[k.ID] = true
	}
	if len(keys) == 0 {
		return errors.New("no key given")
	}
	keys = slices.Clone(keys)
	r.keys.Store(&keys)
	return nil
}

// Sign returns the attributes to send with the body: key id and HMAC-SHA256
// (RFC 2104) of its exact bytes. A nil keyring returns nil.
func (r *Keyring) Sign(body []byte) map[string]string {
	if r == nil {
		return nil
	}
	k := (*r.keys.Load())[0]
	return map[string]string{AttrKeyID: k.ID, AttrSignature: signatures.EncodeToString(mac(k, body))}
}

// signatures are written in one way only: the decoder would otherwise pass over line
// breaks and two bits of the last character. The length says that there are no breaks.
var signatures = base64.RawURLEncoding.Strict()

// Verify returns ErrUnsigned unless the attributes sign the body with one of
// the keys. A nil keyring accepts everything.
func (r *Keyring) Verify(body []byte, attrs map[string]string) error {
	if r == nil {
		return nil
	}
	got, err := signatures.DecodeString(attrs[AttrSignature])
	if err != nil || len(attrs[AttrSignature]) != signatures.EncodedLen(sha256.Size) || attrs[AttrKeyID] == "" {
		return fmt.Errorf("verify message: %w", ErrUnsigned)
	}
	k, known := r.key(attrs[AttrKeyID])
	if tell := r.unknown.Load(); !known && tell != nil {
		(*tell)(attrs[AttrKeyID])
		k, known = r.key(attrs[AttrKeyID]) // also where somebody else had them replaced in between
	}
	if !known || !hmac.Equal(got, mac(k, body)) {
		return fmt.Errorf("verify message: %w", ErrUnsigned)
	}
	return nil
}

func (r *Keyring) key(id string) (Key, bool) {
	for _, k := range *r.keys.Load() {
		if k.ID == id {
			return k, true
		}
	}
	return Key{}, false
}

func mac(k Key, body []byte) []byte {
	h := hmac.New(sha256.New, k.Secret)
	h.Write(body)
	return h.Sum(nil)
}
