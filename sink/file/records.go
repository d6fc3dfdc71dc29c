package file

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/schema"
)

// The records of the sink in the run's state file.
var tables = []string{
	// One row: whose folder it is, and the next numbers.
	`CREATE TABLE IF NOT EXISTS sink_state (
		one        INTEGER PRIMARY KEY CHECK (one = 1),
		owner      TEXT NOT NULL,
		format     TEXT NOT NULL, -- its layout by name
		generation INTEGER NOT NULL, -- how often Finish was begun
		next_file  INTEGER NOT NULL
	)`,
	// Committed parts. The unit is the node of a leaf, or node and attempt.
	`CREATE TABLE IF NOT EXISTS sink_part (
		unit     BLOB PRIMARY KEY,
		nodes    INTEGER NOT NULL,
		objects  INTEGER NOT NULL,
		bytes    INTEGER NOT NULL,
		failures INTEGER NOT NULL,
		reduces  INTEGER NOT NULL,
		extents  BLOB,
		kept     INTEGER NOT NULL DEFAULT 0 -- the generation that last found it committed
	) WITHOUT ROWID`,
	// Blocks of streams other than rows.
	`CREATE TABLE IF NOT EXISTS sink_blob (
		id     INTEGER PRIMARY KEY,
		unit   BLOB NOT NULL,
		stream TEXT NOT NULL,
		block  BLOB NOT NULL
	)`,
	// Files: of the spool, or (part > 0) finished.
	`CREATE TABLE IF NOT EXISTS sink_file (
		id   INTEGER PRIMARY KEY,
		part INTEGER NOT NULL DEFAULT 0,
		size INTEGER NOT NULL DEFAULT 0,
		rows INTEGER NOT NULL DEFAULT 0,
		md5  TEXT NOT NULL DEFAULT ''
	)`,
	// What Finish keeps of the spool: made anew by each.
	`CREATE TABLE IF NOT EXISTS sink_keep (
		file   INTEGER NOT NULL,
		off    INTEGER NOT NULL,
		length INTEGER NOT NULL,
		rows   INTEGER NOT NULL,
		PRIMARY KEY (file, off)
	) WITHOUT ROWID`,
}

type state struct {
	owner      string
	generation int64
	nextFile   int64
}

// loadState reads the sink's state, making it if there is none.
func loadState(ctx context.Context, s *store.Store, l inventory.Layout) (st state, err error) {
	var format string
	err = s.Update(ctx, func(tx *store.Tx) error {
		for _, sql := range tables {
			if _, err := tx.Exec(sql); err != nil {
				return err
			}
		}
		if _, err := tx.Exec("INSERT OR IGNORE INTO sink_state VALUES (1, ?, ?, 0, 1)", rand.Text(), l.String()); err != nil {
			return err
		}
		_, err := tx.Get([]any{&st.owner, &format, &st.generation, &st.nextFile},
			"SELECT owner, format, generation, next_file FROM sink_state")
		return err
	})
	if err == nil && format != l.String() {
		err = fmt.Errorf("the run writes %s, not %s: go on with what it has", format, l)
	}
	return st, err
}

// unitKey names what a part may be the results of: a node, where the first leaf
// wins, or an attempt on a node.
func unitKey(pid schema.PID, attempt uint64, leaf bool) []byte {
	key := pid[:]
	if !leaf {
		key = binary.BigEndian.AppendUint64(key, attempt)
	}
	return key
}

// insertPart puts the part's record unless its unit has one, and returns the
// account of the record.
func (s *Sink) insertPart(ctx context.Context, p *part, unit []byte, own schema.Account) (account schema.Account, err error) {
	extents := packExtents(p.extents)
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		// Here, in the order of transactions, and before anything is written.
		if p.generation != s.generation.Load() {
			return errFinished
		}
		account = own
		n, err := tx.Exec("INSERT OR IGNORE INTO sink_part (unit, nodes, objects, bytes, failures, reduces, extents) VALUES (?, ?, ?, ?, ?, ?, ?)",
			unit, own.Nodes, own.Objects, own.Bytes, own.Failures, own.Reduces, extents)
		if err != nil {
			return err
		}
		if n == 0 {
			_, err := tx.Get([]any{&account.Nodes, &account.Objects, &account.Bytes, &account.Failures, &account.Reduces},
				"SELECT nodes, objects, bytes, failures, reduces FROM sink_part WHERE unit = ?", unit)
			return err
		}
		for _, b := range p.blobs {
			if _, err := tx.Exec("INSERT INTO sink_blob (unit, stream, block) VALUES (?, ?, ?)", unit, b.stream, b.block); err != nil {
				return err
			}
		}
		return nil
	})
	return account, err
}

// committedBlobs yields blocks in the order of their bytes. SQLite sorts beyond a
// few megabytes in temporary files.
func committedBlobs(tx *store.Tx, stream string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for row, err := range tx.Query(`SELECT b.block FROM sink_blob b JOIN sink_part p ON p.unit = b.unit
			WHERE b.stream = ? AND p.kept > 0 AND p.kept = (SELECT generation FROM sink_state) ORDER BY b.block`, stream) {
			var block []byte
			if err == nil {
				err = row.Scan(&block)
			}
			if !yield(block, err) || err != nil {
				return
			}
		}
	}
}

func insertSpoolFile(ctx context.Context, s *store.Store, id int64) error {
	return s.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec("INSERT INTO sink_file (id) VALUES (?)", id); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE sink_state SET next_file = max(next_file, ?)", id+1)
		return err
	})
}

// dataFile is a file of the records.
type dataFile struct {
	id   int64
	part int64 // its number among the results; 0: in the spool
	size int64
	rows int64
	md5  string
}

// files are the files of the spool in the order of writing, or the finished
// ones in the order of their numbers.
func (s *Sink) files(ctx context.Context, finished bool) (files []dataFile, err error) {
	err = s.store.View(ctx, func(tx *store.Tx) error {
		for row, err := range tx.Query("SELECT id, part, size, rows, md5 FROM sink_file WHERE (part > 0) = ? ORDER BY part, id", finished) {
			if err != nil {
				return err
			}
			var f dataFile
			if err := row.Scan(&f.id, &f.part, &f.size, &f.rows, &f.md5); err != nil {
				return err
			}
			files = append(files, f)
		}
		return nil
	})
	return files, err
}

// checkFiles looks for every file of the records, so that one that is gone is
// found before the work and not after it.
func (s *Sink) checkFiles(ctx context.Context) error {
	for _, finished := range []bool{false, true} {
		files, err := s.files(ctx, finished)
		if err != nil {
			return err
		}
		for _, f := range files {
			path := s.spoolPath(f.id)
			found, err := exists(path)
			if err == nil && !found && finished {
				path = s.dataPath(f.part)
				found, err = exists(path)
			}
			if err != nil {
				return err
			}
			if !found {
				return missing(path)
			}
		}
	}
	return nil
}

// packExtents writes extents as varints; nil of none.
func packExtents(extents []extent) (b []byte) {
	for _, e := range extents {
		for _, v := range [...]int64{e.file, e.off, e.length, e.rows} {
			b = binary.AppendUvarint(b, uint64(v))
		}
	}
	return b
}

var errExtents = errors.New("the record of a part is damaged: restore a copy of the state file, or start a new run")

func unpackExtents(b []byte) (extents []extent, err error) {
	for len(b) > 0 {
		var v [4]int64
		for i := range v {
			u, n := binary.Uvarint(b)
			if n <= 0 {
				return nil, errExtents
			}
			v[i], b = int64(u), b[n:]
		}
		extents = append(extents, extent{v[0], v[1], v[2], v[3]})
	}
	return extents, nil
}
