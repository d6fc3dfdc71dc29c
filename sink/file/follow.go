package file

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// Follow shows what the sink of a run, whose state is s, has committed of streams other
// than sink.Rows, whoever has it open. It needs no folder.
func Follow(s *store.Store) sink.Follower { return follower{s} }

type follower struct{ store *store.Store }

var _ sink.Follower = follower{}

const (
	// followed is how many bytes of blocks are read at a time, about: at first few, since who
	// reads may have no time for more, and twice as many each time.
	followedFirst, followedMost = 64 << 10, 4 << 20

	markOf    = "%d.%d" // generation and id
	sinceMark = `SELECT id, unit, block FROM sink_blob WHERE stream = ? AND id > ? ORDER BY id`
)

// Since implements sink.Follower. Blocks are numbered as they are committed; Finish
// removes some, and their numbers may be used again.
func (f follower) Since(ctx context.Context, stream, mark string) iter.Seq2[sink.Followed, error] {
	return func(yield func(sink.Followed, error) bool) {
		var generation, id int64
		if mark != "" {
			if _, err := fmt.Sscanf(mark, markOf, &generation, &id); err != nil {
				yield(sink.Followed{}, fmt.Errorf("follow %s: mark is %q: %w", stream, mark, err))
				return
			}
		}
		begun := mark != ""
		for most := followedFirst; ; most, begun = min(2*most, followedMost), true {
			batch, now, err := f.batch(ctx, stream, id, most)
			if err == nil && begun && now != generation {
				err = sink.ErrAnew
			}
			if err != nil {
				yield(sink.Followed{}, fmt.Errorf("follow %s: %w", stream, err))
				return
			}
			generation = now
			for _, b := range batch {
				id = b.id
				if !yield(sink.Followed{Unit: b.unit, Block: b.block, Mark: fmt.Sprintf(markOf, now, id)}, nil) {
					return
				}
			}
			if len(batch) == 0 {
				return
			}
		}
	}
}

type numbered struct {
	id    int64
	unit  sink.Committed
	block []byte
}

// batch is blocks after a number, so many bytes about, and the generation that they are of.
func (f follower) batch(ctx context.Context, stream string, after int64, most int) (batch []numbered, generation int64, err error) {
	err = f.store.View(ctx, func(tx *store.Tx) error {
		var name string
		// A run has no results before it is worked on.
		made, err := tx.Get([]any{&name}, "SELECT name FROM sqlite_master WHERE name = 'sink_blob'")
		if err != nil || !made {
			return err
		}
		if _, err := tx.Get([]any{&generation}, "SELECT generation FROM sink_state"); err != nil {
			return err
		}
		size := 0
		for row, err := range tx.Query(sinceMark, stream, after) {
			var b numbered
			var unit []byte
			if err == nil {
				err = row.Scan(&b.id, &unit, &b.block)
			}
			if err == nil {
				b.unit, err = unitOf(unit)
			}
			if err != nil {
				return err
			}
			batch = append(batch, b)
			if size += len(b.block); size >= most {
				return nil
			}
		}
		return nil
	})
	return batch, generation, err
}

// unitOf reads what unitKey has written.
func unitOf(key []byte) (u sink.Committed, err error) {
	switch len(key) {
	case len(u.PID):
		u.Leaf = true
	case len(u.PID) + 8:
		u.Attempt = binary.BigEndian.Uint64(key[len(u.PID):])
	default:
		return u, fmt.Errorf("unit of %d bytes", len(key))
	}
	u.PID = schema.PID(key[:len(u.PID)])
	return u, nil
}
