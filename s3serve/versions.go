package s3serve

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// NullVersion is the version of an object that was put without versioning.
const NullVersion = "null"

// Version is one version of an object, or a delete marker.
type Version struct {
	Object
	ID           string // [NullVersion] where empty
	DeleteMarker bool
}

// FromVersions returns a listing of a bucket with versioning. Versions may come
// in any order of keys; of one key the first is the newest. The objects of the
// bucket are the newest versions, where these are no delete markers. Such a
// listing cannot be changed.
func FromVersions(versions []Version) (*Listing, error) {
	sorted := slices.Clone(versions)
	slices.SortStableFunc(sorted, func(a, b Version) int { return strings.Compare(a.Key, b.Key) })
	var current []Object
	seen := map[string]bool{}
	for i := range sorted {
		v := &sorted[i]
		if v.ID == "" {
			v.ID = NullVersion
		}
		if err := validate(v.Object); err != nil {
			return nil, fmt.Errorf("list versions: %w", err)
		}
		if i == 0 || v.Key != sorted[i-1].Key {
			clear(seen)
			if !v.DeleteMarker {
				current = append(current, v.Object)
			}
		}
		if seen[v.ID] {
			return nil, fmt.Errorf("list versions: object %q has version %q twice", v.Key, v.ID)
		}
		seen[v.ID] = true
	}
	l, err := FromObjects(current)
	if err == nil {
		l.now.Load().versions = sorted
	}
	return l, err
}

// count is how many versions there are; without versioning, one an object.
func (s *snapshot) count() int {
	if s.versions != nil {
		return len(s.versions)
	}
	return len(s.refs)
}

func (s *snapshot) versionKey(i int) []byte {
	if s.versions != nil {
		return []byte(s.versions[i].Key)
	}
	return s.key(i)
}

func (s *snapshot) versionID(i int) string {
	if s.versions != nil {
		return s.versions[i].ID
	}
	return NullVersion
}

// seekVersion is the first place whose key is not below target or, with past,
// is above all that begin with it.
func (s *snapshot) seekVersion(target []byte, past bool) int {
	lo, hi := 0, s.count()
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		key := s.versionKey(mid)
		if bytes.Compare(key, target) < 0 || past && bytes.HasPrefix(key, target) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// versionsPage is what one request lists of versions.
type versionsPage struct {
	places    []int
	prefixes  [][]byte
	truncated bool
	key       []byte // of the last version or common prefix of a truncated page
	id        string // of the last version
}

func (s *snapshot) listVersions(q *listQuery, marker string) (p versionsPage, e *apiError) {
	i := s.seekVersion(q.prefix, false)
	if at := string(q.after); at != "" && at >= string(q.prefix) {
		cp := []byte(nil)
		if strings.HasPrefix(at, string(q.prefix)) {
			cp = q.commonPrefix(q.after)
		}
		switch {
		case cp != nil:
			i = s.seekVersion(cp, true)
		case marker == "":
			i = s.seekVersion(append(q.after, 0), false)
		default:
			for i = s.seekVersion(q.after, false); ; i++ {
				if i == s.count() || string(s.versionKey(i)) != at {
					return p, invalidArgument("version-id-marker", marker, "Invalid version id specified")
				}
				if s.versionID(i) == marker {
					i++
					break
				}
			}
		}
	}
	for n := 0; i < s.count() && bytes.HasPrefix(s.versionKey(i), q.prefix); n++ {
		if n == q.maxKeys {
			p.truncated = n > 0
			return p, nil
		}
		p.key, p.id = s.versionKey(i), ""
		if cp := q.commonPrefix(p.key); cp != nil {
			p.prefixes = append(p.prefixes, cp)
			p.key = cp
			i = s.seekVersion(cp, true)
			continue
		}
		p.id = s.versionID(i)
		p.places = append(p.places, i)
		i++
	}
	return p, nil
}

// serveVersions answers ListObjectVersions.
func (h *Handler) serveVersions(w http.ResponseWriter, r *request, s *snapshot) {
	v := url.Values{}
	for name, as := range map[string]string{"prefix": "prefix", "delimiter": "delimiter", "max-keys": "max-keys", "encoding-type": "encoding-type", "key-marker": "start-after"} {
		v.Set(as, r.query.Get(name))
	}
	q, e := parseListQuery(v)
	marker := r.query.Get("version-id-marker")
	if e == nil && marker != "" && q.startAfter == "" {
		e = invalidArgument("version-id-marker", marker, "A version-id marker cannot be specified without a key marker.")
	}
	var p versionsPage
	if e == nil {
		p, e = s.listVersions(&q, marker)
	}
	if e != nil {
		writeError(w, e)
		return
	}
	buf := h.buffers.Get().(*[]byte)
	defer h.buffers.Put(buf)
	*buf = appendVersions((*buf)[:0], s, r.bucket, &q, marker, &p)
	writeXML(w, http.StatusOK, *buf)
}

// appendVersions appends the answer: the elements, and their order, of AWS.
func appendVersions(b []byte, s *snapshot, bucket string, q *listQuery, marker string, p *versionsPage) []byte {
	name := appendText[[]byte]
	if q.encode {
		name = appendEncoded[[]byte]
	}
	element := func(tag string, value []byte, as func([]byte, []byte) []byte) {
		b = append(append(append(b, '<'), tag...), '>')
		b = as(b, value)
		b = append(append(append(b, "</"...), tag...), '>')
	}
	text := appendText[[]byte]
	b = append(b, xmlHeader+"<ListVersionsResult"+xmlns+">"...)
	element("Name", []byte(bucket), text)
	element("Prefix", q.prefix, name)
	element("KeyMarker", []byte(q.startAfter), name)
	element("VersionIdMarker", []byte(marker), text)
	if p.truncated {
		element("NextKeyMarker", p.key, name)
		if p.id != "" {
			element("NextVersionIdMarker", []byte(p.id), text)
		}
	}
	element("MaxKeys", strconv.AppendInt(nil, int64(q.maxKeys), 10), text)
	if len(q.delimiter) > 0 {
		element("Delimiter", q.delimiter, name)
	}
	if q.encode {
		element("EncodingType", []byte("url"), text)
	}
	element("IsTruncated", strconv.AppendBool(nil, p.truncated), text)
	for _, i := range p.places {
		deleted := i < len(s.versions) && s.versions[i].DeleteMarker
		kind := "Version"
		if deleted {
			kind = "DeleteMarker"
		}
		b = append(append(append(b, '<'), kind...), '>')
		element("Key", s.versionKey(i), name)
		element("VersionId", []byte(s.versionID(i)), text)
		latest := i == 0 || !bytes.Equal(s.versionKey(i), s.versionKey(i-1))
		element("IsLatest", strconv.AppendBool(nil, latest), text)
		a := s.versionAttrs(i)
		if deleted {
			element("LastModified", appendTime(nil, a.seconds), text)
		} else {
			b = appendContent(b, &a)
		}
		b = append(b, "<Owner><ID>s3serve</ID></Owner></"...)
		b = append(append(b, kind...), '>')
	}
	for _, cp := range p.prefixes {
		b = append(b, "<CommonPrefixes>"...)
		element("Prefix", cp, name)
		b = append(b, "</CommonPrefixes>"...)
	}
	return append(b, "</ListVersionsResult>"...)
}

func (s *snapshot) versionAttrs(i int) attrs {
	if s.versions == nil {
		return s.attrs(i)
	}
	o := s.versions[i].Object
	return decodeRecord(appendRecord(nil, o, false)[len(o.Key):])
}
