package schema_test

import (
	"bytes"
	"errors"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/schema"
)

var (
	oldKey = schema.Key{ID: "2026-10", Secret: []byte("0123456789abcdef0123456789abcdef")}
	newKey = schema.Key{ID: "2026-11", Secret: bytes.Repeat([]byte("n"), 48)}
)

func keyring(t testing.TB, keys ...schema.Key) *schema.Keyring {
	t.Helper()
	r, err := schema.NewKeyring(keys...)
	require.NoError(t, err)
	return r
}

func TestSignatureIsHMACSHA256OfTheBody(t *testing.T) {
	assert.Equal(t, map[string]string{
		schema.AttrKeyID:     "2026-10",
		schema.AttrSignature: "g3qZdotlwwHDE1ZyTebgaaO9mfJI6yAnGEi6_VQ72LU", // by another implementation
	}, keyring(t, oldKey).Sign([]byte(`{"v":1}`)))
}

func TestVerify(t *testing.T) {
	body, other := []byte(`{"v":1,"id":"a"}`), []byte(`{"v":1,"id":"b"}`)
	old, both, rotated := keyring(t, oldKey), keyring(t, newKey, oldKey), keyring(t, newKey)
	stranger := keyring(t, schema.Key{ID: oldKey.ID, Secret: newKey.Secret})

	assert.NoError(t, old.Verify(body, old.Sign(body)))
	assert.NoError(t, both.Verify(body, old.Sign(body)), "while keys rotate, the old one still holds")
	assert.NoError(t, both.Verify(body, both.Sign(body)))
	assert.NoError(t, rotated.Verify(body, both.Sign(body)), "the first key signs")

	edit := func(attrs map[string]string, name, value string) map[string]string {
		attrs = maps.Clone(attrs)
		attrs[name] = value
		return attrs
	}
	good := both.Sign(body)
	sig := good[schema.AttrSignature]
	refused := map[string]struct {
		ring  *schema.Keyring
		body  []byte
		attrs map[string]string
	}{
		"unsigned":                        {both, body, nil},
		"only a signature":                {both, body, map[string]string{schema.AttrSignature: sig}},
		"only a key":                      {both, body, map[string]string{schema.AttrKeyID: newKey.ID}},
		"a tampered body":                 {both, append(bytes.Clone(body), ' '), good},
		"no body":                         {both, nil, good},
		"another message's attributes":    {both, body, both.Sign(other)},
		"the other key's name":            {both, body, edit(good, schema.AttrKeyID, oldKey.ID)},
		"swapped attributes":              {both, body, map[string]string{schema.AttrKeyID: sig, schema.AttrSignature: newKey.ID}},
		"an unknown key":                  {both, body, edit(good, schema.AttrKeyID, "2027-01")},
		"a key that has been retired":     {rotated, body, old.Sign(body)},
		"a known name, another secret":    {old, body, stranger.Sign(body)},
		"half a signature":                {both, body, edit(good, schema.AttrSignature, sig[:20])},
		"an empty signature":              {both, body, edit(good, schema.AttrSignature, "")},
		"a signature that is not base64":  {both, body, edit(good, schema.AttrSignature, "!"+sig[1:])},
		"a signature with something more": {both, body, edit(good, schema.AttrSignature, sig+"AAAA")},
	}
	for name, c := range refused {
		assert.ErrorIs(t, c.ring.Verify(c.body, c.attrs), schema.ErrUnsigned, name)
	}
}

func TestNoKeyringSignsNothingAndTakesEverything(t *testing.T) {
	var none *schema.Keyring
	assert.Nil(t, none.Sign([]byte("x")))
	assert.NoError(t, none.Verify([]byte("x"), nil))
	assert.NoError(t, none.Verify([]byte("x"), keyring(t, oldKey).Sign([]byte("y"))))
}

func TestKeyringRefuses(t *testing.T) {
	short := schema.Key{ID: "short", Secret: make([]byte, 31)}
	for says, keys := range map[string][]schema.Key{
		"no key":                       nil,
		`"short" has 31 bytes`:         {short},
		`"short" has 31 bytes, want a`: {oldKey, short},
		`"2026-10" is empty or used`:   {oldKey, {ID: oldKey.ID, Secret: newKey.Secret}},
		`"" is empty`:                  {{Secret: newKey.Secret}},
	} {
		_, err := schema.NewKeyring(keys...)
		require.ErrorContains(t, err, says)
	}

	_, err := schema.NewKeyring(schema.Key{ID: "k", Secret: []byte("top secret")})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "top secret")
}

// Keys are replaced at once for who signs and who verifies, by others that are
// good ones.
func TestKeysAreReplaced(t *testing.T) {
	k1, k2 := schema.Key{ID: "1", Secret: bytes.Repeat([]byte("a"), 32)}, schema.Key{ID: "2", Secret: bytes.Repeat([]byte("b"), 32)}
	r := keyring(t, k1)
	old := r.Sign([]byte("x"))
	for _, bad := range [][]schema.Key{nil, {k1, k1}, {{ID: "3", Secret: []byte("short")}}} {
		if r.Replace(bad...) == nil {
			t.Errorf("%d bad keys are taken", len(bad))
		}
	}
	if err := r.Verify([]byte("x"), old); err != nil {
		t.Errorf("after bad keys: %v", err)
	}
	if err := r.Replace(k2, k1); err != nil {
		t.Fatal(err)
	}
	if got := r.Sign([]byte("x"))[schema.AttrKeyID]; got != "2" {
		t.Errorf("signed with %s", got)
	}
	if err := r.Verify([]byte("x"), old); err != nil {
		t.Errorf("what was signed before: %v", err)
	}
	if err := r.Replace(k2); err != nil {
		t.Fatal(err)
	}
	if err := r.Verify([]byte("x"), old); !errors.Is(err, schema.ErrUnsigned) {
		t.Errorf("with a key that is gone: %v", err)
	}
}

// A key that is not there is asked for once, before the message is refused; what
// names none, or no signature, is refused at once.
func TestUnknownKeysAreAskedFor(t *testing.T) {
	k1, k2 := schema.Key{ID: "1", Secret: bytes.Repeat([]byte("a"), 32)}, schema.Key{ID: "2", Secret: bytes.Repeat([]byte("b"), 32)}
	r, other := keyring(t, k1), keyring(t, k2)
	var asked []string
	r.OnUnknown(func(id string) {
		asked = append(asked, id)
		if id != "2" {
			return
		}
		if err := r.Replace(k1, k2); err != nil {
			t.Error(err)
		}
	})
	if err := r.Verify([]byte("x"), other.Sign([]byte("x"))); err != nil {
		t.Errorf("a key that came: %v", err)
	}
	for _, attrs := range []map[string]string{
		nil,
		{schema.AttrKeyID: "3"},
		{schema.AttrKeyID: "3", schema.AttrSignature: "AAAA"},
		{schema.AttrSignature: other.Sign([]byte("x"))[schema.AttrSignature]},
		{schema.AttrKeyID: "1", schema.AttrSignature: other.Sign([]byte("x"))[schema.AttrSignature]},
		{schema.AttrKeyID: "4", schema.AttrSignature: other.Sign([]byte("x"))[schema.AttrSignature]},
	} {
		if err := r.Verify([]byte("x"), attrs); !errors.Is(err, schema.ErrUnsigned) {
			t.Errorf("%v: %v", attrs, err)
		}
	}
	if len(asked) != 2 || asked[0] != "2" || asked[1] != "4" {
		t.Errorf("asked for %q, want 2 and 4", asked)
	}
}
