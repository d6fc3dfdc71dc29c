package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/queue"
)

var validName = regexp.MustCompile(`^[a-z]{1,32}$`)

// openingShift: an id is the number of the opening in which the message was
// sent, and in its lower bits a number counted from 1. So ids grow and are never
// used again, new rows go to the right edge of the table, and an id tells
// whether somebody may have received the message before a crash.
const openingShift = 40

// receivedBefore is how often a fresh message must be taken to have been
// received: receipts of earlier openings were not written down.
func receivedBefore(id, opening int64) int {
	if id>>openingShift < opening {
		return 1
	}
	return 0
}

// statements are the SQL texts of one queue. Each queue has a table of its own.
type statements struct {
	create, insert, remove, read, older, newer, delays, count string
}

func statementsFor(name string) (statements, error) {
	if !validName.MatchString(name) {
		return statements{}, fmt.Errorf("name %q: want 1 to 32 lower-case letters", name)
	}
	table := "queue_" + name
	return statements{
		create: `CREATE TABLE IF NOT EXISTS queue (name TEXT PRIMARY KEY, openings INTEGER NOT NULL) WITHOUT ROWID;
			CREATE TABLE IF NOT EXISTS ` + table + ` (
				id    INTEGER PRIMARY KEY, -- the opening and a number
				body  BLOB NOT NULL,
				attrs TEXT,                -- a JSON object, or NULL
				sent  INTEGER NOT NULL,    -- microseconds since 1970
				until INTEGER NOT NULL     -- hidden by a delay until then; 0: no delay
			)`,
		insert: `INSERT INTO ` + table + ` (id, body, attrs, sent, until) VALUES (?, ?, ?, ?, ?)`,
		remove: `DELETE FROM ` + table + ` WHERE id = ?`,
		read:   `SELECT id, body, attrs, sent FROM ` + table + ` WHERE id = ?`,
		older:  `SELECT id, body, attrs, sent FROM ` + table + ` WHERE id < ? ORDER BY id DESC`,
		newer:  `SELECT id, body, attrs, sent FROM ` + table + ` WHERE id > ? ORDER BY id`,
		delays: `SELECT id, until, sent FROM ` + table + ` WHERE until > ?`,
		count:  `SELECT count(*), coalesce(sum(until > ?), 0) FROM ` + table,
	}, nil
}

const (
	nextOpening = `INSERT INTO queue (name, openings) VALUES (?, 1)
		ON CONFLICT (name) DO UPDATE SET openings = openings + 1`
	readOpening = `SELECT openings FROM queue WHERE name = ?`
)

// load makes the table and, in the owner, begins an opening.
func (q *Queue) load(ctx context.Context, name string) error {
	return q.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(q.sql.create); err != nil {
			return err
		}
		if !q.store.Owner() {
			return nil
		}
		if _, err := tx.Exec(nextOpening, name); err != nil {
			return err
		}
		if _, err := tx.Get([]any{&q.opening}, readOpening, name); err != nil {
			return err
		}
		return q.loadPool(tx)
	})
}

// loadPool reads what the pool must know: how many messages there are, and which
// of them a delay still hides.
func (q *Queue) loadPool(tx *store.Tx) error {
	q.lastID = q.opening << openingShift
	q.serial = q.opening << openingShift
	q.pool = pool{known: map[int64]*entry{}, floor: q.lastID + 1}
	now := time.Now().UnixMicro()
	var waiting int64
	if _, err := tx.Get([]any{&q.pool.total, &waiting}, q.sql.count, now); err != nil {
		return err
	}
	q.pool.below = q.pool.total > 0
	for row, err := range tx.Query(q.sql.delays, now) {
		if err != nil {
			return err
		}
		var id, until, sent int64
		if err := row.Scan(&id, &until, &sent); err != nil {
			return err
		}
		e := &entry{id: id, receives: receivedBefore(id, q.opening)}
		q.pool.known[id] = e
		// No delay is longer than it was to be, whatever the clock was when it began; and
		// reckoned from now, a later step of the clock does not matter.
		left := time.Duration(min(until-now, until-sent)) * time.Microsecond
		q.pool.hide(e, delayed, time.Now().Add(left))
	}
	return nil
}

func (q *Queue) depthOfFile(ctx context.Context) (d queue.Depth, err error) {
	err = q.store.View(ctx, func(tx *store.Tx) error {
		_, err := tx.Get([]any{&d.Visible, &d.Delayed}, q.sql.count, time.Now().UnixMicro())
		return err
	})
	if err != nil {
		return queue.Depth{}, fmt.Errorf("count messages: %w", err)
	}
	d.Visible -= d.Delayed
	return d, nil
}

// scan reads a row of the statements read and older.
func scan(row store.Row) (m message, err error) {
	var attrs string
	var sent int64
	if err := row.Scan(&m.id, &m.body, &attrs, &sent); err != nil {
		return message{}, err
	}
	if attrs != "" {
		if err := json.Unmarshal([]byte(attrs), &m.attrs); err != nil {
			return message{}, fmt.Errorf("read attributes of message %x: %w", m.id, err)
		}
	}
	m.sent = time.UnixMicro(sent)
	return m, nil
}
