package sqlrows

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
)

// The beginnings of DSNs.
const (
	sqliteScheme     = "sqlite:"
	postgresScheme   = "postgres://"
	postgresqlScheme = "postgresql://"
)

// client is one connection, used by one goroutine at a time.
type client interface {
	// query answers all rows of a statement: nil, int64, float64, bool, string,
	// time.Time, json.RawMessage and, of bytes, []byte.
	query(ctx context.Context, text string, params []Value) ([][]any, error)
	// lost reports whether it is of no use any more.
	lost() bool
	close()
}

// database is one that is open, with some connections to it.
type database struct {
	param   string   // before the number of a parameter
	secrets []string // which no error may show
	dial    func(context.Context) (client, error)

	slots chan struct{} // connections that are in use
	mu    sync.Mutex
	idle  []client
	shut  bool

	trees map[string]*statements // by table and columns
}

// maxTrees bounds the trees whose statements are kept: a task sees a few, and an
// endless stream of different ones must not fill its memory.
const maxTrees = 64

// lowered is a DSN with its scheme in lower case, in which all of it is read.
//
// Source: RFC 3986, section 3.1: schemes are case-insensitive.
func lowered(text string) string {
	for _, scheme := range []string{sqliteScheme, postgresScheme, postgresqlScheme} {
		if len(text) >= len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
			return scheme + text[len(scheme):]
		}
	}
	return text
}

// IsDSN reports whether a text is a DSN, and not the name of a database.
func IsDSN(text string) bool {
	text = lowered(text)
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
	all, known := secrets(dsn)
	if len(all) == 0 {
		return "", known
	}
	return all[0], known
}

// IsSecret reports whether an option of a DSN holds a password, of the user or of the
// user's key, however it is written.
func IsSecret(option string) bool { return strings.Contains(strings.ToLower(option), "password") }

// secrets are the passwords in a DSN, as they are and as they are written there, and
// false where they cannot be told.
func secrets(dsn string) (all []string, known bool) {
	dsn = lowered(dsn)
	if strings.HasPrefix(dsn, sqliteScheme) {
		return nil, true
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, false
	}
	options, err := url.ParseQuery(u.RawQuery)
	for name, values := range options {
		for _, v := range values {
			if v != "" && IsSecret(name) {
				all = append(all, v)
			}
		}
	}
	if p, _ := u.User.Password(); p != "" {
		all = append(all, p)
	}
	if len(all) == 0 {
		return nil, err == nil
	}
	// Errors may have them as they were written.
	_, authority, _ := strings.Cut(dsn, "//")
	authority, _, _ = strings.Cut(authority, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if _, raw, _ := strings.Cut(authority[:at], ":"); raw != "" {
			all = append(all, raw)
		}
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, raw, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(name); err == nil && IsSecret(name) && raw != "" {
			all = append(all, raw)
		}
	}
	return all, err == nil
}

// errDSN quotes nothing of a DSN, which has a password in it.
var errDSN = errors.New("it is no DSN that can be read, want postgres://user:password@host:5432/database?sslmode=require or sqlite:PATH")

// open opens a database, without asking it yet.
func open(dsn string, connections int) (*database, error) {
	d := &database{trees: map[string]*statements{}, slots: make(chan struct{}, connections)}
	var err error
	dsn = lowered(dsn)
	if path, is := strings.CutPrefix(dsn, sqliteScheme); is {
		d.param = "?"
		d.dial, err = sqliteFile(path)
	} else {
		d.param = "$"
		d.dial, d.secrets, err = postgresServer(dsn)
	}
	return d, err
}

// tree is the statements of a tree.
func (d *database) tree(t *Tree) *statements {
	id := strings.Join(append([]string{t.Table, t.Key, t.Parent}, t.Columns...), "\x00")
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.trees[id]
	if s == nil {
		s = t.write(d.param)
		if len(d.trees) < maxTrees {
			d.trees[id] = s
		}
	}
	return s
}

// query asks, by a connection that is free. One that was idle may have been lost in
// the meantime: then another asks.
func (d *database) query(ctx context.Context, text string, params ...Value) ([][]any, error) {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for {
		c := d.take()
		fresh := c == nil
		if fresh {
			var err error
			if c, err = d.dial(ctx); err != nil {
				return nil, err
			}
		}
		rows, err := c.query(ctx, text, params)
		if !c.lost() {
			d.put(c)
			return rows, err
		}
		c.close()
		if fresh || ctx.Err() != nil {
			return rows, err
		}
	}
}

// take takes a connection that is idle, or nil.
func (d *database) take() client {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.idle) == 0 {
		return nil
	}
	c := d.idle[len(d.idle)-1]
	d.idle = d.idle[:len(d.idle)-1]
	return c
}

func (d *database) put(c client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		c.close()
		return
	}
	d.idle = append(d.idle, c)
}

func (d *database) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = true
	for _, c := range d.idle {
		c.close()
	}
	d.idle = nil
}

// hushed is an error without the passwords, if it has one in it.
func (d *database) hushed(err error) error {
	text := err.Error()
	for _, secret := range d.secrets {
		text = strings.ReplaceAll(text, secret, "…")
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}
