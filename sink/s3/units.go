package s3

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/bits"
	"os"

	"github.com/ramify/ramify/sink"
)

// units are the committed ones in the order they were told, in a temporary file:
// what they are called must be known before anything is made of them.
type units struct {
	file   *os.File
	remove func() error

	set   string // names them, in whichever order
	order string // names them in this order, and what is made of them
}

const unitSize = 16 + 8 + 1

func gather(ctx context.Context, committed iter.Seq2[sink.Committed, error]) (*units, error) {
	f, remove, err := temporary()
	if err != nil {
		return nil, err
	}
	u := &units{file: f, remove: remove}
	if err := u.gather(ctx, committed); err != nil {
		return nil, errors.Join(err, remove())
	}
	return u, nil
}

func (u *units) gather(ctx context.Context, committed iter.Seq2[sink.Committed, error]) error {
	out := bufio.NewWriterSize(u.file, 256<<10)
	order := sha256.New()
	var hi, lo uint64 // the sum of their digests
	var b [unitSize]byte
	for c, err := range committed {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		copy(b[:], c.PID[:])
		binary.BigEndian.PutUint64(b[16:], c.Attempt)
		b[24] = 0
		if c.Leaf {
			b[24] = 1
		}
		order.Write(b[:])
		own := sha256.Sum256(b[:])
		var carry uint64
		lo, carry = bits.Add64(lo, binary.BigEndian.Uint64(own[8:]), 0)
		hi, _ = bits.Add64(hi, binary.BigEndian.Uint64(own[:]), carry)
		if _, err := out.Write(b[:]); err != nil {
			return fmt.Errorf("write to a temporary file: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write to a temporary file: %w", err)
	}
	u.set = fmt.Sprintf("%016x%016x", hi, lo)
	u.order = hex.EncodeToString(order.Sum(nil)[:8])
	return nil
}

// each yields the units in their order.
func (u *units) each() iter.Seq2[sink.Committed, error] {
	return func(yield func(sink.Committed, error) bool) {
		in := bufio.NewReaderSize(io.NewSectionReader(u.file, 0, 1<<62), 64<<10)
		var b [unitSize]byte
		for {
			_, err := io.ReadFull(in, b[:])
			if errors.Is(err, io.EOF) {
				return
			}
			c := sink.Committed{Attempt: binary.BigEndian.Uint64(b[16:]), Leaf: b[24] == 1}
			copy(c.PID[:], b[:])
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// recordWidth is how many records are asked for ahead, and held: 64 MiB of the
// largest, and about 4,000 a second where an answer takes 30 ms.
const recordWidth = 128

// found is the record of a unit, nil if it has written nothing, and whose it is.
type found struct {
	record *record
	unit   sink.Committed
	key    string
	err    error
}

// records yields what the units have committed, in their order; nobody waits for
// one request after another.
func (s *Sink) records(ctx context.Context, u *units) iter.Seq[found] {
	return func(yield func(found) bool) {
		ctx, cancel := context.WithCancel(ctx)
		ahead := make(chan chan found, recordWidth)
		go func() {
			defer close(ahead)
			for c, err := range u.each() {
				one := make(chan found, 1)
				select {
				case ahead <- one:
				case <-ctx.Done():
					return
				}
				if err != nil {
					one <- found{err: err}
					return
				}
				go func() {
					f := found{unit: c, key: s.unitKey(c.PID, c.Attempt, c.Leaf)}
					f.record, f.err = s.record(ctx, f.key)
					if errors.Is(f.err, errMissing) {
						f.err = nil
					}
					one <- f
				}()
			}
		}()
		defer func() { // whoever asks is waited for
			cancel()
			for one := range ahead {
				<-one
			}
		}()
		for one := range ahead {
			if f := <-one; !yield(f) || f.err != nil {
				return
			}
		}
	}
}
