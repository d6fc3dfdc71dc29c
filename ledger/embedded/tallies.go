package embedded

import (
	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

const (
	insertTally = `INSERT INTO tally (id, pid, epoch, body) VALUES (?, ?, ?, ?)`
	updateTally = `UPDATE tally SET body = ? WHERE id = ?`
	selectTally = `SELECT id, body FROM tally WHERE pid = ? AND epoch = ?`
	lastTally   = `SELECT coalesce(max(id), 0) FROM tally`
	dataVersion = `PRAGMA data_version`
)

// tallies is a cache of the tally table, used on the store's writer alone. The
// slots of one plan settle close together in time: within a transaction a tally
// is read at most once and written at most once, just before the commit.
//
// What it holds is what the file holds. It is dropped where that may be untrue:
// when a transaction fails, and when another process has written (SQLite's
// data_version tells, "PRAGMA data_version" in its documentation).
type tallies struct {
	tx      *store.Tx // the transaction it is part of, if any
	version int64     // of the file, when the cache was last known to be true
	lastID  int64     // of the table

	// Two generations: a tally that is used moves to the young one, and when
	// that is full it becomes the old one, whose tallies are forgotten. So the
	// cache holds between half and all of its size of those used last.
	young, old map[tallyKey]*tallyRow
	dirty      []*tallyRow
	packed     []byte
}

// halfSize bounds a generation: 16,384 tallies in all, of about 400 bytes. It is
// larger than any transaction, so that a dirty tally is never forgotten.
const halfSize = 8192

type tallyKey struct {
	pid   schema.PID
	epoch int
}

type tallyRow struct {
	id    int64 // 0: the table has no row yet
	tally ledger.Tally
	dirty bool
}

// get is the tally of a key, which the caller may change and then must touch.
// What is not in the table is an empty tally.
func (c *tallies) get(tx *store.Tx, key tallyKey) (*tallyRow, error) {
	if c.tx != tx {
		if err := c.begin(tx); err != nil {
			return nil, err
		}
	}
	if r := c.young[key]; r != nil {
		return r, nil
	}
	r := c.old[key]
	if r == nil {
		id, t, err := readTally(tx, key)
		if err != nil {
			return nil, err
		}
		r = &tallyRow{id: id, tally: t}
	}
	if len(c.young) >= halfSize {
		c.young, c.old = make(map[tallyKey]*tallyRow, halfSize), c.young
	}
	c.young[key] = r
	return r, nil
}

// touch has a changed tally written before the commit.
func (c *tallies) touch(r *tallyRow) {
	if !r.dirty {
		r.dirty = true
		c.dirty = append(c.dirty, r)
	}
}

func (c *tallies) begin(tx *store.Tx) error {
	var version int64
	if _, err := tx.Get([]any{&version}, dataVersion); err != nil {
		return err
	}
	if c.young == nil || version != c.version {
		c.drop()
		c.version = version
		if _, err := tx.Get([]any{&c.lastID}, lastTally); err != nil {
			return err
		}
	}
	c.tx = tx
	tx.BeforeCommit(c.flush)
	tx.AfterCommit(c.end)
	return nil
}

func (c *tallies) flush(tx *store.Tx) error {
	for _, r := range c.dirty {
		c.packed = packTally(c.packed[:0], &r.tally)
		var err error
		if r.id == 0 {
			c.lastID++
			r.id = c.lastID
			_, err = tx.Exec(insertTally, r.id, r.tally.PID[:], r.tally.Epoch, c.packed)
		} else {
			_, err = tx.Exec(updateTally, c.packed, r.id)
		}
		if err != nil {
			return err
		}
		r.dirty = false
	}
	return nil
}

func (c *tallies) end(err error) {
	c.tx = nil
	clear(c.dirty)
	c.dirty = c.dirty[:0]
	if err != nil {
		c.young, c.old = nil, nil // the next transaction begins anew
	}
}

func (c *tallies) drop() {
	c.young, c.old = make(map[tallyKey]*tallyRow, halfSize), nil
}

// readTally reads a tally and the number of its row, 0 if there is none.
func readTally(tx *store.Tx, key tallyKey) (id int64, t ledger.Tally, err error) {
	var body []byte
	t = ledger.Tally{PID: key.pid, Epoch: key.epoch}
	found, err := tx.Get([]any{&id, &body}, selectTally, key.pid[:], key.epoch)
	if err != nil || !found {
		return 0, t, err
	}
	err = unpackTally(body, &t)
	return id, t, err
}
