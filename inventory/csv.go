package inventory

import (
	"strconv"
	"strings"
)

// appendCSV appends a row, every field in quotes (RFC 4180).
func appendCSV(b []byte, columns Columns, o *Object) []byte {
	for i := range len(columns.list) {
		if i == 0 {
			b = append(b, '"')
		} else {
			b = append(b, `","`...)
		}
		switch column(columns.list[i]) {
		case bucketColumn:
			b = appendDoubled(b, o.Bucket)
		case keyColumn:
			b = appendURL(b, o.Key)
		case versionColumn:
			b = appendDoubled(b, o.VersionID)
		case latestColumn:
			b = strconv.AppendBool(b, o.IsLatest)
		case markerColumn:
			b = strconv.AppendBool(b, o.IsDeleteMarker)
		case sizeColumn:
			if !o.IsDeleteMarker {
				b = strconv.AppendInt(b, o.Size, 10)
			}
		case modifiedColumn:
			if !o.LastModified.IsZero() {
				b = appendTime(b, o.LastModified)
			}
		case etagColumn:
			b = appendDoubled(b, o.ETag)
		case classColumn:
			b = appendDoubled(b, o.StorageClass)
		case multipartColumn:
			if o.ETag != "" {
				b = strconv.AppendBool(b, multipart(o.ETag))
			}
		}
	}
	return append(b, '"', '\n')
}

// appendDoubled appends a text, its quotes doubled.
func appendDoubled(b []byte, s string) []byte {
	for {
		quote := strings.IndexByte(s, '"')
		if quote < 0 {
			return append(b, s...)
		}
		b = append(b, s[:quote]...)
		b = append(b, '"', '"')
		s = s[quote+1:]
	}
}
