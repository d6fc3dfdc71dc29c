package app

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ramify/ramify/filter"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor/sqlrows"
)

// sqlScheme begins a target that is a parent-child table: sql:NAME?table=…, where NAME
// is that of a database, or a DSN without a password.
const sqlScheme = "sql:"

const sqlWant = "want sql:NAME?table=nodes&key=id&parent=parent_id[&columns=a,b][&root=KEY], with the database's DSN in RAMIFY_SQL_DSN_NAME, or sql:sqlite:PATH?table=…"

// sqlTarget is a tree of rows.
func sqlTarget(text string) (target, error) {
	at := strings.LastIndexByte(text, '?')
	db, query := text[len(sqlScheme):], ""
	if at >= 0 {
		db, query = text[len(sqlScheme):at], text[at+1:]
	}
	fields, err := url.ParseQuery(query)
	p, known := sqlrows.Password(db)
	dsn := sqlrows.IsDSN(db)
	if dsn && (p != "" || !known) || slices.ContainsFunc(slices.Collect(maps.Keys(fields)), sqlrows.IsSecret) {
		return target{}, usagef("target has a password in it, which a run would keep and others on this machine can read: set RAMIFY_SQL_DSN_NAME to the DSN, and give sql:NAME?table=…")
	}
	switch {
	case err != nil:
		return target{}, usagef("target cannot be read behind the ?: %s", sqlWant) // what cannot be read may be a password
	case !dsn && strings.Contains(db, ":"):
		return target{}, usagef("target is of no database that is known here: %s", sqlWant)
	case at < 0:
		return target{}, usagef("target %q is not known: %s", text, sqlWant)
	}
	take := func(name string) string {
		v := fields.Get(name)
		fields.Del(name)
		return v
	}
	tree := sqlrows.Tree{DB: db, Table: take("table"), Key: take("key"), Parent: take("parent")}
	if c := take("columns"); c != "" {
		tree.Columns = strings.Split(c, ",")
	}
	var root *sqlrows.Value
	if fields.Has("root") {
		v := sqlrows.Text(take("root"))
		root = &v
	}
	own := ""
	switch {
	case dsn:
		if own, err = ownDatabase(db, fields); err != nil {
			return target{}, err
		}
		tree.DB = ""
	case len(fields) > 0:
		return target{}, usagef("target %q has %s, which is not known: %s", text, fields.Encode(), sqlWant)
	case sqlrows.CheckName(db) != nil:
		return target{}, usagef("target %q: %w; %s", text, sqlrows.CheckName(db), sqlWant)
	}
	c, err := sqlrows.Root(tree, root)
	if err != nil {
		return target{}, usagef("target %q: %w; %s", text, err, sqlWant)
	}
	t := target{name: text, root: ledger.Kid{Kind: sqlrows.Kind, ID: c.ID, Args: c.Args}, params: map[string]string{}}
	if own != "" {
		t.params[sqlrows.ParamDSN] = own
	}
	t.ready = sqlReady(tree, root)
	return t, nil
}

// ownDatabase is a DSN that stands in a target, with its options that are not ours. A
// path is that of whoever began the run.
func ownDatabase(db string, options url.Values) (string, error) {
	scheme, path, _ := strings.Cut(db, ":")
	isFile := strings.EqualFold(scheme, "sqlite")
	switch {
	case isFile && len(options) > 0:
		return "", usagef("target has %s, which is not known: %s", options.Encode(), sqlWant)
	case isFile:
		full, err := filepath.Abs(path)
		if err != nil {
			return "", usagef("target: %w", err)
		}
		return "sqlite:" + full, nil
	case len(options) > 0:
		return db + "?" + options.Encode(), nil
	}
	return db, nil
}

// sqlReady looks whether the table can be read, and finds the root. Whoever seeds a
// fleet may not have the DSN, which is the tasks'.
func sqlReady(tree sqlrows.Tree, root *sqlrows.Value) func(context.Context, *target, *work, *walkFlags, *filter.Filter) error {
	return func(ctx context.Context, t *target, w *work, c *walkFlags, _ *filter.Filter) error {
		if w.seeds {
			if tree.DB == "" {
				return usagef("target %q is a database of this machine's: a fleet has the DSN in its tasks' RAMIFY_SQL_DSN_NAME, and the target is sql:NAME?table=…", t.name)
			}
			if os.Getenv(sqlrows.Variable(tree.DB)) == "" {
				return nil
			}
		}
		p, ok := w.set[sqlrows.Kind].(*sqlrows.Processor)
		if !ok {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		found, err := p.Check(ctx, tree, t.params, root)
		if errors.Is(err, sqlrows.ErrGone) {
			return usageError{err}
		}
		if err != nil {
			return err
		}
		if found != nil {
			child, err := sqlrows.Root(tree, found)
			if err != nil {
				return usageError{err}
			}
			t.root.ID, t.root.Args = child.ID, child.Args
		}
		return nil
	}
}
