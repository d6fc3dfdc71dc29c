package s3copy

import (
	"context"
	"strings"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor/s3crawl"
)

// besidePages is how many pages of the destination are listed beside one of the
// source. Where it holds far more keys in a range, the rest is asked for by key.
const besidePages = 4

// beside finds what the destination has under the keys of the page: both are in
// the same order.
func (pg *page) beside(ctx context.Context) error {
	objects := pg.l.Objects
	if len(objects) == 0 {
		return nil
	}
	q := s3crawl.Query{Bucket: pg.order.bucket, Prefix: pg.order.prefix, ETags: true, Count: pg.out.Request}
	if len(pg.l.After) >= len(pg.folder) && strings.HasPrefix(pg.l.After, pg.folder) {
		q.After = pg.order.target(pg.l.After, pg.folder)
	}
	if q.After == "" || q.After == pg.order.prefix {
		q.After = ""
	}
	next := 0 // of objects, the first that is not known
	for range besidePages {
		found, err := pg.to.list.List(ctx, q)
		if err != nil {
			return pg.explainList(err)
		}
		for i := range found.Objects {
			d := &found.Objects[i]
			for next < len(objects) && pg.target(objects[next].Key) < d.Key {
				next++
			}
			if next == len(objects) {
				break
			}
			if pg.target(objects[next].Key) == d.Key {
				pg.there[next] = *d
				next++
			}
		}
		more := found.More
		if n := len(found.Objects); n > 0 {
			q.After, q.Token = strings.Clone(found.Objects[n-1].Key), ""
		} else {
			q.Token = found.Token
		}
		found.Release()
		if !more || next == len(objects) {
			return nil
		}
		for next < len(objects) && pg.target(objects[next].Key) <= q.After {
			next++
		}
	}
	for ; next < len(objects); next++ {
		pg.unknown[next] = true
	}
	return nil
}

// find is what the destination has under a key, by a LIST: a key comes before all
// that begin with it.
func (c *copier) find(ctx context.Context, key string) (d inventory.Object, err error) {
	found, err := c.to.list.List(ctx, s3crawl.Query{Bucket: c.order.bucket, Prefix: key, ETags: true, Count: c.out.Request})
	if err != nil {
		return d, c.explainList(err)
	}
	defer found.Release()
	if len(found.Objects) > 0 && found.Objects[0].Key == key {
		d = found.Objects[0]
	}
	return d, nil
}

// likeness is what two rows of listings tell of two objects.
type likeness int

const (
	differs likeness = iota
	equal
	perhaps // sizes are the same, and ETags say nothing
	taken   // for equal: nor is there a checksum to compare, and the copy is not older
)

// compare compares an object with what the destination has.
func (pg *page) compare(i int) likeness {
	if pg.unknown[i] {
		return differs
	}
	return alike(&pg.l.Objects[i], &pg.there[i])
}

// alike compares an object with its copy. An ETag is the MD5 of the content, unless
// the object came in parts, or is encrypted by a key of KMS or of a customer's.
//
// Source: Amazon S3 API Reference, "Object", ETag.
func alike(o, d *inventory.Object) likeness {
	switch {
	case d.Key == "" || d.Size != o.Size:
		return differs
	case d.ETag != "" && d.ETag == o.ETag:
		return equal
	case d.LastModified.Before(o.LastModified):
		return differs // it was written after it was copied
	}
	return perhaps
}

// plain reports whether an ETag may be an MD5.
func plain(etag string) bool { return len(etag) == 32 && !strings.Contains(etag, "-") }
