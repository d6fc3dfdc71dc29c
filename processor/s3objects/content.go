package s3objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/schema"
)

// Content is what is done to an object whose body is read. It is called from many
// goroutines.
type Content interface {
	// Object reads the body of an object, to its end or as much as it needs. The body
	// is that of the object as it was listed, and comes as it is read: it is not held
	// in memory. What it reads is not the whole until a read says io.EOF: any other
	// error of the body must be returned. The rules of processor.Process hold; n.Args
	// are those of the object's node, with those of the run.
	Object(ctx context.Context, n *processor.Node, o *Object, body io.Reader, out processor.Out) error
}

// Getter gets bodies; *s3client.Client is one. It retries what may pass and goes on
// where a body was cut off.
type Getter interface {
	GetContent(ctx context.Context, o s3client.Content, w io.Writer, count func(requests int64)) (permanent bool, err error)
}

// Streamed is the processor of what reads bodies, for nodes of a kind that an Each names
// without placeholders: their args are those of an Object and what else ParseArgs
// takes.
func Streamed(g Getter, c Content) processor.Processor { return &streamed{g, c} }

type streamed struct {
	getter  Getter
	content Content
}

// Process implements processor.Processor.
func (s *streamed) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	var o Object
	if err := lenient(n.Args, &o); err != nil {
		return processor.Permanent(err)
	}
	if err := o.check(); err != nil {
		return processor.Permanent(err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	body, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		permanent, err := s.getter.GetContent(ctx, s3client.Content{Bucket: o.Bucket, Key: o.Key, ETag: o.ETag, Version: o.VersionID}, w,
			func(n int64) { out.Request("get", n) })
		if permanent {
			err = processor.Permanent(err)
		}
		ended <- err
		_ = w.CloseWithError(err) // nil is io.EOF
	}()
	counted := &counter{r: body}
	err := s.content.Object(ctx, n, &o, counted, out)
	// It may not have read to the end. What is on its way is not waited for.
	cancel(errEnough)
	_ = body.CloseWithError(errEnough)
	got := <-ended
	switch {
	case err != nil && got != nil && errors.Is(err, got):
		return got // and not what was being done
	case err == nil && counted.err != nil:
		return counted.err
	case err != nil:
		return fmt.Errorf("%s: %w", s3client.Shorten(s3client.Readable(o.URL()), 200), err)
	case counted.ended && counted.n != o.Size:
		return processor.Permanent(fmt.Errorf("get %s: it has %d bytes, and had %d when it was listed", s3client.Shorten(s3client.Readable(o.URL()), 200), counted.n, o.Size))
	}
	return nil
}

// errEnough is that no more of a body is wanted.
var errEnough = errors.New("no more of the body is wanted")

// counter counts what is read, and notices the end.
type counter struct {
	r     io.Reader
	n     int64
	ended bool
	err   error
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	switch {
	case err == io.EOF: // as readers say it
		c.ended = true
	case err != nil:
		c.err = err
	}
	return n, err
}

func (o *Object) check() error {
	var field, value, want string
	switch {
	case o.Bucket == "":
		field, want = "bucket", "the name of a bucket"
	case o.Key == "":
		field, want = "key", "the key of an object"
	case o.Size < 0:
		field, value, want = "size", strconv.FormatInt(o.Size, 10), "bytes, 0 or more"
	default:
		return nil
	}
	return fmt.Errorf("read args: %w", &schema.FieldError{Field: field, Value: value, Want: want})
}
