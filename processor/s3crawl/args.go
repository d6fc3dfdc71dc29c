package s3crawl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/schema"
)

// Kind is the kind of the nodes that this processor takes.
const Kind = "s3.crawl"

// Mode says what a node stands for.
type Mode string

// The modes of a crawl.
const (
	Range  Mode = "range"  // key ranges, cut on demand: the fast way
	Prefix Mode = "prefix" // one node per prefix, delimited by '/'
)

// What one message holds at most, so that neither a message nor a record of its
// parent's plan grows without bound.
const (
	maxSpans = 64
	maxBytes = 96 << 10 // of encoded ranges
)

// maxSize is the largest size of an object that is believed: a thousand times 5 TB,
// which no store comes near, and so little that the sum of a page fits into an int64.
const maxSize = 5e15

// span is the keys after < key ≤ until; until "" is no bound. Of versions it may
// begin within a key: with what comes behind version mark of key after.
type span struct {
	After string `json:"after"`
	Until string `json:"until"`
	Mark  string `json:"mark,omitempty"`
	Left  int64  `json:"left,omitempty"` // keys expected in it: a hint, of any quality
}

func (s span) empty() bool {
	return s.Until != "" && (s.Until < s.After || s.Until == s.After && s.Mark == "")
}

// overlaps reports whether a span has keys in common with one that does not
// begin before it.
func (s span) overlaps(next span) bool {
	return s.Until == "" || s.Until > next.After || s.Until == next.After && next.Mark != ""
}

// args is what a node's schema.Args hold.
type args struct {
	Bucket string `json:"bucket"`
	Prefix string `json:"prefix"`
	Mode   Mode   `json:"mode,omitempty"` // "" is Range
	Base   *int   `json:"base,omitempty"` // bytes of the root's prefix, where it is not Prefix
	Ranges []span `json:"ranges,omitempty"`
	Past   past   `json:"past,omitzero"` // of nodes that are what is left of another

	// With is for the crawl's Pages, the same in the whole tree; a JSON object.
	With json.RawMessage `json:"with,omitempty"`
}

// Root is the node that stands for all keys of a bucket that begin with prefix.
// Any string that S3 takes is a prefix; it need not end in '/'.
func Root(bucket, prefix string, mode Mode) processor.Child {
	return args{Bucket: bucket, Prefix: prefix, Mode: mode}.child(0)
}

// Below is Root for one of several prefixes that are listed together: the first
// base bytes of all of them are the same, and totals and filters begin there.
func Below(bucket, prefix string, base int, mode Mode) processor.Child {
	return args{Bucket: bucket, Prefix: prefix, Mode: mode, Base: &base}.child(0)
}

// With is Below with something for the crawl's Pages, a JSON object, which all
// nodes of the tree have. It is in each message, so it should be small.
func With(bucket, prefix string, base int, mode Mode, with json.RawMessage) processor.Child {
	return args{Bucket: bucket, Prefix: prefix, Mode: mode, Base: &base, With: with}.child(0)
}

// ParseURL takes s3://bucket/prefix apart. The prefix is taken as it stands,
// without percent-decoding, as S3's own tools do.
func ParseURL(url string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(url, "s3://")
	bucket, prefix, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" {
		return "", "", &schema.FieldError{Field: "target", Value: url, Want: "s3://bucket or s3://bucket/prefix"}
	}
	if !utf8.ValidString(prefix) {
		return "", "", &schema.FieldError{Field: "target", Value: url, Want: "UTF-8"}
	}
	return bucket, prefix, nil
}

// Whole reads what the args of all nodes of a crawl have in common: the bucket, the
// root's prefix, and what With gave for the Pages. A field that no node of a crawl has
// is an error; what the others hold is judged by Process.
func Whole(raw schema.Args) (bucket, root string, with json.RawMessage, err error) {
	var a args
	if len(raw) == 0 {
		return "", "", nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return "", "", nil, fmt.Errorf("read args: %w", err)
	}
	if a.Base != nil && *a.Base >= 0 && *a.Base <= len(a.Prefix) {
		a.Prefix = a.Prefix[:*a.Base]
	}
	return a.Bucket, a.Prefix, a.With, nil
}

func parseArgs(raw schema.Args) (args, error) {
	var a args
	if len(raw) == 0 {
		return a, errors.New(`read args: none given, want {"bucket":"…","prefix":"…"}`)
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, fmt.Errorf("read args: %w", err)
	}
	if a.Mode == "" {
		a.Mode = Range
	}
	if a.Base == nil {
		n := len(a.Prefix)
		a.Base = &n
	}
	bad := func(field, value, want string) (args, error) {
		return a, fmt.Errorf("read args: %w", &schema.FieldError{Field: field, Value: value, Want: want})
	}
	switch {
	case a.Bucket == "":
		return bad("bucket", "", "the name of a bucket")
	case a.Mode != Range && a.Mode != Prefix:
		return bad("mode", string(a.Mode), "range or prefix")
	case a.Mode == Prefix && len(a.Ranges) > 0:
		return bad("ranges", fmt.Sprint(len(a.Ranges)), "none in mode prefix")
	case *a.Base < 0 || *a.Base > len(a.Prefix):
		return bad("base", fmt.Sprint(*a.Base), "a part of the prefix")
	case a.Mode == Range && strings.HasSuffix(a.Bucket, "--x-s3"):
		return bad("bucket", a.Bucket, "a general purpose bucket: directory buckets are not listed in order, so take mode prefix (--node prefix)")
	}
	if !a.Past.valid() {
		return bad("past", fmt.Sprintf("%+v", a.Past), "keys from 0 on, no fewer than the first, and a part from 0 to 1")
	}
	if len(a.Ranges) == 0 {
		a.Ranges = []span{{}}
	}
	sort.Slice(a.Ranges, func(i, j int) bool {
		r, s := &a.Ranges[i], &a.Ranges[j]
		return r.After < s.After || r.After == s.After && r.Mark != "" && s.Mark == ""
	})
	for i, r := range a.Ranges {
		if r.empty() || i+1 < len(a.Ranges) && r.overlaps(a.Ranges[i+1]) {
			return bad("ranges", r.After+"…"+r.Until, "ranges (after, until] that do not overlap")
		}
	}
	return a, nil
}

// child is the node for these args. Encoding strings cannot fail; that they are
// UTF-8 was checked where they came in.
func (a args) child(weight float64) processor.Child {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // keys hold & and < more often than browsers read them
	if err := enc.Encode(a); err != nil {
		panic(err)
	}
	return processor.Child{
		ID:     a.name(),
		Args:   bytes.TrimSuffix(b.Bytes(), []byte("\n")),
		Weight: uint32(min(max(weight, 1), 1<<30)),
		Rest:   len(a.Ranges) > 0, // ranges are what is left of the whole, however often it was handed on
	}
}

// name is the node's name for people: s3://bucket/prefix, and for ranges what
// they span, shortened, written relative to the prefix.
func (a args) name() string {
	s := "s3://" + a.Bucket + "/" + s3client.Readable(a.Prefix)
	if a.Mode == Prefix || len(a.Ranges) == 0 {
		return s3client.Shorten(s, schema.MaxID)
	}
	first, last := a.Ranges[0], a.Ranges[len(a.Ranges)-1]
	if first.After == "" && last.Until == "" && len(a.Ranges) == 1 {
		return s3client.Shorten(s, schema.MaxID)
	}
	s = s3client.Shorten(s, 130) + " (" + s3client.Shorten(a.below(first.After), 65) + "…" + s3client.Shorten(a.below(last.Until), 65) + "]"
	if n := len(a.Ranges); n > 1 {
		s += fmt.Sprintf(" in %d ranges", n)
	}
	return s
}

func (a args) below(bound string) string {
	return s3client.Readable(strings.TrimPrefix(bound, a.Prefix))
}

// pack deals spans out to as few sets as the bounds of a message allow, in order.
func pack(spans []span) (sets [][]span) {
	size := 0
	for _, s := range spans {
		n := quoted(s.After) + quoted(s.Until) + quoted(s.Mark) + 64
		if len(sets) == 0 || len(sets[len(sets)-1]) == maxSpans || size+n > maxBytes {
			sets, size = append(sets, nil), 0
		}
		sets[len(sets)-1] = append(sets[len(sets)-1], s)
		size += n
	}
	return sets
}

// quoted is an upper bound of a string's length in JSON.
func quoted(s string) int {
	n := len(s)
	for i := range len(s) {
		if s[i] < ' ' || s[i] == '"' || s[i] == '\\' || s[i] == 0x7f || s[i] == 0xe2 { // also U+2028 and U+2029
			n += 5
		}
	}
	return n
}
