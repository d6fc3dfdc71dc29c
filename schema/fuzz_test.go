package schema_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/schema"
)

// FuzzParse: no text crashes Parse, and what it takes is a message that
// survives another way through the queue unchanged and fits the schema.
func FuzzParse(f *testing.F) {
	body, err := childMessage().Encode()
	require.NoError(f, err)
	f.Add(body)
	f.Add(body[:len(body)/2])
	f.Add([]byte(`{"v":1,"run":"r","op":"node","kind":"k","id":"","up":{"pid":"","slot":0},"mid":"0","depth":0,"share":"4611686018427387904"}`))
	f.Add([]byte(` { "v" : 1 , "run":"r","op":"climb","kind":"k.a-b","id":"\u2028\ud800","args":{"":[{}, "\\\""]},"up":{"slot":255,"pid":"omC5CwA6BKjGvrfDtSrvag"},` +
		`"hdr":{"k":256,"own":{"f":-1},"up":{"pid":"","slot":0},"red":true},"grp":"O-6LSFFlVPbgfwQsgxudUA","mid":"F","re":2,"ep":1,"try":3,"depth":10000,"share":"0"}`))
	f.Add([]byte(`{"v":2,"what":{"is":["this"]}}`))
	f.Add([]byte(`{"v":1,"V":1,"v":null}`))
	f.Add([]byte(strings.Repeat(`{"v":`, 1000)))

	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := schema.Parse(body)
		if err != nil {
			assert.Nil(t, m)
			return
		}
		require.NoError(t, m.Validate())
		require.NoError(t, checkSchema(body))
		if len(body) > schema.MaxMessage/2 {
			return // some characters take more room when they are written again
		}
		again, err := m.Encode()
		require.NoError(t, err)
		got, err := schema.Parse(again)
		require.NoError(t, err)
		require.Equal(t, compacted(t, m), got)
	})
}

// FuzzVerify: only the HMAC of the exact bytes by the named key verifies.
func FuzzVerify(f *testing.F) {
	ring := keyring(f, newKey, oldKey)
	body := []byte(`{"v":1}`)
	signed := ring.Sign(body)
	f.Add(body, signed[schema.AttrKeyID], signed[schema.AttrSignature])
	f.Add(body, oldKey.ID, signed[schema.AttrSignature])
	f.Add([]byte(`{"v":2}`), newKey.ID, signed[schema.AttrSignature])
	f.Add([]byte{}, "", "")

	f.Fuzz(func(t *testing.T, body []byte, key, signature string) {
		err := ring.Verify(body, map[string]string{schema.AttrKeyID: key, schema.AttrSignature: signature})
		require.Equal(t, err == nil, signs(key, signature, body))

		good := ring.Sign(body)
		require.NoError(t, ring.Verify(body, good))
		require.ErrorIs(t, ring.Verify(append(bytes.Clone(body), 0), good), schema.ErrUnsigned)
	})
}

// signs does by itself what Verify should do.
func signs(key, signature string, body []byte) bool {
	got, err := base64.RawURLEncoding.DecodeString(signature)
	for _, k := range []schema.Key{oldKey, newKey} {
		h := hmac.New(sha256.New, k.Secret)
		h.Write(body)
		if key == k.ID && err == nil && bytes.Equal(got, h.Sum(nil)) {
			return true
		}
	}
	return false
}
