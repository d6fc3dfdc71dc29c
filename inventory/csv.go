package inventory

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
)

func appendCSV(b []byte, o *Object) []byte {
	b = appendField(b, o.Bucket)
	b = append(b, ',', '"')
	b = appendURL(b, o.Key)
	b = append(b, '"', ',', '"')
	b = strconv.AppendInt(b, o.Size, 10)
	b = append(b, '"', ',', '"')
	if !o.LastModified.IsZero() {
		b = appendTime(b, o.LastModified)
	}
	b = append(b, '"', ',')
	b = appendField(b, o.ETag)
	b = append(b, ',')
	b = appendField(b, o.StorageClass)
	return append(b, '\n')
}

// appendField appends a text in quotes, its own quotes doubled (RFC 4180).
func appendField(b []byte, s string) []byte {
	b = append(b, '"')
	for {
		quote := strings.IndexByte(s, '"')
		if quote < 0 {
			break
		}
		b = append(b, s[:quote]...)
		b = append(b, '"', '"')
		s = s[quote+1:]
	}
	b = append(b, s...)
	return append(b, '"')
}

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

func readCSV(r io.Reader) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		rows := csv.NewReader(r)
		rows.FieldsPerRecord = 6
		rows.ReuseRecord = true
		for {
			row, err := rows.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			var o Object
			if err == nil {
				o, err = parseCSV(row)
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

func parseCSV(row []string) (o Object, err error) {
	o = Object{Bucket: row[0], ETag: row[4], StorageClass: row[5]}
	if o.Key, err = decodeURL(row[1]); err != nil {
		return Object{}, err
	}
	if o.Size, err = strconv.ParseInt(row[2], 10, 64); err != nil {
		return Object{}, fmt.Errorf("parse size of key %q: %w", o.Key, err)
	}
	if o.LastModified, err = parseTime(row[3]); err != nil {
		return Object{}, fmt.Errorf("parse date of key %q: %w", o.Key, err)
	}
	return o, nil
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
