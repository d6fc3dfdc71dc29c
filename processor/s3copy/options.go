package s3copy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/schema"
)

// Kind is the kind of the nodes that this processor takes.
const Kind = "s3.copy"

// Limits of S3, in bytes and parts. Source: Amazon S3 User Guide, "Amazon S3
// multipart upload limits"; API Reference, "CopyObject".
const (
	maxCopy  = 5 << 30 // of one CopyObject, and of a part
	minPart  = 5 << 20 // of a part that is not the last
	maxParts = 10_000
	realest  = maxParts - signs // parts that hold content: the others say whose an upload is
	usualest = 128 << 20        // a part where nothing speaks for another size
)

// throughCopy is up to which size an object goes through the task in one PUT, and
// the usual part of a larger one: little enough for an attempt's time.
const throughCopy = 32 << 20

// throughMost is the most bytes that go through the task in one piece.
const throughMost = 512 << 20

// Order is where objects are copied, and how: all that a node needs to know
// besides what it crawls.
type Order struct {
	To string `json:"to"` // s3://bucket/prefix: a folder

	// Whose the destination is, where it is not whose the source is.
	Profile  string `json:"profile,omitempty"`
	Region   string `json:"region,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	Through  bool   `json:"through,omitempty"` // the destination's account cannot read the source

	StorageClass string `json:"storage_class,omitempty"` // "": the source's
	SSE          string `json:"sse,omitempty"`           // "": as the bucket has it
	KMSKey       string `json:"kms_key,omitempty"`

	Above int64 `json:"multipart_above,omitempty"` // bytes from which on copies are in parts; 0: where they must
	Part  int64 `json:"part_size,omitempty"`       // 0: the source's, or the usual

	DryRun bool `json:"dry_run,omitempty"`

	bucket, prefix string
}

// Root is the node that stands for the copy of all objects of a bucket whose keys
// begin with prefix. The error is a schema.FieldError.
func Root(bucket, prefix string, mode s3crawl.Mode, o Order) (processor.Child, error) {
	o, err := o.read(bucket, prefix)
	if err != nil {
		return processor.Child{}, err
	}
	with, err := json.Marshal(o)
	if err != nil {
		return processor.Child{}, fmt.Errorf("encode order: %w", err)
	}
	c := s3crawl.With(bucket, prefix, len(prefix), mode, with)
	c.Kind = Kind
	return c, nil
}

// parseOrder reads what Root wrote, or a person, for a node of a bucket and prefix.
func parseOrder(raw json.RawMessage, bucket, prefix string) (Order, error) {
	var o Order
	if len(raw) == 0 {
		return o, errors.New(`read args: no "with", want {"to":"s3://…"}`)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		return o, fmt.Errorf("read args: with: %w", err)
	}
	o, err := o.read(bucket, prefix)
	if err != nil {
		return o, fmt.Errorf("read args: %w", err)
	}
	return o, nil
}

// classes are those that an object can be written in.
func classes() []string {
	var all []string
	for _, c := range types.StorageClass("").Values() {
		all = append(all, string(c))
	}
	return all
}

var encryptions = []string{"AES256", "aws:kms", "aws:kms:dsse"}

// read checks an order, and completes it. The names in its errors are those of the
// flags.
func (o Order) read(bucket, prefix string) (Order, error) {
	bad := func(field, value, want string) (Order, error) {
		return o, &schema.FieldError{Field: field, Value: value, Want: want}
	}
	var err error
	if o.bucket, o.prefix, err = s3crawl.ParseURL(o.To); err != nil {
		return bad("to", o.To, "s3://bucket or s3://bucket/prefix")
	}
	if o.prefix != "" && !strings.HasSuffix(o.prefix, "/") {
		o.prefix += "/"
		o.To += "/"
	}
	switch {
	case hasUser(o.Endpoint): // it would be kept with the run, and shown
		return bad("to-endpoint", "…@…", "no user and no password in it: credentials are those of to-profile")
	case o.Endpoint != "" && !isURL(o.Endpoint):
		return bad("to-endpoint", o.Endpoint, "http://… or https://…")
	case o.StorageClass != "" && !slices.Contains(classes(), o.StorageClass):
		return bad("storage-class", o.StorageClass, "one of "+strings.Join(classes(), ", "))
	case o.SSE != "" && !slices.Contains(encryptions, o.SSE):
		return bad("sse", o.SSE, strings.Join(encryptions, ", "))
	case o.KMSKey != "" && o.SSE == "AES256":
		return bad("kms-key", o.KMSKey, "no key with AES256, or aws:kms for sse")
	case o.Above < 0 || o.Above > maxCopy:
		return bad("multipart-above", fmt.Sprint(o.Above), "0 to 5 GiB")
	case o.Part != 0 && (o.Part < minPart || o.Part > maxCopy):
		return bad("part-size", fmt.Sprint(o.Part), "5 MiB to 5 GiB")
	}
	if o.KMSKey != "" && o.SSE == "" {
		o.SSE = "aws:kms"
	}
	if o.Endpoint != "" {
		o.Through = true
	}
	if o.Through && max(o.Above, o.Part) > throughMost { // it lies in memory meanwhile
		field, size := "multipart-above", o.Above
		if o.Part > throughMost {
			field, size = "part-size", o.Part
		}
		return bad(field, fmt.Sprint(size), "at most 512 MiB where content goes through the task")
	}
	if o.Above == 0 {
		o.Above = maxCopy
		if o.Through {
			o.Above = throughCopy
		}
	}
	if err := o.apart(bucket, prefix); err != nil {
		return o, err
	}
	return o, nil
}

// apart refuses a destination that overlaps its source: what is written there
// would be found, and copied again, or written over what is yet to be copied.
// Buckets of one name at two endpoints are two, unless the endpoints turn out to be
// one store's (sameStore).
func (o *Order) apart(bucket, prefix string) error {
	switch {
	case o.bucket != bucket || o.Endpoint != "":
		return nil
	case strings.HasPrefix(o.prefix, prefix):
		return &schema.FieldError{Field: "to", Value: o.To, Want: "a place that is not within the source, s3://" + bucket + "/" + s3client.Readable(prefix)}
	case strings.HasPrefix(prefix, o.prefix):
		return &schema.FieldError{Field: "to", Value: o.To, Want: "a place that does not hold the source, s3://" + bucket + "/" + s3client.Readable(prefix)}
	}
	return nil
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// hasUser sees one also in what is no URL.
func hasUser(endpoint string) bool {
	_, rest, _ := strings.Cut(endpoint, "://")
	authority, _, _ := strings.Cut(rest, "/")
	return strings.Contains(authority, "@")
}

// folderOf is a prefix up to its last '/': keys are copied with what follows it.
func folderOf(prefix string) string { return prefix[:strings.LastIndexByte(prefix, '/')+1] }

// target is the key of a copy.
func (o *Order) target(key, folder string) string { return o.prefix + key[len(folder):] }
