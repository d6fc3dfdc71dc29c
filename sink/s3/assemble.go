package s3

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ramify/ramify/inventory"
)

// copies are objects that are copied inside the store at a time.
const copies = 16

// assembly makes results of what units have committed, in their order.
type assembly struct {
	ctx        context.Context
	sink       *Sink
	generation string

	made    []file
	out     *object                  // the one of made that is being written, or nil
	parquet *inventory.ParquetWriter // into out
	blocks  sorter
	sorted  string // key of the sorted blocks, below that of the run's parts

	copying sync.WaitGroup
	turns   chan struct{}
	copied  chan error // the first that went wrong
}

// assemble makes the files. Strict holds if there were results before: then a
// leaf whose record is gone has expired, and to make results without its rows
// would replace good ones.
func (a *assembly) assemble(u *units, strict bool) error {
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	a.ctx, a.turns, a.copied = ctx, make(chan struct{}, copies), make(chan error, 1)
	err := a.all(u, strict)
	if err != nil {
		cancel()
	}
	a.copying.Wait()
	select {
	case failed := <-a.copied:
		err = failed // what came after may be its consequence
	default:
	}
	a.out.abort()
	return errors.Join(err, a.blocks.close())
}

func (a *assembly) all(u *units, strict bool) error {
	for f := range a.sink.records(a.ctx, u) {
		switch {
		case f.err != nil:
			return f.err
		case f.record == nil && f.unit.Leaf && strict:
			return fmt.Errorf("%s is not there any more: objects below %s must be kept until the run is done with, redrives included", a.sink.url(f.key), a.sink.url(a.sink.parts))
		case f.record == nil:
			continue
		}
		if err := a.unit(f.record); err != nil {
			return fmt.Errorf("take from %s: %w", a.sink.url(f.key), err)
		}
	}
	if err := a.end(); err != nil {
		return err
	}
	return a.sort()
}

// unit takes the rows and blocks of one unit.
func (a *assembly) unit(r *record) error {
	for _, f := range r.RowFiles {
		if err := a.rowFile(f); err != nil {
			return err
		}
	}
	if len(r.Held) > 0 {
		if err := a.take(r.Rows, func(rows func(io.Reader) error) error { return rows(bytes.NewReader(r.Held)) }); err != nil {
			return err
		}
	}
	if r.BlockFile != nil {
		return a.sink.stream(a.ctx, a.sink.parts+r.BlockFile.Key, a.eachBlock)
	}
	return a.eachBlock(newReader(bytes.NewReader(r.Blocks)))
}

func (a *assembly) eachBlock(r *reader) error {
	for {
		block, err := r.block()
		if err != nil || block == nil {
			return err
		}
		if err := a.blocks.add(block); err != nil {
			return err
		}
	}
}

// rowFile takes an object of rows: large ones as they are, which ends the file
// being written, so that a unit whose rows went into several keeps their order.
func (a *assembly) rowFile(f file) error {
	s := a.sink
	if s.options.Layout.Format() == inventory.Parquet || f.Size < s.options.PartSize/32 {
		return a.take(f.Rows, func(rows func(io.Reader) error) error {
			return s.stream(a.ctx, s.parts+f.Key, func(r *reader) error { return rows(r) })
		})
	}
	if err := a.end(); err != nil {
		return err
	}
	from := s.parts + f.Key
	f.Key = a.nextKey()
	a.made = append(a.made, f)
	select {
	case a.turns <- struct{}{}:
	case <-a.ctx.Done():
		return a.ctx.Err()
	}
	a.copying.Go(func() {
		defer func() { <-a.turns }()
		if err := s.copyWhole(a.ctx, f.Key, from); err != nil {
			select {
			case a.copied <- err:
			default:
			}
		}
	})
	return nil
}

// nextKey is the key of the file after those that are made.
func (a *assembly) nextKey() string {
	o := a.sink.options
	return fmt.Sprintf("%s%s/%s/part-%05d%s", a.sink.base, dataName, a.generation, len(a.made)+1, o.Layout.Format().Ext())
}

// take has packed rows read into the file being written.
func (a *assembly) take(rows int64, from func(func(io.Reader) error) error) error {
	if a.sink.options.Layout.Format() == inventory.Parquet {
		return from(a.convert)
	}
	if err := a.ready(); err != nil {
		return err
	}
	a.out.rows += rows
	return from(func(members io.Reader) error {
		_, err := io.Copy(writer{a.ctx, a.out}, members)
		return err
	})
}

// ready makes a.out an object that takes more.
func (a *assembly) ready() error {
	if a.out != nil && a.out.size >= a.sink.options.PartSize {
		if err := a.end(); err != nil {
			return err
		}
	}
	if a.out == nil {
		a.out = a.sink.newObject(a.nextKey())
		a.made = append(a.made, file{})
	}
	return nil
}

// convert writes packed rows as Parquet.
func (a *assembly) convert(members io.Reader) error {
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
		if a.parquet != nil && a.parquet.Size() >= a.sink.options.PartSize {
			if err := a.end(); err != nil {
				return err
			}
		}
		if a.parquet == nil {
			if err := a.ready(); err != nil {
				return err
			}
			a.parquet = inventory.NewParquetWriter(writer{a.ctx, a.out}, layout.Columns())
		}
		if err := a.parquet.Write(&o); err != nil {
			return err
		}
		a.out.rows++
	}
	return nil
}

// end completes the file that is being written, if any.
func (a *assembly) end() error {
	if a.out == nil {
		return nil
	}
	if a.parquet != nil {
		if err := a.parquet.Close(); err != nil {
			return err
		}
		a.parquet = nil
	}
	f, err := a.out.end(a.ctx)
	if err != nil {
		return err
	}
	a.made[len(a.made)-1], a.out = f, nil
	return nil
}

// sort writes the blocks in order, for Read.
func (a *assembly) sort() error {
	s := a.sink
	out := s.newObject(s.parts + "prefixes/sorted-" + a.generation)
	defer func() { out.abort() }()
	var framed []byte
	for block, err := range a.blocks.sorted() {
		if err != nil {
			return err
		}
		framed = frame(framed[:0], block)
		if err := out.write(a.ctx, framed); err != nil {
			return err
		}
	}
	if out.size == 0 {
		return nil
	}
	f, err := out.end(a.ctx)
	a.sorted = f.Key[len(s.parts):]
	return err
}
