package inventory

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"unicode/utf8"
)

func appendNDJSON(b []byte, o *Object) []byte {
	b = append(b, `{"bucket":`...)
	b = appendJSON(b, o.Bucket)
	b = append(b, `,"key":`...)
	b = appendJSON(b, o.Key)
	b = append(b, `,"size":`...)
	b = strconv.AppendInt(b, o.Size, 10)
	b = append(b, `,"lastmodifieddate":`...)
	if o.LastModified.IsZero() {
		b = append(b, "null"...)
	} else {
		b = append(b, '"')
		b = appendTime(b, o.LastModified)
		b = append(b, '"')
	}
	b = append(b, `,"etag":`...)
	b = appendJSON(b, o.ETag)
	b = append(b, `,"storageclass":`...)
	b = appendJSON(b, o.StorageClass)
	return append(b, '}', '\n')
}

// appendJSON appends a JSON string (RFC 8259): quotes, backslashes and control
// characters escaped, what is not UTF-8 replaced.
func appendJSON(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(b, s[start:i]...)
				b = append(b, "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', upperHex[c>>4], upperHex[c&15])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func readNDJSON(r io.Reader) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		rows := json.NewDecoder(r)
		for {
			var row struct {
				Bucket           string  `json:"bucket"`
				Key              *string `json:"key"`
				Size             int64   `json:"size"`
				LastModifiedDate string  `json:"lastmodifieddate"`
				ETag             string  `json:"etag"`
				StorageClass     string  `json:"storageclass"`
			}
			err := rows.Decode(&row)
			if errors.Is(err, io.EOF) {
				return
			}
			o := Object{Bucket: row.Bucket, Size: row.Size, ETag: row.ETag, StorageClass: row.StorageClass}
			switch {
			case err != nil:
			case row.Key == nil:
				err = errors.New(`no "key"`)
			default:
				o.Key = *row.Key
				if o.LastModified, err = parseTime(row.LastModifiedDate); err != nil {
					err = fmt.Errorf("parse date of key %q: %w", o.Key, err)
				}
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}
