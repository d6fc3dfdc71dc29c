package s3serve

import (
	"bytes"
	"net/url"
	"strconv"
)

// maxPage is the most that one page holds, keys and common prefixes together.
const maxPage = 1000

// listQuery is what a ListObjectsV2 request asks for.
type listQuery struct {
	prefix, delimiter []byte
	after             []byte // list only what is above; nil: from the start
	startAfter, token string // as asked for, to be echoed
	maxKeys           int
	encode            bool
}

// parseListQuery reads the request's parameters.
func parseListQuery(v url.Values) (listQuery, *apiError) {
	q := listQuery{
		prefix:     []byte(v.Get("prefix")),
		delimiter:  []byte(v.Get("delimiter")),
		startAfter: v.Get("start-after"),
		maxKeys:    maxPage,
	}
	if q.startAfter != "" {
		q.after = []byte(q.startAfter)
	}
	if v.Has("continuation-token") {
		q.token = v.Get("continuation-token")
		at, err := parseToken(q.token)
		if err != nil {
			return q, invalidArgument("continuation-token", q.token, "The continuation token provided is incorrect")
		}
		q.after = at
	}
	if s := v.Get("max-keys"); s != "" {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return q, invalidArgument("max-keys", s, "Provided max-keys not an integer or within integer range")
		}
		if n < 0 {
			return q, invalidArgument("max-keys", s, "Argument maxKeys must be an integer between 0 and 2147483647")
		}
		q.maxKeys = int(min(n, maxPage))
	}
	switch s := v.Get("encoding-type"); s {
	case "":
	case "url":
		q.encode = true
	default:
		return q, invalidArgument("encoding-type", s, "Invalid Encoding Method specified in Request")
	}
	return q, nil
}

// page is what one request lists.
type page struct {
	objects   []int    // places of keys in the snapshot
	prefixes  [][]byte // common prefixes
	truncated bool
	last      []byte // the highest key or common prefix of a truncated page
}

// list selects the page that q asks for.
//
// Where to go on is said by the last key or common prefix alone: with a
// delimiter, nothing is listed that is not above it, and all that begins with a
// common prefix is listed as that prefix. start-after has the same meaning, so
// one inside a common prefix passes over the whole of it.
func (s *snapshot) list(q *listQuery) page {
	var p page
	if q.maxKeys == 0 {
		return p
	}
	i := s.seek(0, q.prefix)
	end := s.seekPast(i, q.prefix)
	if bytes.Compare(q.after, q.prefix) >= 0 && q.after != nil {
		i = s.after(i, q)
	}
	p.objects = make([]int, 0, min(q.maxKeys, max(end-i, 0)))
	for count := 0; i < end; count++ {
		if count == q.maxKeys {
			p.truncated = true
			return p
		}
		key := s.key(i)
		if cp := q.commonPrefix(key); cp != nil {
			p.prefixes = append(p.prefixes, cp)
			p.last = cp
			i = s.seekPast(i, cp)
			continue
		}
		p.objects = append(p.objects, i)
		p.last = key
		i++
	}
	return p
}

// after returns the first place from i on that is listed after q.after, which
// is not below the prefix.
func (s *snapshot) after(i int, q *listQuery) int {
	if bytes.HasPrefix(q.after, q.prefix) {
		if cp := q.commonPrefix(q.after); cp != nil {
			return s.seekPast(i, cp)
		}
	}
	i = s.seek(i, q.after)
	if i < len(s.refs) && bytes.Equal(s.key(i), q.after) {
		i++
	}
	return i
}

// commonPrefix returns the part of key, which begins with the prefix, up to and
// including the first delimiter after it, or nil.
func (q *listQuery) commonPrefix(key []byte) []byte {
	if len(q.delimiter) == 0 {
		return nil
	}
	at := bytes.Index(key[len(q.prefix):], q.delimiter)
	if at < 0 {
		return nil
	}
	n := len(q.prefix) + at + len(q.delimiter)
	return key[:n:n]
}
