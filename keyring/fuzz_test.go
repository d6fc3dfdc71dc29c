package keyring

import (
	"encoding/base64"
	"strings"
	"testing"
)

// FuzzParse: no text crashes the reader of keys, what it takes are one or two good
// keys, and no error says what may be a secret.
func FuzzParse(f *testing.F) {
	secret := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	f.Add("k1:" + secret)
	f.Add("# new\nk1:" + secret + "\nk2:" + secret)
	f.Add(`{"id":"k1","key":"` + secret + `"}`)
	f.Add("k1:" + secret + ",k1:" + secret)
	f.Add(secret)
	f.Add(`{"id":"k1","key":"` + secret + `"} {}`)
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := parse(text)
		if err == nil {
			if len(keys) < 1 || len(keys) > maxKeys {
				t.Fatalf("%d keys", len(keys))
			}
			for _, k := range keys {
				if !name.MatchString(k.ID) || len(k.Secret) < 32 {
					t.Fatalf("key %q of %d bytes", k.ID, len(k.Secret))
				}
			}
			return
		}
		if strings.ContainsAny(err.Error(), "\n\r\x1b") {
			t.Fatalf("the error is not one line: %q", err)
		}
		// Whatever is long enough to be a secret.
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n,:\"{}", r) }) {
			if len(word) > 32 && strings.Contains(err.Error(), word) {
				t.Fatalf("the error says %q: %v", word, err)
			}
		}
	})
}
