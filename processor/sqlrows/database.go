package sqlrows

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver of the name "sqlite"
)

// The beginnings of DSNs.
const (
	sqliteScheme     = "sqlite:"
	postgresScheme   = "postgres://"
	postgresqlScheme = "postgresql://"
)

// maxTrees bounds the trees whose statements are kept prepared: a task sees a few, and
// an endless stream of different ones must not fill its memory.
const maxTrees = 64

// database is one that is open.
type database struct {
	*sql.DB
	param  string // before the number of a parameter
	secret string // which no error may show

	mu    sync.Mutex
	trees map[string]*prepared // by table and columns
}

// prepared is the statements of a tree, as they are prepared once they are needed.
type prepared struct {
	statements
	mu   sync.Mutex
	made map[string]*sql.Stmt
}

// IsDSN reports whether a text is a DSN, and not the name of a database.
func IsDSN(text string) bool {
	for _, scheme := range []string{sqliteScheme, postgresScheme, postgresqlScheme} {
		if strings.HasPrefix(text, scheme) {
			return true
		}
	}
	return false
}

// Password is the password in a DSN, "" where there is none, and false where it cannot
// be told.
func Password(dsn string) (string, bool) {
	if strings.HasPrefix(dsn, sqliteScheme) {
		return "", true
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", false
	}
	if p := u.Query().Get("password"); p != "" {
		return p, true
	}
	p, _ := u.User.Password()
	return p, true
}

// errDSN quotes nothing of a DSN, which has a password in it.
var errDSN = errors.New("it is no DSN that can be read, want postgres://user:password@host:5432/database?sslmode=require or sqlite:PATH")

// open opens a database, without asking it yet. SQLite is opened to read only.
func open(dsn string, connections int) (*database, error) {
	d := &database{trees: map[string]*prepared{}}
	if path, is := strings.CutPrefix(dsn, sqliteScheme); is {
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
		d.param = "?"
		d.DB, err = sql.Open("sqlite", at.String())
		if err != nil {
			return nil, err
		}
	} else {
		var known bool
		if d.secret, known = Password(dsn); !known || !IsDSN(dsn) {
			return nil, errDSN
		}
		cfg, err := pgx.ParseConfig(dsn)
		if err != nil {
			return nil, errDSN
		}
		if cfg.RuntimeParams["application_name"] == "" {
			cfg.RuntimeParams["application_name"] = "ramify"
		}
		d.param, d.secret = "$", cfg.Password
		d.DB = stdlib.OpenDB(*cfg)
	}
	d.SetMaxOpenConns(connections)
	d.SetMaxIdleConns(connections)
	d.SetConnMaxIdleTime(time.Minute)
	return d, nil
}

// tree is the statements of a tree.
func (d *database) tree(t *Tree) *prepared {
	id := strings.Join(append([]string{t.Table, t.Key, t.Parent}, t.Columns...), "\x00")
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.trees[id]
	if p == nil {
		p = &prepared{statements: t.write(d.param)}
		if len(d.trees) < maxTrees {
			p.made = map[string]*sql.Stmt{}
			d.trees[id] = p
		}
	}
	return p
}

// query asks. The statement is prepared once for all who ask it.
func (d *database) query(ctx context.Context, p *prepared, text string, params ...any) (*sql.Rows, error) {
	if p.made == nil {
		return d.QueryContext(ctx, text, params...)
	}
	p.mu.Lock()
	s := p.made[text]
	if s == nil {
		var err error
		if s, err = d.PrepareContext(ctx, text); err != nil {
			p.mu.Unlock()
			return nil, err
		}
		p.made[text] = s
	}
	p.mu.Unlock()
	return s.QueryContext(ctx, params...)
}

// hushed is an error without the password, if it has it in it.
func (d *database) hushed(err error) error {
	if err == nil || d.secret == "" || !strings.Contains(err.Error(), d.secret) {
		return err
	}
	return fmt.Errorf("%s", strings.ReplaceAll(err.Error(), d.secret, "…"))
}
