package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/s3crawl"
)

// prefixArgs are those of the root of a list of prefixes.
type prefixArgs struct {
	Count  int64        `json:"count"`
	Bucket string       `json:"bucket"`
	Base   int          `json:"base"` // bytes that all have in common, up to a '/'
	Mode   s3crawl.Mode `json:"mode"`
}

// keepPrefixes copies a list of prefixes of one bucket. It is kept sorted, so that
// what is below a prefix follows it: what is there twice, or below another, is
// left out where it is read, and no key is listed twice.
func keepPrefixes(l *list) error {
	a := prefixArgs{Mode: s3crawl.Mode(l.c.Node)}
	lines, begun := int64(0), 0
	err := l.each(func(tx *store.Tx, n int, line string) error {
		bucket, prefix, err := s3crawl.ParseURL(line)
		if err != nil {
			return usageError{err}
		}
		if a.Bucket == "" {
			a.Bucket, begun = bucket, n
		}
		if bucket != a.Bucket {
			return usagef("its bucket is %q, and that of line %d is %q; want a run for each bucket", bucket, begun, a.Bucket)
		}
		if len(prefix) > maxKey {
			return usagef("its prefix has %d bytes, and a key has %d at most", len(prefix), maxKey)
		}
		lines++
		_, err = tx.Exec("INSERT OR IGNORE INTO list_prefix VALUES (?)", []byte(prefix))
		return err
	})
	if err != nil {
		return err
	}
	first, last := "", ""
	for prefix, err := range l.st.prefixes(l.ctx) {
		if err != nil {
			return fmt.Errorf("keep list: %w", err)
		}
		if a.Count++; a.Count == 1 {
			first = prefix
		}
		last = prefix
	}
	// What the first and the last of sorted strings have in common, all have.
	for a.Base < min(len(first), len(last)) && first[a.Base] == last[a.Base] {
		a.Base++
	}
	a.Base = strings.LastIndexByte(first[:a.Base], '/') + 1
	l.t.bucket, l.t.leftOut = a.Bucket, lines-a.Count
	if err := l.end(map[string]any{"count": a.Count, "bucket": a.Bucket, "base": a.Base, "mode": a.Mode}, a.Count); err != nil {
		return err
	}
	return canList(a.Bucket, first)(l.ctx, l.t, l.w, l.c, nil)
}

// maxKey is the longest key in bytes (Amazon S3 User Guide, "Creating object key
// names").
const maxKey = 1024

// prefixes yields the prefixes of the list that is kept with the run, in their
// order, without those below another.
func (s *state) prefixes(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		from, top := []byte{}, []byte{}
		page, begun := make([][]byte, 0, listBatch), false
		for {
			page = page[:0]
			err := s.store.View(ctx, func(tx *store.Tx) error {
				for row, err := range tx.Query("SELECT prefix FROM list_prefix WHERE prefix >= ? ORDER BY prefix LIMIT ?", from, listBatch) {
					var prefix []byte
					if err == nil {
						err = row.Scan(&prefix)
					}
					if err != nil {
						return err
					}
					page = append(page, prefix)
				}
				return nil
			})
			for _, p := range page {
				if begun && strings.HasPrefix(string(p), string(top)) {
					continue
				}
				begun, top = true, p
				if !yield(string(p), nil) {
					return
				}
			}
			if err != nil {
				yield("", err)
			}
			if err != nil || len(page) == 0 {
				return
			}
			from = append(bytes.Clone(page[len(page)-1]), 0) // the next there can be
		}
	}
}

// crawls yields a crawl of each prefix of the list.
func (s *state) crawls(ctx context.Context, n *processor.Node) iter.Seq2[processor.Child, error] {
	return func(yield func(processor.Child, error) bool) {
		var a prefixArgs
		if err := json.Unmarshal(n.Args, &a); err != nil {
			yield(processor.Child{}, err)
			return
		}
		for prefix, err := range s.prefixes(ctx) {
			var c processor.Child
			if err == nil {
				c = s3crawl.Below(a.Bucket, prefix, a.Base, a.Mode)
				c.Kind = s3crawl.Kind
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}
