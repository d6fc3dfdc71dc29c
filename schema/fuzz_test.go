package schema_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
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
		// One form: what was encoded once stays as it is, byte for byte.
		more, err := got.Encode()
		require.NoError(t, err)
		require.Equal(t, string(again), string(more))
	})
}

// FuzzVerify: only the HMAC of the exact bytes by the named key verifies, written in
// the one form that Sign has.
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
		require.NoError(t, ring.Verify(body, ring.Sign(body)))
	})
}

// FuzzTampering: of a signed message no byte can be changed, left out or added, in the
// body, the key's name or the signature.
func FuzzTampering(f *testing.F) {
	body, err := childMessage().Encode()
	require.NoError(f, err)
	for where := range 3 {
		f.Add(body, uint8(where), uint16(0), byte(1))
		f.Add(body, uint8(where), uint16(65535), byte(1))
		f.Add([]byte{}, uint8(where+3), uint16(42), byte('\n'))
		f.Add([]byte("x"), uint8(where+6), uint16(42), byte(0))
	}
	ring := keyring(f, newKey, oldKey)
	f.Fuzz(func(t *testing.T, body []byte, how uint8, at uint16, b byte) {
		signed := ring.Sign(body)
		parts := [3]string{string(body), signed[schema.AttrKeyID], signed[schema.AttrSignature]}
		part := &parts[how%3]
		i := int(at) % (len(*part) + 1)
		was := *part
		switch {
		case how/3%3 == 0 && i < len(was) && b != 0:
			*part = was[:i] + string([]byte{was[i] ^ b}) + was[i+1:]
		case how/3%3 == 1:
			*part = was[:i] + string([]byte{b}) + was[i:]
		case i < len(was):
			*part = was[:i] + was[i+1:]
		}
		if *part == was {
			return
		}
		err := ring.Verify([]byte(parts[0]), map[string]string{schema.AttrKeyID: parts[1], schema.AttrSignature: parts[2]})
		require.ErrorIs(t, err, schema.ErrUnsigned)
	})
}

// signs does by itself what Verify should do.
func signs(key, signature string, body []byte) bool {
	for _, k := range []schema.Key{oldKey, newKey} {
		h := hmac.New(sha256.New, k.Secret)
		h.Write(body)
		if key == k.ID && signature == base64.RawURLEncoding.EncodeToString(h.Sum(nil)) {
			return true
		}
	}
	return false
}

// FuzzSplit: the shares of children are their parent's, no more and no less.
func FuzzSplit(f *testing.F) {
	f.Add(uint64(schema.Whole), []byte{1, 0, 0, 0, 255, 255, 255, 255})
	f.Add(uint64(1), []byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, whole uint64, text []byte) {
		share := schema.Share(whole % uint64(schema.Whole+1))
		var weights []uint32
		for ; len(text) >= 4 && len(weights) < schema.MaxSlots; text = text[4:] {
			weights = append(weights, binary.LittleEndian.Uint32(text))
		}
		if len(weights) == 0 {
			return
		}
		var sum schema.Share
		all := share.Split(weights)
		require.Len(t, all, len(weights))
		for _, s := range all {
			require.LessOrEqual(t, s, share)
			sum += s
		}
		require.Equal(t, share, sum)
	})
}

// FuzzTexts: what names a node, a post or a share has one spelling, or is refused.
func FuzzTexts(f *testing.F) {
	f.Add("omC5CwA6BKjGvrfDtSrvag")
	f.Add("0123456789abcdef")
	f.Add("4611686018427387904")
	f.Fuzz(func(t *testing.T, text string) {
		var pid schema.PID
		if pid.UnmarshalText([]byte(text)) == nil {
			again, err := pid.MarshalText()
			require.NoError(t, err)
			require.Equal(t, text, string(again))
		}
		var share schema.Share
		if share.UnmarshalText([]byte(text)) == nil {
			require.LessOrEqual(t, share, schema.Whole)
		}
		var mid, same schema.MID
		if mid.UnmarshalText([]byte(text)) == nil {
			again, err := mid.MarshalText()
			require.NoError(t, err)
			require.NoError(t, same.UnmarshalText(again))
			require.Equal(t, mid, same)
		}
	})
}
