package sqlrows

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// ParamDSN is the run's option that has the DSN of its own database, without a
// password: of a run on one machine (processor.Node.Params).
const ParamDSN = "sql_dsn"

// Options are what the processor needs.
type Options struct {
	DSNs        map[string]string // by name; they may have passwords
	FromRun     bool              // ParamDSN is heeded: the run is this machine's own
	Connections int               // to a database at a time; default 8
}

// Processor processes nodes of Kind. A row counts as one object, and its columns, as
// the bytes of the row of results that they become.
type Processor struct {
	o Options

	mu   sync.Mutex
	open map[string]*database // by DSN
}

var _ processor.Processor = (*Processor)(nil)

// ErrGone says that a row is not there, or not any more.
var ErrGone = errors.New("there is no such row")

var errKey = errors.New("want a key that is an integer, a text or a UUID")

// New makes the processor. It connects to nothing yet.
func New(o Options) *Processor {
	if o.Connections <= 0 {
		o.Connections = 8
	}
	return &Processor{o: o, open: map[string]*database{}}
}

// Close closes the databases. Nothing may be under way.
func (p *Processor) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.open {
		d.close()
	}
	clear(p.open)
}

// Check asks whether a tree can be read, and returns its root's key as the database
// has it. ErrGone: there is no such row.
func (p *Processor) Check(ctx context.Context, t Tree, params map[string]string, root *Value) (*Value, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	d, err := p.database(t.DB, params)
	if err != nil {
		return nil, err
	}
	s := d.tree(&t)
	if _, err := keys(ctx, d, s.shape); err != nil {
		return nil, t.failed("read columns", d, err)
	}
	if root == nil {
		return nil, nil
	}
	key, _, err := d.row(ctx, s, &t, *root)
	if err != nil {
		return nil, t.failed("read row "+root.text, d, err)
	}
	return &key, nil
}

// Process reads the row and reveals its children, page by page.
func (p *Processor) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	a, err := parseArgs(n.Args)
	if err != nil {
		return processor.Permanent(err)
	}
	d, err := p.database(a.DB, n.Params)
	if err != nil {
		return processor.Permanent(err)
	}
	if err := p.process(ctx, d, &a, out); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		what := "read rows without a parent"
		if a.At != nil {
			what = "read row " + a.At.text
		}
		return a.failed(what, d, err)
	}
	return nil
}

// outError is an error of the engine's, which knows itself whether a retry mends it.
type outError struct{ error }

func (e outError) Unwrap() error { return e.error }

// failed is an error in one line that names the table, and whether a retry mends it.
func (t *Tree) failed(what string, d *database, err error) error {
	if err == nil {
		return nil
	}
	if ours := (outError{}); errors.As(err, &ours) {
		return ours.error
	}
	said := fmt.Errorf("%s of table %s: %w", what, t.Table, d.hushed(err))
	if hopeless(err) || errors.Is(err, ErrGone) || errors.Is(err, errKey) {
		return processor.Permanent(said)
	}
	return said
}

func (p *Processor) process(ctx context.Context, d *database, a *args, out processor.Out) error {
	s := d.tree(&a.Tree)
	ask := func(text string, params ...Value) ([]Value, error) {
		out.Request("query", 1)
		return keys(ctx, d, text, params...)
	}
	var children []Value
	var err error
	switch {
	case a.At == nil && a.After == nil:
		children, err = ask(s.tops)
	case a.At == nil:
		children, err = ask(s.topsPast, *a.After)
	case a.After != nil:
		children, err = ask(s.beyond, *a.At, *a.After)
	case len(a.Columns) == 0:
		out.Count(1, 0)
		children, err = ask(s.first, *a.At)
		if err == nil && len(children) == 0 {
			return ErrGone
		}
		if err == nil && children[0].isNull() {
			children = nil
		}
	default:
		out.Request("query", 1)
		_, row, err := d.row(ctx, s, &a.Tree, *a.At)
		if err != nil {
			return err
		}
		out.Count(1, int64(len(row)))
		if err := out.Write(sink.Rows, row, 1); err != nil {
			return outError{fmt.Errorf("write row: %w", err)}
		}
		if children, err = ask(s.children, *a.At); err != nil {
			return err
		}
	}
	for ; err == nil && len(children) > 0; children, err = a.next(s, children, ask) {
		if err := a.reveal(children, out); err != nil {
			return err
		}
		if len(children) < page {
			return nil
		}
		if out.Due() != processor.NotDue {
			rest := *a
			rest.After = &children[len(children)-1]
			if err := out.Child(rest.child()); err != nil {
				return outError{fmt.Errorf("hand on what is left: %w", err)}
			}
			return nil
		}
	}
	return err
}

// next is the page after one.
func (a *args) next(s *statements, last []Value, ask func(string, ...Value) ([]Value, error)) ([]Value, error) {
	after := last[len(last)-1]
	if a.At == nil {
		return ask(s.topsPast, after)
	}
	return ask(s.beyond, *a.At, after)
}

// reveal reveals children. A row that is its own parent is a root, as some tables have
// them, and no child.
func (a *args) reveal(children []Value, out processor.Out) error {
	for i := range children {
		if i > 0 && children[i] == children[i-1] { // pages by key would leave out some
			return fmt.Errorf("two rows below it have the key %s, it is no primary key: %w", children[i].text, errKey)
		}
		if a.At != nil && children[i] == *a.At {
			continue
		}
		child := args{Tree: a.Tree, At: &children[i]}
		if err := out.Child(child.child()); err != nil {
			return outError{fmt.Errorf("reveal row %s of table %s: %w", children[i].text, a.Table, err)}
		}
	}
	return nil
}

// null is the key of no row.
var null = Value{"\x00", true}

func (v Value) isNull() bool { return v == null }

// keys are those that a statement answers, in its first column. A row without a key
// (SQLite allows them in a primary key, and a view may have them) can be no node, and to
// leave it out would be to lose it and what is below.
func keys(ctx context.Context, d *database, text string, params ...Value) ([]Value, error) {
	rows, err := d.query(ctx, text, params...)
	if err != nil {
		return nil, err
	}
	all := make([]Value, len(rows))
	for i, row := range rows {
		if all[i], err = keyOf(row[0]); err != nil {
			return nil, err
		}
		if all[i].isNull() && (len(row) == 1 || row[1] != nil) {
			return nil, fmt.Errorf("a row below it has no key, it is NULL: %w", errKey)
		}
	}
	return all, nil
}

func keyOf(v any) (Value, error) {
	switch v := v.(type) {
	case nil:
		return null, nil
	case int64:
		return Integer(v), nil
	case string:
		if !utf8.ValidString(v) {
			return Value{}, fmt.Errorf("key %q is not UTF-8: %w", v, errKey)
		}
		return Text(v), nil
	default:
		return Value{}, fmt.Errorf("key %.80q is of type %T: %w", fmt.Sprint(v), v, errKey)
	}
}

// row reads a row: its key as the database has it, and a line of JSON with its columns.
func (d *database) row(ctx context.Context, s *statements, t *Tree, at Value) (Value, []byte, error) {
	rows, err := d.query(ctx, s.row, at)
	if err != nil {
		return Value{}, nil, err
	}
	if len(rows) == 0 {
		return Value{}, nil, ErrGone
	}
	key, err := keyOf(rows[0][0])
	if err != nil {
		return Value{}, nil, err
	}
	line, err := encode(append([]string{t.Key}, t.Columns...), rows[0])
	return key, line, err
}

// encode writes a line of JSON, its columns in their order.
func encode(names []string, values []any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i, name := range names {
		b.WriteByte("{,"[min(i, 1)])
		fmt.Fprintf(&b, "%q:", name) // an identifier
		v := values[i]
		switch x := v.(type) {
		case float64: // JSON has no others
			if math.IsNaN(x) || math.IsInf(x, 0) {
				v = fmt.Sprint(x)
			}
		case time.Time:
			v = x.Format(time.RFC3339Nano)
		}
		if err := enc.Encode(v); err != nil {
			return nil, fmt.Errorf("encode column %s: %w", name, err)
		}
		b.Truncate(b.Len() - 1)
	}
	b.WriteString("}\n")
	return b.Bytes(), nil
}

// database is one by its name.
func (p *Processor) database(name string, params map[string]string) (*database, error) {
	dsn, known := p.o.DSNs[name]
	switch {
	case name == "" && p.o.FromRun && params[ParamDSN] != "":
		dsn = params[ParamDSN]
	case name == "":
		return nil, &schema.FieldError{Field: "db", Value: name, Want: "the name of a database of this task's settings"}
	case !known:
		return nil, fmt.Errorf("database %s is not known to this task: set %s", name, Variable(name))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.open[dsn]
	if d == nil {
		var err error
		if d, err = open(dsn, p.o.Connections); err != nil {
			if known {
				return nil, fmt.Errorf("open database %s: %s: %w", name, Variable(name), err)
			}
			return nil, fmt.Errorf("open database of the run: %w", err)
		}
		p.open[dsn] = d
	}
	return d, nil
}

// Variable is the environment variable that has the DSN of a database.
func Variable(name string) string { return "RAMIFY_SQL_DSN_" + strings.ToUpper(name) }
