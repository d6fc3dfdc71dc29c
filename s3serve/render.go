package s3serve

import (
	"strconv"
	"unicode/utf8"
)

const (
	xmlHeader = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	xmlns     = ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`
)

// appendPage appends the answer to q: the elements, and their order, of AWS.
func appendPage(b []byte, s *snapshot, bucket string, q *listQuery, p *page) []byte {
	value := appendText[string]
	name := appendText[[]byte]
	if q.encode {
		value, name = appendEncoded[string], appendEncoded[[]byte]
	}
	b = append(b, xmlHeader+"<ListBucketResult"+xmlns+"><Name>"...)
	b = appendText(b, bucket)
	b = append(b, "</Name><Prefix>"...)
	b = name(b, q.prefix)
	b = append(b, "</Prefix>"...)
	if q.startAfter != "" {
		b = append(b, "<StartAfter>"...)
		b = value(b, q.startAfter)
		b = append(b, "</StartAfter>"...)
	}
	if q.token != "" {
		b = append(b, "<ContinuationToken>"...)
		b = appendText(b, q.token)
		b = append(b, "</ContinuationToken>"...)
	}
	if p.truncated {
		b = append(b, "<NextContinuationToken>"...)
		b = appendToken(b, p.last)
		b = append(b, "</NextContinuationToken>"...)
	}
	b = append(b, "<KeyCount>"...)
	b = strconv.AppendInt(b, int64(len(p.objects)+len(p.prefixes)), 10)
	b = append(b, "</KeyCount><MaxKeys>"...)
	b = strconv.AppendInt(b, int64(q.maxKeys), 10)
	b = append(b, "</MaxKeys>"...)
	if len(q.delimiter) > 0 {
		b = append(b, "<Delimiter>"...)
		b = name(b, q.delimiter)
		b = append(b, "</Delimiter>"...)
	}
	if q.encode {
		b = append(b, "<EncodingType>url</EncodingType>"...)
	}
	b = append(b, "<IsTruncated>"...)
	b = strconv.AppendBool(b, p.truncated)
	b = append(b, "</IsTruncated>"...)
	for _, i := range p.objects {
		b = append(b, "<Contents><Key>"...)
		b = name(b, s.key(i))
		a := s.attrs(i)
		b = appendAttrs(b, &a)
	}
	for _, cp := range p.prefixes {
		b = append(b, "<CommonPrefixes><Prefix>"...)
		b = name(b, cp)
		b = append(b, "</Prefix></CommonPrefixes>"...)
	}
	return append(b, "</ListBucketResult>"...)
}

// appendAttrs appends what follows the key in Contents.
func appendAttrs(b []byte, a *attrs) []byte {
	b = append(b, "</Key>"...)
	return append(appendContent(b, a), "</Contents>"...)
}

// appendContent appends what a listing shows of an object's content.
func appendContent(b []byte, a *attrs) []byte {
	b = append(b, "<LastModified>"...)
	b = appendTime(b, a.seconds)
	b = append(b, "</LastModified><ETag>&quot;"...)
	if a.etag != nil {
		b = appendText(b, a.etag)
	} else {
		b = a.appendETag(b)
	}
	b = append(b, "&quot;</ETag><Size>"...)
	b = strconv.AppendInt(b, a.size, 10)
	b = append(b, "</Size><StorageClass>"...)
	if a.class != nil {
		b = appendText(b, a.class)
	} else {
		b = append(b, DefaultStorageClass...)
	}
	return append(b, "</StorageClass>"...)
}

// appendTime appends the time as S3 writes it, 2006-01-02T15:04:05.000Z.
// A page holds a thousand of them, and time.AppendFormat is slower.
func appendTime(b []byte, seconds int64) []byte {
	days, second := seconds/86400, seconds%86400
	if second < 0 {
		days, second = days-1, second+86400
	}
	// Howard Hinnant's civil_from_days: years begin in March, so that the leap
	// day is the last.
	days += 719468
	era := days / 146097
	if days < 0 {
		era = (days - 146096) / 146097
	}
	doe := days - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	m := (5*doy + 2) / 153
	day, month, year := doy-(153*m+2)/5+1, m+3, yoe+era*400
	if month > 12 {
		month, year = month-12, year+1
	}
	b = append2(append2(b, year/100), year%100)
	b = append2(append(b, '-'), month)
	b = append2(append(b, '-'), day)
	b = append2(append(b, 'T'), second/3600)
	b = append2(append(b, ':'), second/60%60)
	b = append2(append(b, ':'), second%60)
	return append(b, ".000Z"...)
}

func append2(b []byte, n int64) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// plainText marks the bytes that stand for themselves in XML text; 0xEF may
// begin U+FFFE or U+FFFF, which XML 1.0 cannot carry.
var plainText = func() (t [256]bool) {
	for c := 0x20; c < 256; c++ {
		t[c] = c != '<' && c != '>' && c != '&' && c != '"' && c != '\'' && c != 0xef
	}
	return t
}()

// appendText appends s as XML text. Characters that XML 1.0 cannot carry become
// references such as &#x1;, as from S3, which no strict parser accepts: clients
// ask for encoding-type=url where such keys may be.
func appendText[T string | []byte](b []byte, s T) []byte {
	from := 0
	for i := range len(s) {
		c := s[i]
		if plainText[c] {
			continue
		}
		switch {
		case c == 0xef && !nonCharacter(s, i):
			continue
		case c == 0xef:
			r, _ := utf8.DecodeRuneInString(string(s[i : i+3]))
			b = append(append(b, s[from:i]...), "&#x"...)
			b = append(strconv.AppendInt(b, int64(r), 16), ';')
			from = i + 3
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '&':
			b = append(b, "&amp;"...)
		case '"':
			b = append(b, "&quot;"...)
		case '\'':
			b = append(b, "&apos;"...)
		default: // below 0x20; a bare \r would be read as \n
			b = append(b, "&#x"...)
			b = append(strconv.AppendInt(b, int64(c), 16), ';')
		}
	}
	return append(b, s[from:]...)
}

// nonCharacter reports whether U+FFFE or U+FFFF begins at i.
func nonCharacter[T string | []byte](s T, i int) bool {
	return i+2 < len(s) && s[i+1] == 0xbf && s[i+2] >= 0xbe
}

// plainURL marks what S3 leaves as it is under encoding-type=url.
var plainURL = func() (t [256]bool) {
	for c := range 256 {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	}
	for _, c := range "/-_.*" {
		t[c] = true
	}
	return t
}()

// appendEncoded appends s in the encoding of encoding-type=url.
func appendEncoded[T string | []byte](b []byte, s T) []byte {
	const digits = "0123456789ABCDEF"
	from := 0
	for i := range len(s) {
		c := s[i]
		if plainURL[c] {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		if c == ' ' {
			b = append(b, '+')
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return append(b, s[from:]...)
}
