package s3objects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

const (
	// partKeys is how many objects a part of a page has: so few that their nodes are
	// done inline (task takes so many of one node), so many that its LIST is little.
	partKeys = 250
	// batchBytes is how long the keys of a batch are at most, about: a message has them.
	batchBytes = 48 << 10
)

// part is the args of a part of a page: the keys after < key ≤ until below prefix.
type part struct {
	Bucket string          `json:"bucket"`
	Prefix string          `json:"prefix"` // the root's
	Part   *bounds         `json:"part"`
	With   json.RawMessage `json:"with"`
}

type bounds struct {
	After string `json:"after"`
	Until string `json:"until"`
}

// pages reveals the parts of the pages of a crawl.
type pages struct{}

var _ s3crawl.Pages = pages{}

// Page implements s3crawl.Pages.
func (pages) Page(_ context.Context, n *processor.Node, l *s3crawl.Listed, out processor.Out) (int, error) {
	e, err := parseEach(l.With)
	if err != nil {
		return 0, processor.Permanent(err)
	}
	var size int64
	for i := range l.Objects {
		size += l.Objects[i].Size
	}
	var is struct{ Mode s3crawl.Mode }
	if err := json.Unmarshal(n.Args, &is); err != nil {
		return 0, processor.Permanent(fmt.Errorf("read args: %w", err))
	}
	if n.Params[listing.ParamVersions] == "true" || is.Mode == s3crawl.Prefix {
		// A page may end within a key, or leave out what is below: a range of keys does
		// not tell.
		err = reveal(e, l.Objects, out)
	} else {
		err = revealParts(l, out)
	}
	if err != nil {
		return 0, err
	}
	out.Count(int64(len(l.Objects)), size)
	if err := out.Write(sink.Rows, nil, 0); err != nil { // all attempts do
		return 0, fmt.Errorf("write rows: %w", err)
	}
	return len(l.Objects), nil
}

func revealParts(l *s3crawl.Listed, out processor.Out) error {
	after := l.After
	for first := 0; first < len(l.Objects); first += partKeys {
		last := min(first+partKeys, len(l.Objects)) - 1
		until := l.Objects[last].Key
		raw, err := encode(part{Bucket: l.Bucket, Prefix: l.Root, Part: &bounds{After: after, Until: until}, With: l.With})
		if err != nil {
			return err
		}
		c := processor.Child{
			ID: fmt.Sprintf("s3://%s/%s (%d objects up to %s)", l.Bucket, s3client.Shorten(s3client.Readable(l.Root), 130), last-first+1,
				s3client.Shorten(s3client.Readable(strings.TrimPrefix(until, l.Root)), 130)),
			Args: raw, Weight: uint32(last - first + 1),
		}
		if err := out.Child(c); err != nil {
			return fmt.Errorf("reveal part of page: %w", err)
		}
		after = until
	}
	return nil
}

// part lists a part of a page and reveals what is there.
func (p *Processor) part(ctx context.Context, n *processor.Node, a *part, out processor.Out) error {
	e, err := parseEach(a.With)
	if err != nil {
		return processor.Permanent(err)
	}
	if a.Bucket == "" || a.Part.Until == "" || a.Part.Until <= a.Part.After {
		return processor.Permanent(fmt.Errorf("read args: %w", &schema.FieldError{Field: "part", Value: a.Part.After + "…" + a.Part.Until, Want: "keys after one and up to another"}))
	}
	w, err := listing.Read(n.Params)
	if err != nil {
		return processor.Permanent(err)
	}
	folder := strings.LastIndexByte(a.Prefix, '/') + 1
	q := s3crawl.Query{Bucket: a.Bucket, Prefix: a.Prefix, After: a.Part.After, ETags: true, Count: out.Request}
	for more := true; more; {
		pg, err := p.lister.List(ctx, q)
		if err != nil {
			return explain(&q, err)
		}
		objects := pg.Objects
		until := sort.Search(len(objects), func(i int) bool { return objects[i].Key > a.Part.Until })
		more = pg.More && until == len(objects)
		if q.Token = ""; len(objects) == 0 {
			q.Token = pg.Token
		} else {
			q.After = objects[len(objects)-1].Key
			more = more && q.After < a.Part.Until
		}
		err = reveal(e, w.Matching(objects[:until], folder), out)
		pg.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// reveal makes nodes of objects.
func reveal(e Each, objects []inventory.Object, out processor.Out) error {
	m, err := newMaker(e)
	if err != nil {
		return processor.Permanent(err)
	}
	for len(objects) > 0 {
		var c processor.Child
		n := 1
		if e.Batch > 1 {
			n = fitting(objects, e.Batch)
			c, err = m.many(objects[:n])
		} else {
			c, err = m.one(&objects[0])
		}
		if err == nil {
			err = out.Child(c)
		}
		if err != nil {
			return fmt.Errorf("reveal object: %w", err)
		}
		objects = objects[n:]
	}
	return nil
}

// fitting is how many of the first objects go into one node.
func fitting(objects []inventory.Object, most int) int {
	size := 0
	for i := range objects[:min(most, len(objects))] {
		if size += len(objects[i].Key); size > batchBytes && i > 0 {
			return i
		}
	}
	return min(most, len(objects))
}

func explain(q *s3crawl.Query, err error) error {
	if processor.IsPermanent(err) || errors.Is(err, context.Canceled) {
		return err
	}
	permanent, line := s3client.Explain("list s3://"+q.Bucket+"/"+s3client.Shorten(s3client.Readable(q.Prefix), 200), "s3:ListBucket on arn:aws:s3:::"+q.Bucket, err)
	if permanent {
		return processor.Permanent(line)
	}
	return line
}
