package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"modernc.org/sqlite"
)

// conn is one connection to the database, used by one goroutine at a time, and
// the statements it has prepared. It speaks to the driver itself: a third of
// the cost of a small write would be database/sql, whose pool is not needed.
type conn struct {
	raw        driver.Conn
	statements map[string]*statement
}

// statement is prepared once and used again; the arrays save an allocation for
// each use.
type statement struct {
	driver.Stmt
	args []driver.NamedValue
	row  []driver.Value
	open bool // rows of it are being read
}

var sqliteDriver = &sqlite.Driver{}

// connect opens a database that exists. It takes no lock and reads nothing yet.
func connect(path string) (*conn, error) {
	name := filepath.ToSlash(path)
	if name[0] != '/' { // a Windows drive
		name = "/" + name
	}
	uri := url.URL{Scheme: "file", Path: name, RawQuery: "mode=rw&_busy_timeout=5000"}
	raw, err := sqliteDriver.Open(uri.String())
	if err != nil {
		return nil, classify(err)
	}
	return &conn{raw: raw, statements: map[string]*statement{}}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

func (c *conn) prepare(sql string, args []any) (*statement, error) {
	s := c.statements[sql]
	if s == nil {
		prepared, err := c.raw.Prepare(sql)
		if err != nil {
			return nil, classify(err)
		}
		s = &statement{Stmt: prepared}
		c.statements[sql] = s
	}
	if s.open {
		return nil, fmt.Errorf("statement is in use: %s", sql)
	}
	s.args = s.args[:0]
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d of %s: %w", i+1, sql, err)
		}
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return s, nil
}

// exec runs a statement to its end and returns how many rows it changed.
func (c *conn) exec(sql string, args ...any) (int64, error) {
	s, err := c.prepare(sql, args)
	if err != nil {
		return 0, err
	}
	result, err := s.Stmt.(driver.StmtExecContext).ExecContext(context.Background(), s.args)
	clear(s.args)
	if err != nil {
		return 0, classify(err)
	}
	return result.RowsAffected()
}

// query calls each for every row until it returns false.
func (c *conn) query(sql string, args []any, each func(Row) bool) error {
	s, err := c.prepare(sql, args)
	if err != nil {
		return err
	}
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(context.Background(), s.args)
	clear(s.args)
	if err != nil {
		return classify(err)
	}
	s.open = true
	err = s.read(rows, each)
	s.open = false
	if closeErr := rows.Close(); err == nil {
		err = closeErr
	}
	return classify(err)
}

func (s *statement) read(rows driver.Rows, each func(Row) bool) error {
	if s.row == nil {
		s.row = make([]driver.Value, len(rows.Columns()))
	}
	for {
		err := rows.Next(s.row)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !each(Row{values: s.row}) {
			return nil
		}
	}
}

// number is the first column of the first row.
func (c *conn) number(sql string) (n int64, err error) {
	var scanErr error
	err = c.query(sql, nil, func(r Row) bool {
		scanErr = r.Scan(&n)
		return false
	})
	return n, errors.Join(err, scanErr)
}

// set runs pragmas, which may or may not answer with a row.
func (c *conn) set(pragmas ...string) error {
	for _, p := range pragmas {
		if err := c.query("PRAGMA "+p, nil, func(Row) bool { return true }); err != nil {
			return fmt.Errorf("set %s: %w", p, err)
		}
	}
	return nil
}
