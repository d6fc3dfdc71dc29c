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

// members are what comes before the value of each column: its name as JSON,
// after the value of another one.
var members = func() (m [unknownColumn]string) {
	for c, name := range lower {
		m[c] = "," + strconv.Quote(name) + ":"
	}
	return m
}()

func appendNDJSON(b []byte, columns Columns, o *Object) []byte {
	for i := range len(columns.list) {
		c := column(columns.list[i])
		if i == 0 {
			b = append(append(b, '{'), members[c][1:]...)
		} else {
			b = append(b, members[c]...)
		}
		b = appendValue(b, c, o)
	}
	return append(b, '}', '\n')
}

func appendValue(b []byte, c column, o *Object) []byte {
	switch c {
	case bucketColumn:
		return appendJSON(b, o.Bucket)
	case keyColumn:
		return appendJSON(b, o.Key)
	case versionColumn:
		return appendJSON(b, o.VersionID)
	case latestColumn:
		return strconv.AppendBool(b, o.IsLatest)
	case markerColumn:
		return strconv.AppendBool(b, o.IsDeleteMarker)
	case sizeColumn:
		if !o.IsDeleteMarker {
			return strconv.AppendInt(b, o.Size, 10)
		}
	case modifiedColumn:
		if !o.LastModified.IsZero() {
			return append(appendTime(append(b, '"'), o.LastModified), '"')
		}
	case etagColumn:
		return appendJSON(b, o.ETag)
	case classColumn:
		return appendJSON(b, o.StorageClass)
	case multipartColumn:
		if o.ETag != "" {
			return strconv.AppendBool(b, multipart(o.ETag))
		}
	}
	return append(b, "null"...)
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

func readNDJSON(r io.Reader, columns Columns) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		in := &rowReader{r: r}
		rows := json.NewDecoder(in)
		for {
			var row struct {
				Bucket           string  `json:"bucket"`
				Key              *string `json:"key"`
				VersionID        string  `json:"versionid"`
				IsLatest         bool    `json:"islatest"`
				IsDeleteMarker   bool    `json:"isdeletemarker"`
				Size             int64   `json:"size"`
				LastModifiedDate string  `json:"lastmodifieddate"`
				ETag             string  `json:"etag"`
				StorageClass     string  `json:"storageclass"`
			}
			in.next()
			err := rows.Decode(&row)
			if errors.Is(err, io.EOF) {
				return
			}
			o := Object{
				Bucket: row.Bucket, VersionID: row.VersionID, IsLatest: row.IsLatest, IsDeleteMarker: row.IsDeleteMarker,
				Size: row.Size, ETag: row.ETag, StorageClass: row.StorageClass,
			}
			switch {
			case err != nil:
			case row.Key != nil:
				o.Key = *row.Key
			case columns.has(keyColumn):
				err = errors.New(`no "key"`)
			}
			if err == nil {
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
