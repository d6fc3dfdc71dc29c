package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"iter"
)

// Tx is a transaction: of an Update, shared with other callers, or of a View.
// It is valid until the function it was given to returns, on that goroutine.
//
// Statements are prepared once for each text, so texts should be constants.
// Arguments are nil, bool, int, int64, string and []byte; a nil []byte is NULL.
type Tx struct {
	conn   *conn
	ctx    context.Context // of a View: ends the reading of rows
	failed error           // the first failure of SQLite, for which all is rolled back
	before []func(*Tx) error
	after  []func(error)
}

// Exec runs a statement that returns no rows and returns how many it changed.
// An error fails the transaction for all its callers.
func (t *Tx) Exec(sql string, args ...any) (int64, error) {
	n, err := t.conn.exec(sql, args...)
	return n, t.fail(err)
}

// Query yields the rows of a statement, or one error. A row is valid until the
// next one is asked for; what was scanned from it belongs to the caller. The
// same statement must not be used inside the loop.
func (t *Tx) Query(sql string, args ...any) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		stopped := false
		err := t.conn.query(sql, args, func(r Row) bool {
			if t.ctx.Err() != nil {
				return false
			}
			stopped = !yield(r, nil)
			return !stopped
		})
		if err == nil {
			err = t.ctx.Err()
		}
		if t.fail(err) != nil && !stopped {
			yield(Row{}, err)
		}
	}
}

// Get scans the first row of a statement and reports whether there was one.
func (t *Tx) Get(dest []any, sql string, args ...any) (found bool, err error) {
	for row, err := range t.Query(sql, args...) {
		if err != nil {
			return false, err
		}
		return true, row.Scan(dest...)
	}
	return false, nil
}

// BeforeCommit has fn run once after all callers of this transaction and before
// its commit: there a cache writes what many callers have changed. An error
// fails the transaction for all of them. Of no use in a View.
func (t *Tx) BeforeCommit(fn func(*Tx) error) { t.before = append(t.before, fn) }

// AfterCommit has fn run on the writer, before any caller of this transaction
// gets its answer and before the next transaction begins, with nil if it is
// durable and else the error. There memory is brought in line with the file.
// Of no use in a View.
func (t *Tx) AfterCommit(fn func(err error)) { t.after = append(t.after, fn) }

func (t *Tx) fail(err error) error {
	if err != nil && t.failed == nil {
		t.failed = err
	}
	return err
}

// Row is a row of a query.
type Row struct{ values []driver.Value }

// Scan copies the columns into *int64, *int, *string, *[]byte or *bool; NULL
// becomes the zero value.
func (r Row) Scan(dest ...any) error {
	if len(dest) != len(r.values) {
		return fmt.Errorf("scan row: %d columns into %d variables", len(r.values), len(dest))
	}
	for i, d := range dest {
		if !assign(d, r.values[i]) {
			return fmt.Errorf("scan row: column %d is %T, the variable %T", i+1, r.values[i], d)
		}
	}
	return nil
}

func assign(dest any, v driver.Value) (ok bool) {
	null := v == nil
	switch d := dest.(type) {
	case *int64:
		*d, ok = v.(int64)
	case *int:
		var n int64
		n, ok = v.(int64)
		*d = int(n)
	case *bool:
		var n int64
		n, ok = v.(int64)
		*d = n != 0
	case *string:
		*d, ok = v.(string)
	case *[]byte:
		*d, ok = v.([]byte)
	default:
		return false
	}
	return ok || null
}

func value(a any) (driver.Value, error) {
	switch v := a.(type) {
	case nil, int64, string, bool:
		return v, nil
	case int:
		return int64(v), nil
	case []byte:
		if v == nil {
			return nil, nil
		}
		return v, nil
	}
	return nil, fmt.Errorf("type %T is not stored", a)
}
