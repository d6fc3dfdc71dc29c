package sqlrows

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net/url"
	"path/filepath"

	"modernc.org/sqlite"
)

// file is a connection to a SQLite file, to read only.
type file struct {
	conn  driver.Conn
	stmts map[string]driver.Stmt
}

// sqliteFile makes connections to the file at a path, which is not made where it is
// not there.
func sqliteFile(path string) (func(context.Context) (client, error), error) {
	if path == "" {
		return nil, errDSN
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if path = filepath.ToSlash(path); path[0] != '/' { // a Windows drive
		path = "/" + path
	}
	at := url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)"}
	return func(context.Context) (client, error) {
		conn, err := (&sqlite.Driver{}).Open(at.String())
		if err != nil {
			return nil, err
		}
		return &file{conn, map[string]driver.Stmt{}}, nil
	}, nil
}

func (f *file) lost() bool { return false }

func (f *file) close() {
	f.forget()
	_ = f.conn.Close()
}

func (f *file) forget() {
	for _, s := range f.stmts {
		_ = s.Close()
	}
	clear(f.stmts)
}

func (f *file) query(ctx context.Context, text string, params []Value) ([][]any, error) {
	s := f.stmts[text]
	if s == nil {
		var err error
		if s, err = f.conn.Prepare(text); err != nil {
			return nil, err
		}
		if len(f.stmts) >= maxTrees {
			f.forget()
		}
		f.stmts[text] = s
	}
	named := make([]driver.NamedValue, len(params))
	for i, p := range params {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: p.bound()}
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, named)
	if err != nil {
		return nil, err
	}
	all, err := readAll(rows)
	return all, errors.Join(err, rows.Close())
}

func readAll(rows driver.Rows) (all [][]any, err error) {
	n := len(rows.Columns())
	values := make([]driver.Value, n)
	for {
		err := rows.Next(values)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		row := make([]any, n)
		for i, v := range values {
			row[i] = v
		}
		all = append(all, row)
	}
}
