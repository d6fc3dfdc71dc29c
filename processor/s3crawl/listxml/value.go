package listxml

import (
	"strings"
	"time"
)

// unhex is the value of a hexadecimal digit, 255 of any other byte.
var unhex = func() (t [256]byte) {
	for c := range 256 {
		switch {
		case c >= '0' && c <= '9':
			t[c] = byte(c - '0')
		case c >= 'a' && c <= 'f':
			t[c] = byte(c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			t[c] = byte(c - 'A' + 10)
		default:
			t[c] = 255
		}
	}
	return t
}()

// number reads a decimal number of up to 18 digits, without a sign.
func number(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// writeURL appends what application/x-www-form-urlencoded stands for: '+' is a
// space, as S3 writes it. It is not ok where it is no such encoding.
func writeURL(to *strings.Builder, b []byte) (ok bool) {
	from := 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c != '%' && c != '+' {
			continue
		}
		to.Write(b[from:i])
		if c == '+' {
			to.WriteByte(' ')
			from = i + 1
			continue
		}
		if i+2 >= len(b) {
			return false
		}
		high, low := unhex[b[i+1]], unhex[b[i+2]]
		if high|low > 15 {
			return false
		}
		to.WriteByte(high<<4 | low)
		i += 2
		from = i + 1
	}
	to.Write(b[from:])
	return true
}

// dateTime reads a time, to the millisecond. S3's own form is read by hand,
// 2006-01-02T15:04:05.000Z with any number of decimals; others are those that
// the SDK reads.
func dateTime(b []byte) (time.Time, bool) {
	if t, ok := zulu(b); ok {
		return t, true
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, string(b)); err == nil {
			return t.UTC().Truncate(time.Millisecond), true
		}
	}
	return time.Time{}, false
}

func zulu(b []byte) (time.Time, bool) {
	const form = "2006-01-02T15:04:05"
	if len(b) <= len(form) || b[len(b)-1] != 'Z' || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return time.Time{}, false
	}
	bad := byte(0)
	two := func(i int) int64 {
		high, low := b[i]-'0', b[i+1]-'0'
		if high > 9 || low > 9 {
			bad = 1
		}
		return int64(high)*10 + int64(low)
	}
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	nanos := int64(0)
	if rest := b[len(form) : len(b)-1]; len(rest) > 0 {
		if rest[0] != '.' || len(rest) == 1 || len(rest) > 10 {
			return time.Time{}, false
		}
		unit := int64(time.Second)
		for _, c := range rest[1:] {
			if c < '0' || c > '9' {
				return time.Time{}, false
			}
			unit /= 10
			nanos += int64(c-'0') * unit
		}
		nanos -= nanos % int64(time.Millisecond)
	}
	if bad != 0 || year == 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	seconds := ((days(year, month, day)*24+hour)*60+minute)*60 + second
	return time.Unix(seconds, nanos).UTC(), true
}

func daysIn(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// days is the number of days from 1970-01-01. Source: Howard Hinnant,
// "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
func days(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	ofEra := year - era*400
	ofYear := (153*(month-3)+2)/5 + day - 1
	return era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468
}

// class is a storage class without an allocation, if it is one of S3's.
func class(b []byte) string {
	switch string(b) {
	case "STANDARD":
		return "STANDARD"
	case "STANDARD_IA":
		return "STANDARD_IA"
	case "INTELLIGENT_TIERING":
		return "INTELLIGENT_TIERING"
	case "ONEZONE_IA":
		return "ONEZONE_IA"
	case "GLACIER":
		return "GLACIER"
	case "GLACIER_IR":
		return "GLACIER_IR"
	case "DEEP_ARCHIVE":
		return "DEEP_ARCHIVE"
	case "REDUCED_REDUNDANCY":
		return "REDUCED_REDUNDANCY"
	case "EXPRESS_ONEZONE":
		return "EXPRESS_ONEZONE"
	case "OUTPOSTS":
		return "OUTPOSTS"
	case "SNOW":
		return "SNOW"
	case "":
		return ""
	}
	return string(b)
}
