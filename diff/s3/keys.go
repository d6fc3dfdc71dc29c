// Package s3 is what package diff asks S3: the keys of a prefix as they are now,
// and what S3 knows of the content of two objects whose ETags differ.
package s3

import (
	"context"
	"iter"
	"strings"

	"github.com/ramify/ramify/diff"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor/s3crawl"
)

// Keys lists the keys of one bucket.
type Keys struct {
	Lister s3crawl.Lister
	Bucket string
	Wish   listing.Wish // of the run: what it did not want is in no digest either
	Folder int          // bytes of the base up to its last '/': filters see what is below

	// Count, where set, is told of requests (s3crawl.Query).
	Count func(request string, n int64)
}

var _ diff.Lister = (*Keys)(nil)

// List implements diff.Lister. It asks for one page after the other.
func (k *Keys) List(ctx context.Context, prefix string, direct bool) iter.Seq2[inventory.Object, error] {
	return func(yield func(inventory.Object, error) bool) {
		q := s3crawl.Query{Bucket: k.Bucket, Prefix: prefix, ETags: true, Count: k.Count}
		if direct {
			q.Delimiter = "/"
		}
		for {
			pg, err := k.Lister.List(ctx, q)
			if err != nil {
				yield(inventory.Object{}, err)
				return
			}
			more := pg.More
			if n := len(pg.Objects); n > 0 && !direct { // a common prefix may come behind
				q.After = strings.Clone(pg.Objects[n-1].Key)
			}
			// A token is of the page, and so good where keys need escaping; a key is good anywhere.
			if q.Token = ""; direct || len(pg.Objects) == 0 {
				q.Token = pg.Token
			}
			for _, o := range k.Wish.Matching(pg.Objects, k.Folder) {
				if !yield(o, nil) {
					pg.Release()
					return
				}
			}
			pg.Release()
			if !more {
				return
			}
		}
	}
}
