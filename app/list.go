package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/nodelist"
	"github.com/ramify/ramify/schema"
)

// What begins the targets that are lists: a file's name follows, or - for
// standard input.
const (
	prefixesScheme = "prefixes:"
	nodesScheme    = "file:"
)

// A list is copied into the run's file before the run begins: what happens to
// the list afterwards is of no matter to who resumes it.
var makeLists = []string{
	`CREATE TABLE IF NOT EXISTS list_node (seq INTEGER PRIMARY KEY, node TEXT NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS list_prefix (prefix BLOB PRIMARY KEY) WITHOUT ROWID`,
}

const (
	maxLine   = 1 << 20 // bytes
	listBatch = 2000    // nodes read in one transaction
	// Lines copied in one transaction, and their bytes: each transaction writes all
	// pages of sorted prefixes that it touches, which is most of them.
	copyLines = 100_000
	copyBytes = 4 << 20
)

// listTarget is a list of a kind in a file.
func listTarget(name, kind, path string, keep func(l *list) error) (target, error) {
	if path == "" {
		return target{}, usagef("target %q names no file; want %sFILE, or %s- for standard input", name, name, name)
	}
	id := name
	if path != "-" {
		full, err := filepath.Abs(path)
		if err != nil {
			return target{}, usagef("target %q: %w", name, err)
		}
		id = strings.TrimSuffix(name, path) + full
	}
	t := target{name: name, root: ledger.Kid{Kind: kind, ID: id}}
	t.keep = func(ctx context.Context, t *target, w *work, c *walkFlags, st *state) error {
		f := os.Stdin
		if path != "-" {
			var err error
			if f, err = os.Open(path); err != nil {
				return usagef("target: %w", err)
			}
		}
		stop := context.AfterFunc(ctx, func() { _ = f.Close() }) // nobody waits for who types
		defer func() {
			if stop() {
				_ = f.Close() // it was only read
			}
		}()
		l := &list{ctx: ctx, from: f, st: st, t: t, w: w, c: c}
		err := keep(l)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	return t, nil
}

// list is a list that is being copied into a run's file.
type list struct {
	ctx  context.Context
	from io.Reader
	st   *state
	t    *target
	w    *work
	c    *walkFlags
}

// each calls do with the lines that are not blank, many in one transaction, and
// says of an error in which line it is.
func (l *list) each(do func(tx *store.Tx, n int, line string) error) error {
	if err := l.st.store.Update(l.ctx, func(tx *store.Tx) error {
		// What is there is of a run that died before it began.
		for _, sql := range append(makeLists[:len(makeLists):len(makeLists)], "DELETE FROM list_node", "DELETE FROM list_prefix") {
			if _, err := tx.Exec(sql); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("keep list: %w", err)
	}
	in := bufio.NewScanner(l.from)
	in.Buffer(nil, maxLine)
	var lines []string
	first, size := 1, 0
	flush := func() error {
		at := 0
		err := l.st.store.Update(l.ctx, func(tx *store.Tx) error {
			for i, line := range lines {
				if at = i; strings.TrimSpace(line) == "" {
					continue
				}
				if err := do(tx, first+i, strings.TrimSuffix(line, "\r")); err != nil {
					return err
				}
			}
			return nil
		})
		if bad := (usageError{}); errors.As(err, &bad) {
			return usagef("target %s, line %d: %w", l.t.name, first+at, bad.error)
		}
		if err != nil {
			return fmt.Errorf("keep list: %w", err)
		}
		first, lines, size = first+len(lines), lines[:0], 0
		return nil
	}
	for in.Scan() {
		lines = append(lines, in.Text())
		if size += len(in.Bytes()); len(lines) < copyLines && size < copyBytes {
			continue
		}
		if err := flush(); err != nil {
			return err
		}
	}
	if err := in.Err(); errors.Is(err, bufio.ErrTooLong) {
		return usagef("target %s, line %d: it has more than %d bytes", l.t.name, first+len(lines), maxLine)
	} else if err != nil {
		return fmt.Errorf("read target %s: %w", l.t.name, err)
	}
	return flush()
}

// keepNodes copies a list of nodes.
func keepNodes(l *list) error {
	var count int64
	err := l.each(func(tx *store.Tx, _ int, line string) error {
		n, err := parseNode(line)
		if err != nil {
			return err
		}
		if _, known := l.w.set[n.Kind]; !known || n.Kind == nodelist.Kind || n.Kind == nodelist.PrefixKind {
			return usagef("kind %q cannot be in a list; want %s", n.Kind, names(l.w.set))
		}
		count++
		_, err = tx.Exec("INSERT INTO list_node VALUES (?, ?)", count, line)
		return err
	})
	if err != nil {
		return err
	}
	return l.end(map[string]any{"count": count}, count)
}

// end completes the target.
func (l *list) end(args map[string]any, count int64) error {
	if count == 0 {
		return usagef("target %s has no line that is not blank", l.t.name)
	}
	raw, err := json.Marshal(args)
	l.t.root.Args = raw
	return err
}

// node is one as it is written down.
type node struct {
	Kind   string      `json:"kind"`
	ID     string      `json:"id"`
	Args   schema.Args `json:"args"`
	Weight uint32      `json:"weight"`
}

// parseNode reads one node as JSON.
func parseNode(s string) (n node, err error) {
	const want = `want {"kind": …, "id": …, "args": {…}}`
	dec := json.NewDecoder(strings.NewReader(s))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&n); err != nil {
		return n, usagef("it is not a node: %w; %s", err, want)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) { // More takes a bracket for an end
		return n, usagef("it is not one node: something follows it; %s", want)
	}
	if err := schema.CheckKind(n.Kind); err != nil {
		return n, usageError{err}
	}
	if len(n.Args) > 0 && !schema.IsObject(n.Args) {
		return n, usageError{&schema.FieldError{Field: "args", Value: string(n.Args), Want: "a JSON object"}}
	}
	return n, nil
}

// nodes yields the nodes of the list that is kept with the run.
func (s *state) nodes(ctx context.Context, _ *processor.Node) iter.Seq2[processor.Child, error] {
	return func(yield func(processor.Child, error) bool) {
		last, page := int64(0), make([]string, 0, listBatch)
		for {
			page = page[:0]
			err := s.store.View(ctx, func(tx *store.Tx) error {
				for row, err := range tx.Query("SELECT seq, node FROM list_node WHERE seq > ? ORDER BY seq LIMIT ?", last, listBatch) {
					var line string
					if err == nil {
						err = row.Scan(&last, &line)
					}
					if err != nil {
						return err
					}
					page = append(page, line)
				}
				return nil
			})
			for _, line := range page {
				n, bad := parseNode(line)
				if !yield(processor.Child{Kind: n.Kind, ID: n.ID, Args: n.Args, Weight: n.Weight}, bad) || bad != nil {
					return
				}
			}
			if err != nil {
				yield(processor.Child{}, err)
			}
			if err != nil || len(page) == 0 {
				return
			}
		}
	}
}
