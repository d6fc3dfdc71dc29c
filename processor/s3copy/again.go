package s3copy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// retryArgs are the args of a node that is one object which failed.
type retryArgs struct {
	Bucket string          `json:"bucket"`
	Prefix string          `json:"prefix"` // the root's
	Key    string          `json:"key"`
	Size   int64           `json:"size"`
	ETag   string          `json:"etag"`
	Class  string          `json:"class,omitempty"`
	Epoch  int             `json:"epoch"`
	Failed *failure        `json:"failed,omitempty"` // in that epoch
	With   json.RawMessage `json:"with"`
}

// isRetry reports whether args are those of an object.
func isRetry(args []byte) bool {
	var is struct {
		Key *string `json:"key"`
	}
	return len(args) > 0 && json.Unmarshal(args, &is) == nil && is.Key != nil
}

// retry is the node of an object that failed.
func (pg *page) retry(n *processor.Node, o *inventory.Object, f *failure) (processor.Child, error) {
	a := retryArgs{
		Bucket: o.Bucket, Prefix: pg.l.Root, Key: o.Key, Size: o.Size, ETag: o.ETag, Class: o.StorageClass,
		Epoch: n.Epoch, Failed: f, With: pg.l.With,
	}
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a); err != nil {
		return processor.Child{}, fmt.Errorf("encode object: %w", err)
	}
	return processor.Child{Kind: Kind, ID: s3client.Shorten("s3://"+o.Bucket+"/"+s3client.Readable(o.Key), schema.MaxID), Args: bytes.TrimSpace(raw.Bytes())}, nil
}

// again copies an object that failed: as it was listed, and in a later epoch as it
// is now. What no retry mends is not asked again within an epoch.
func (p *Processor) again(ctx context.Context, n *processor.Node, out processor.Out) error {
	var a retryArgs
	dec := json.NewDecoder(bytes.NewReader(n.Args))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return processor.Permanent(fmt.Errorf("read args: %w", err))
	}
	switch {
	case a.Bucket == "":
		return badArgs("bucket", a.Bucket, "the name of a bucket")
	case a.Key == "" || !utf8.ValidString(a.Key) || !strings.HasPrefix(a.Key, a.Prefix):
		return badArgs("key", a.Key, "a key that begins with the prefix")
	case a.Size < 0:
		return badArgs("size", fmt.Sprint(a.Size), "0 or more bytes")
	}
	order, err := parseOrder(a.With, a.Bucket, a.Prefix)
	if err != nil {
		return processor.Permanent(err)
	}
	w, err := listing.Read(n.Params)
	if err != nil {
		return processor.Permanent(err)
	}
	if f := a.Failed; f != nil && f.Permanent && n.Epoch == a.Epoch {
		return processor.Permanent(f)
	}
	c, err := p.copier(ctx, order, a.Bucket, a.Prefix, out)
	if err != nil {
		return err
	}
	c.due = func() bool { return false }
	o := inventory.Object{Bucket: a.Bucket, Key: a.Key, Size: a.Size, ETag: a.ETag, StorageClass: a.Class}
	var message string
	if n.Epoch != a.Epoch || a.ETag == "" {
		message, err = c.look(ctx, &o)
	}
	if err == nil && message == "" {
		message, err = c.settle(ctx, &o, &inventory.Object{}, true)
	}
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f, err := judge("copy s3://"+a.Bucket+"/"+s3client.Shorten(s3client.Readable(a.Key), 200), c.allow(), err)
		switch {
		case err != nil:
			return err
		case f.Permanent:
			return processor.Permanent(f)
		}
		return f
	}
	out.Count(1, o.Size)
	var block []byte
	rows := 0
	if w.Layout != (inventory.Layout{}) {
		block, rows = w.Layout.AppendOutcome(nil, outcome(&o, &result{message: message})), 1
	}
	if err := out.Write(sink.Rows, block, rows); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func badArgs(field, value, want string) error {
	return processor.Permanent(fmt.Errorf("read args: %w", &schema.FieldError{Field: field, Value: value, Want: want}))
}

// look sees what an object is now. One that is gone is nothing to copy.
func (c *copier) look(ctx context.Context, o *inventory.Object) (message string, err error) {
	h, err := c.head(ctx, c.from, &s3.HeadObjectInput{Bucket: &c.source, Key: &o.Key})
	if s3client.Missing(err) {
		o.Size = 0
		return "the source is gone: not copied", nil
	}
	if err != nil {
		return "", err
	}
	o.Size, o.ETag, o.StorageClass = *h.ContentLength, strings.Trim(*h.ETag, `"`), string(h.StorageClass)
	return "", nil
}
