package s3objects

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/schema"
)

// Kind is the kind of the nodes that this processor takes.
const Kind = "s3.objects"

// Each says what nodes are made of objects.
type Each struct {
	Kind string `json:"kind"`
	// Args are a JSON object, or none. Texts in it that hold {url}, {bucket}, {key},
	// {size}, {etag} or {versionId} have them replaced, and Args are then all that a
	// node has. Else what an Object has is added to them.
	Args schema.Args `json:"args,omitempty"`
	// Batch is how many objects a node stands for at most; 0 is one. More than one are
	// in a list "objects", as many as there are on a part of a page.
	Batch int `json:"batch,omitempty"`
}

// maxBatch is how many objects a part of a page has: more are not known at a time.
const maxBatch = partKeys

// Root is the node that stands for the objects of a bucket whose keys begin with
// prefix.
func Root(bucket, prefix string, e Each) (processor.Child, error) {
	if err := e.check(); err != nil {
		return processor.Child{}, err
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return processor.Child{}, fmt.Errorf("read args: %w", err)
	}
	return s3crawl.With(bucket, prefix, len(prefix), s3crawl.Range, raw), nil
}

func parseEach(raw json.RawMessage) (e Each, err error) {
	if len(raw) == 0 {
		return e, errors.New(`read args: no "with" is given, want {"kind":"…"} in it, the kind of the objects' nodes`)
	}
	if err = strictly(raw, &e); err == nil {
		err = e.check()
	}
	return e, err
}

// ParseArgs reads the args of an object's node into a struct that embeds an Object.
// A field that it does not have is an error.
func ParseArgs(args schema.Args, into any) error { return strictly(args, into) }

func lenient(args schema.Args, into any) error {
	if len(args) == 0 {
		return errors.New(`read args: none given, want {"bucket":"…","key":"…","size":…}`)
	}
	if err := json.Unmarshal(args, into); err != nil {
		return fmt.Errorf("read args: %w", err)
	}
	return nil
}

// strictly reads a JSON object that has no other fields than into.
func strictly(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("read args: %w", err)
	}
	return nil
}

func (e *Each) check() error {
	bad := func(field, value, want string) error {
		return fmt.Errorf("read args: %w", &schema.FieldError{Field: field, Value: value, Want: want})
	}
	if err := schema.CheckKind(e.Kind); err != nil {
		return fmt.Errorf("read args: %w", err)
	}
	switch {
	case e.Kind == Kind || e.Kind == s3crawl.Kind:
		return bad("kind", e.Kind, "one that works on objects, not one that finds them")
	case e.Batch < 0 || e.Batch > maxBatch:
		return bad("batch", strconv.Itoa(e.Batch), fmt.Sprintf("1 to %d objects", maxBatch))
	case len(e.Args) > maxOwn:
		return bad("args", strconv.Itoa(len(e.Args))+" bytes", fmt.Sprintf("at most %d bytes, which every object's node has", maxOwn))
	case len(e.Args) > 0 && !schema.IsObject(e.Args):
		return bad("args", string(e.Args), "a JSON object")
	}
	if e.replaces() {
		if e.Batch > 1 {
			return bad("batch", strconv.Itoa(e.Batch), "1, since args name what one object has: "+string(e.Args))
		}
		return nil
	}
	var own map[string]json.RawMessage
	if len(e.Args) > 0 {
		if err := json.Unmarshal(e.Args, &own); err != nil {
			return fmt.Errorf("read args: %w", err)
		}
	}
	taken := []string{"bucket", "key", "size", "etag", "versionId"}
	if e.Batch > 1 {
		taken = []string{"bucket", "objects"}
	}
	for _, field := range taken {
		if value, taken := own[field]; taken {
			return bad(field, string(value), "another name: this is what the objects have")
		}
	}
	return nil
}

// maxOwn is the longest Args, in bytes.
const maxOwn = 16 << 10

// placeholders are what in Args stands for something of an object.
var placeholders = []string{"{url}", "{bucket}", "{key}", "{size}", "{etag}", "{versionId}"}

func (e *Each) replaces() bool {
	for _, p := range placeholders {
		if strings.Contains(string(e.Args), p) {
			return true
		}
	}
	return false
}

// Object is what the args of an object's node say of it.
type Object struct {
	Bucket    string `json:"bucket,omitempty"` // within a batch: that of the batch
	Key       string `json:"key"`
	Size      int64  `json:"size"`
	ETag      string `json:"etag,omitempty"` // without quotes
	VersionID string `json:"versionId,omitempty"`
}

// URL is the object's name: s3://bucket/key, the key as it is.
func (o *Object) URL() string { return "s3://" + o.Bucket + "/" + o.Key }

// maker makes nodes of objects.
type maker struct {
	Each
	template any // of args that replace; nil: none
}

func newMaker(e Each) (maker, error) {
	m := maker{Each: e}
	if !e.replaces() {
		return m, nil
	}
	dec := json.NewDecoder(bytes.NewReader(e.Args))
	dec.UseNumber()
	err := dec.Decode(&m.template)
	return m, err
}

// one is the node of an object.
func (m *maker) one(o *inventory.Object) (processor.Child, error) {
	of := objectOf(o)
	of.Bucket = o.Bucket
	c := processor.Child{Kind: m.Kind, ID: of.URL()}
	var err error
	if m.template != nil {
		c.Args, err = encode(m.fill(m.template, &of))
	} else {
		c.Args, err = m.with(of)
	}
	return c, err
}

// many is the node of some objects of a bucket.
func (m *maker) many(objects []inventory.Object) (processor.Child, error) {
	b := struct {
		Bucket  string   `json:"bucket"`
		Objects []Object `json:"objects"`
	}{Bucket: objects[0].Bucket, Objects: make([]Object, len(objects))}
	for i := range objects {
		b.Objects[i] = objectOf(&objects[i])
	}
	first := Object{Bucket: b.Bucket, Key: objects[0].Key}
	c := processor.Child{Kind: m.Kind, ID: s3client.Shorten(first.URL(), 2000), Weight: uint32(len(objects))}
	if n := len(objects) - 1; n > 0 {
		c.ID += fmt.Sprintf(" and %d more", n)
	}
	var err error
	c.Args, err = m.with(b)
	return c, err
}

func objectOf(o *inventory.Object) Object {
	return Object{Key: o.Key, Size: o.Size, ETag: o.ETag, VersionID: o.VersionID}
}

// with is v as JSON with the fields of Args behind its own.
func (m *maker) with(v any) (schema.Args, error) {
	b, err := encode(v)
	if err != nil || len(m.Args) == 0 {
		return b, err
	}
	own := bytes.TrimSpace(m.Args)
	if own = bytes.TrimSpace(own[1 : len(own)-1]); len(own) == 0 {
		return b, nil
	}
	b = append(append(b[:len(b)-1], ','), own...)
	return append(b, '}'), nil
}

// fill is a value of JSON with what stands for something of the object replaced in
// its texts, names of fields left as they are.
func (m *maker) fill(v any, o *Object) any {
	switch v := v.(type) {
	case string:
		return strings.NewReplacer("{url}", o.URL(), "{bucket}", o.Bucket, "{key}", o.Key,
			"{size}", strconv.FormatInt(o.Size, 10), "{etag}", o.ETag, "{versionId}", o.VersionID).Replace(v)
	case []any:
		filled := make([]any, len(v))
		for i := range v {
			filled[i] = m.fill(v[i], o)
		}
		return filled
	case map[string]any:
		filled := make(map[string]any, len(v))
		for name := range v {
			filled[name] = m.fill(v[name], o)
		}
		return filled
	default:
		return v
	}
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // keys hold & and < more often than browsers read them
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
