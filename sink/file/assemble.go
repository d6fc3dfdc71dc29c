package file

import (
	"bufio"
	"context"
	"crypto/md5" // #nosec G501 -- the manifest asks for it
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
)

// pageOfRanges is how many kept ranges are held at a time.
const pageOfRanges = 4096

// assembly makes results of what is kept of the spool, in the order of writing.
type assembly struct {
	sink *Sink
	made []dataFile
	out  *output // being written, or nil
	buf  []byte
}

// assemble returns the files to become results. They lie in the spool's folder,
// durable, and nothing refers to them yet.
func (s *Sink) assemble(ctx context.Context, spooled []dataFile) ([]dataFile, error) {
	if len(spooled) == 0 {
		return nil, nil
	}
	a := &assembly{sink: s, buf: make([]byte, 1<<20)}
	var err error
	if s.options.Layout.Format() == inventory.Parquet {
		err = a.convert(ctx, spooled)
	} else {
		err = a.collect(ctx, spooled)
	}
	if err := errors.Join(err, a.end()); err != nil {
		return nil, err
	}
	if len(a.made) == 0 {
		return nil, nil
	}
	// Their names too, before the records know no other files of these rows.
	return a.made, syncDir(s.spoolDir())
}

// collect takes large files as they are and copies what is kept of the others
// into files of their own. A file taken as it is ends the one being copied
// into: a unit whose rows went into several keeps their order.
func (a *assembly) collect(ctx context.Context, spooled []dataFile) error {
	for _, f := range spooled {
		whole, size, rows, err := a.sink.keptOf(ctx, f.id)
		if err != nil {
			return err
		}
		switch {
		case size == 0:
		case whole && size >= a.sink.options.PartSize/16:
			if err := a.end(); err != nil {
				return err
			}
			sum, err := a.digest(f.id, size)
			if err != nil {
				return err
			}
			a.made = append(a.made, dataFile{id: f.id, size: size, rows: rows, md5: sum})
		default:
			if err := a.copyKept(ctx, f.id); err != nil {
				return err
			}
		}
	}
	return nil
}

// digest is the MD5 of the first size bytes of a spool file, in hexadecimal.
func (a *assembly) digest(id, size int64) (string, error) {
	if known := a.sink.spool.digest(id, size); known != "" {
		return known, nil
	}
	sum := md5.New()
	err := a.sink.readSpool(id, func(spool *os.File) error {
		return copyExactly(sum, io.NewSectionReader(spool, 0, size), size, a.buf)
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// copyKept copies the kept ranges of a file.
func (a *assembly) copyKept(ctx context.Context, id int64) error {
	return a.sink.readSpool(id, func(spool *os.File) error {
		for ranges, err := range a.sink.keptRanges(ctx, id) {
			if err != nil {
				return err
			}
			for _, r := range ranges {
				if err := a.ready(); err != nil {
					return err
				}
				if err := copyExactly(a.out, io.NewSectionReader(spool, r.off, r.length), r.length, a.buf); err != nil {
					return err
				}
				a.out.rows += r.rows
			}
		}
		return nil
	})
}

// ready makes a.out an output that takes more.
func (a *assembly) ready() (err error) {
	if a.out != nil && a.out.size >= a.sink.options.PartSize {
		if err := a.end(); err != nil {
			return err
		}
	}
	if a.out == nil {
		a.out, err = a.sink.createOutput()
	}
	return err
}

func copyExactly(w io.Writer, r io.Reader, length int64, buf []byte) error {
	n, err := io.CopyBuffer(w, r, buf)
	if err == nil && n != length {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// convert writes the kept rows as Parquet.
func (a *assembly) convert(ctx context.Context, spooled []dataFile) error {
	var parquet *inventory.ParquetWriter
	finish := func() error {
		if parquet == nil {
			return nil
		}
		err := parquet.Close()
		parquet = nil
		return errors.Join(err, a.end())
	}
	for _, f := range spooled {
		if err := a.eachObject(ctx, f.id, func(o *inventory.Object) (err error) {
			if parquet == nil {
				if a.out, err = a.sink.createOutput(); err != nil {
					return err
				}
				parquet = inventory.NewParquetWriter(a.out, a.sink.options.Layout.Columns())
			}
			if err := parquet.Write(o); err != nil {
				return err
			}
			a.out.rows++
			if parquet.Size() >= a.sink.options.PartSize {
				return finish()
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return finish()
}

// eachObject decodes the kept rows of a spool file.
func (a *assembly) eachObject(ctx context.Context, id int64, each func(*inventory.Object) error) error {
	return a.sink.readSpool(id, func(spool *os.File) error {
		for ranges, err := range a.sink.keptRanges(ctx, id) {
			if err != nil {
				return err
			}
			members := make([]io.Reader, len(ranges))
			for i, r := range ranges {
				members[i] = io.NewSectionReader(spool, r.off, r.length)
			}
			if err := a.decode(io.MultiReader(members...), each); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *assembly) decode(members io.Reader, each func(*inventory.Object) error) error {
	layout := a.sink.options.Layout
	rows, err := layout.Unpack(bufio.NewReaderSize(members, 256<<10))
	if err != nil {
		return err
	}
	defer rows.Close()
	for o, err := range layout.Read(rows) {
		if err != nil {
			return err
		}
		if err := each(&o); err != nil {
			return err
		}
	}
	return nil
}

// end completes the output that is being written, if any.
func (a *assembly) end() error {
	if a.out == nil {
		return nil
	}
	out := a.out
	a.out = nil
	if err := errors.Join(out.buf.Flush(), out.file.Sync(), out.file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", out.file.Name(), err)
	}
	a.made = append(a.made, dataFile{id: out.id, size: out.size, rows: out.rows, md5: hex.EncodeToString(out.sum.Sum(nil))})
	return nil
}

// output is a result being written.
type output struct {
	id   int64
	file *os.File
	buf  *bufio.Writer
	sum  hash.Hash
	size int64
	rows int64
}

func (s *Sink) createOutput() (*output, error) {
	id := s.spool.takeID()
	f, err := os.OpenFile(s.spoolPath(id), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644) // #nosec G302 -- results are for whoever the umask lets read them
	if err != nil {
		return nil, err
	}
	return &output{id: id, file: f, buf: bufio.NewWriterSize(f, 256<<10), sum: md5.New()}, nil
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.buf.Write(b)
	o.sum.Write(b[:n])
	o.size += int64(n)
	return n, err
}

// readSpool has a spool file read.
func (s *Sink) readSpool(id int64, read func(*os.File) error) error {
	f, err := os.Open(s.spoolPath(id))
	if errors.Is(err, os.ErrNotExist) {
		return missing(s.spoolPath(id))
	}
	if err != nil {
		return err
	}
	if err := errors.Join(read(f), f.Close()); err != nil {
		return fmt.Errorf("take from %s: %w", f.Name(), err)
	}
	return nil
}

// keptOf sums up what is kept of a spool file, and whether it is all of the
// file but for a tail.
func (s *Sink) keptOf(ctx context.Context, id int64) (whole bool, size, rows int64, err error) {
	var end int64
	err = s.store.View(ctx, func(tx *store.Tx) error {
		_, err := tx.Get([]any{&size, &rows, &end}, "SELECT sum(length), sum(rows), max(off + length) FROM sink_keep WHERE file = ?", id)
		return err
	})
	return size == end, size, rows, err
}

// keptRanges yields the kept ranges of a spool file in the order of writing, a
// page at a time; neighbours are one range.
func (s *Sink) keptRanges(ctx context.Context, id int64) func(func([]extent, error) bool) {
	return func(yield func([]extent, error) bool) {
		from := int64(0)
		for {
			var page []extent
			read := 0
			err := s.store.View(ctx, func(tx *store.Tx) error {
				for row, err := range tx.Query("SELECT off, length, rows FROM sink_keep WHERE file = ? AND off >= ? ORDER BY off LIMIT ?", id, from, pageOfRanges) {
					e := extent{file: id}
					if err == nil {
						err = row.Scan(&e.off, &e.length, &e.rows)
					}
					if err != nil {
						return err
					}
					read++
					from = e.off + e.length
					page = join(page, e)
				}
				return nil
			})
			if err != nil {
				yield(nil, err)
				return
			}
			if len(page) > 0 && !yield(page, nil) || read < pageOfRanges {
				return
			}
		}
	}
}

// join adds a range, as part of the last one where they touch.
func join(ranges []extent, next extent) []extent {
	if i := len(ranges) - 1; i >= 0 && ranges[i].file == next.file && ranges[i].off+ranges[i].length == next.off {
		ranges[i].length += next.length
		ranges[i].rows += next.rows
		return ranges
	}
	return append(ranges, next)
}
