package s3inventory

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/totals"
)

// batch is how many rows are written at a time, as many as a page of S3 has.
const batch = 1000

// maxSize is the largest size that is believed, as of a LIST: sums of more would wrap.
const maxSize = 5e15

// reader takes the objects of one data file.
type reader struct {
	args
	wish  listing.Wish
	out   processor.Out
	tally *totals.Loose
	rows  []inventory.Object
	since time.Time // when it was begun to get what the next rows are in
}

func (r *reader) read(ctx context.Context, s *spool) error {
	r.tally = totals.NewLoose(0).WithDigests(r.wish.Checksums)
	r.rows = make([]inventory.Object, 0, batch)
	n := 0
	for o, err := range r.manifest().Read(s, s.size) {
		n++
		if err != nil {
			return &rowError{err}
		}
		if n%batch == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := r.check(&o); err != nil {
			return &rowError{fmt.Errorf("row %d: %w", n, err)}
		}
		if r.Versions && !r.wish.Versions && (!o.IsLatest || o.IsDeleteMarker) {
			continue
		}
		if r.rows = append(r.rows, o); len(r.rows) < batch {
			continue
		}
		if err := r.flush(); err != nil {
			return err
		}
	}
	if err := r.flush(); err != nil {
		return err
	}
	return r.account()
}

// check refuses what is no object of the bucket, and completes what is.
func (r *reader) check(o *inventory.Object) error {
	switch {
	case o.Key == "":
		return errors.New("it has no key")
	case !utf8.ValidString(o.Key):
		return fmt.Errorf("key %q is not UTF-8, as all keys of S3 are", o.Key)
	case o.Size < 0 || o.Size > maxSize:
		return fmt.Errorf("key %q has a size of %d", o.Key, o.Size)
	case o.Bucket != "" && r.Source != "" && o.Bucket != r.Source:
		return fmt.Errorf("key %q is of bucket %q, and the inventory is of %q", o.Key, o.Bucket, r.Source)
	}
	if o.Bucket == "" {
		o.Bucket = r.Source
	}
	return nil
}

// flush writes the rows that the run is about.
func (r *reader) flush() error {
	took := time.Since(r.since)
	rows := r.wish.Matching(r.rows, 0)
	r.tally.Spend(took, len(rows))
	if err := r.wish.Deliver(r.out, rows); err != nil {
		return err
	}
	for i := range rows {
		if r.tally.Full() {
			if err := r.account(); err != nil {
				return err
			}
		}
		r.tally.Add(&rows[i])
	}
	r.rows, r.since = r.rows[:0], time.Now()
	return nil
}

func (r *reader) account() error {
	err := r.tally.Take(func(block []byte) error { return r.out.Write(sink.Prefixes, block, 1) })
	if err != nil {
		return fmt.Errorf("write totals: %w", err)
	}
	return nil
}

// rowError is something wrong with what a file holds, which is what the manifest
// says it is: reading it again does not mend it.
type rowError struct{ err error }

func (e *rowError) Error() string { return e.err.Error() }
func (e *rowError) Unwrap() error { return e.err }
