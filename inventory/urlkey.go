package inventory

import (
	"fmt"
	"strconv"
	"strings"
)

// plain are the bytes that a URL-encoded key keeps.
var plain = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.*/") {
		t[c] = true
	}
	return t
}()

const upperHex = "0123456789ABCDEF"

// appendURL appends a key as S3 URL-encodes it. Source: Amazon S3 API Reference,
// "ListObjectsV2", EncodingType, and S3 Inventory's "Key" field; both follow
// application/x-www-form-urlencoded but for '/'.
func appendURL(b []byte, key string) []byte {
	start := 0
	for i := range len(key) {
		c := key[i]
		if plain[c] {
			continue
		}
		b = append(b, key[start:i]...)
		if c == ' ' {
			b = append(b, '+')
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
		start = i + 1
	}
	return append(b, key[start:]...)
}

// decodeURL is the key that appendURL encoded; it takes %20 for a space too.
func decodeURL(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, nil
	}
	key := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '+':
			key = append(key, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", fmt.Errorf("key %q ends within an escape", s)
			}
			v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", fmt.Errorf("key %q has the escape %q, want %% and two hexadecimal digits", s, s[i:i+3])
			}
			key = append(key, byte(v))
			i += 2
		default:
			key = append(key, c)
		}
	}
	return string(key), nil
}
