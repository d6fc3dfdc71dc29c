package file

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/sink"
)

// markBatch is how many units are marked in one transaction.
const markBatch = 1000

// Finish makes the inventory: data/part-00001… and manifest.json, which is
// written last. A run without rows has a manifest without files. Rows keep the
// order of writing within a unit, through the files in the order of the
// manifest.
//
// It may be repeated, after a crash and after success; when more units have
// been committed since, as by a redrive, their rows are added in new files.
// Until its one switch, a transaction, all that went before can be done again;
// after it the records say what the folder will look like, and publish makes it so.
//
// Attempts that are under way when Finish begins can no longer be committed.
func (s *Sink) Finish(ctx context.Context, committed iter.Seq2[sink.Committed, error]) (sink.Summary, error) {
	s.finishing.Lock()
	defer s.finishing.Unlock()
	summary, err := s.finish(ctx, committed)
	if err != nil {
		return sink.Summary{}, fmt.Errorf("finish results: %w", full(err))
	}
	return summary, nil
}

func (s *Sink) finish(ctx context.Context, committed iter.Seq2[sink.Committed, error]) (sink.Summary, error) {
	spooled, err := s.begin(ctx)
	if err != nil {
		return sink.Summary{}, err
	}
	s.step("begun")
	if err := s.mark(ctx, spooled, committed); err != nil {
		return sink.Summary{}, err
	}
	s.step("marked")
	made, err := s.assemble(ctx, spooled)
	if err != nil {
		return sink.Summary{}, err
	}
	s.step("assembled")
	if err := s.switchOver(ctx, spooled, made); err != nil {
		return sink.Summary{}, err
	}
	s.step("switched")
	if s.dir == "" {
		return sink.Summary{}, nil
	}
	return s.publish(ctx)
}

// begin ends the generation: the files it returns are all that this Finish
// works on, and no attempt that wrote there can be committed after it.
func (s *Sink) begin(ctx context.Context) (spooled []dataFile, err error) {
	release, err := s.spool.seal()
	if err != nil {
		return nil, err
	}
	defer release()
	if err := s.store.Update(ctx, func(tx *store.Tx) error {
		next := s.generation.Load() + 1
		if _, err := tx.Exec("UPDATE sink_state SET generation = ?", next); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM sink_keep"); err != nil {
			return err
		}
		s.generation.Store(next) // on the writer: commits see it in order
		return nil
	}); err != nil {
		return nil, err
	}
	return s.files(ctx, false)
}

// mark notes of each committed unit that it is, and which ranges of the spool
// are its rows.
func (s *Sink) mark(ctx context.Context, spooled []dataFile, committed iter.Seq2[sink.Committed, error]) error {
	inSpool := make(map[int64]bool, len(spooled))
	for _, f := range spooled {
		inSpool[f.id] = true
	}
	batch := make([][]byte, 0, markBatch)
	flush := func() error {
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			for _, unit := range batch {
				if err := s.markUnit(tx, unit, inSpool); err != nil {
					return err
				}
			}
			return nil
		})
		batch = batch[:0]
		return err
	}
	for c, err := range committed {
		if err != nil {
			return err
		}
		batch = append(batch, unitKey(c.PID, c.Attempt, c.Leaf))
		if len(batch) == markBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// markUnit marks a unit; one that has no part has written nothing. Ranges of
// files that are finished were kept before.
func (s *Sink) markUnit(tx *store.Tx, unit []byte, inSpool map[int64]bool) error {
	var packed []byte
	if _, err := tx.Get([]any{&packed}, "UPDATE sink_part SET kept = ? WHERE unit = ? RETURNING extents", s.generation.Load(), unit); err != nil {
		return err
	}
	extents, err := unpackExtents(packed)
	if err != nil {
		return err
	}
	for _, e := range extents {
		if !inSpool[e.file] {
			continue
		}
		if _, err := tx.Exec("INSERT OR REPLACE INTO sink_keep VALUES (?, ?, ?, ?)", e.file, e.off, e.length, e.rows); err != nil {
			return err
		}
	}
	return nil
}

// switchOver makes the files that were made the results, in one transaction,
// and forgets all that is not committed.
func (s *Sink) switchOver(ctx context.Context, spooled, made []dataFile) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		for _, f := range spooled {
			if _, err := tx.Exec("DELETE FROM sink_file WHERE id = ?", f.id); err != nil {
				return err
			}
		}
		var part int64
		if _, err := tx.Get([]any{&part}, "SELECT max(part) FROM sink_file"); err != nil {
			return err
		}
		for _, f := range made {
			part++
			if _, err := tx.Exec("INSERT INTO sink_file (id, part, size, rows, md5) VALUES (?, ?, ?, ?, ?)", f.id, part, f.size, f.rows, f.md5); err != nil {
				return err
			}
			if _, err := tx.Exec("UPDATE sink_state SET next_file = max(next_file, ?)", f.id+1); err != nil {
				return err
			}
		}
		for _, sql := range []string{
			"DELETE FROM sink_part WHERE kept <> (SELECT generation FROM sink_state)",
			"DELETE FROM sink_blob WHERE unit NOT IN (SELECT unit FROM sink_part)",
			"DELETE FROM sink_keep",
		} {
			if _, err := tx.Exec(sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// publish makes the folder what the records say.
func (s *Sink) publish(ctx context.Context) (sink.Summary, error) {
	files, err := s.files(ctx, true)
	if err != nil {
		return sink.Summary{}, err
	}
	manifest := inventory.NewManifest(s.options.Layout, s.options.Bucket, "file://"+filepath.ToSlash(s.dir), s.options.Created)
	summary := sink.Summary{Location: filepath.Join(s.dir, inventory.ManifestName), Files: len(files)}
	for _, f := range files {
		if err := s.place(f); err != nil {
			return sink.Summary{}, err
		}
		manifest.Files = append(manifest.Files, inventory.File{Key: dataName + "/" + s.dataName(f.part), Size: f.size, MD5: f.md5})
		summary.Rows += f.rows
		summary.Bytes += f.size
	}
	s.step("placed")
	if err := s.describe(manifest); err != nil {
		return sink.Summary{}, err
	}
	s.step("described")
	return summary, s.clean(ctx)
}
