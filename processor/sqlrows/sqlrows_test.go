package sqlrows_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/emulator/postgres"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/processor/sqlrows"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

func key(v sqlrows.Value) *sqlrows.Value { return &v }

func root(t testing.TB, tree sqlrows.Tree, at *sqlrows.Value) processor.Node {
	t.Helper()
	c, err := sqlrows.Root(tree, at)
	require.NoError(t, err)
	return processor.Node{Kind: c.Kind, ID: c.ID, Args: c.Args}
}

func walk(t testing.TB, p *sqlrows.Processor, n processor.Node) *processortest.Tree {
	t.Helper()
	tree, err := processortest.Walk(t.Context(), processor.Set{sqlrows.Kind: p}, n)
	require.NoError(t, err)
	assert.Equal(t, schema.Whole, tree.Settled)
	return tree
}

func rowsOf(tree *processortest.Tree) []string {
	lines := strings.Split(strings.TrimSpace(string(tree.Streams[sink.Rows].Bytes())), "\n")
	slices.Sort(lines)
	return lines
}

func TestATreeOfIntegers(t *testing.T) {
	onServers(t, func(t *testing.T, s server) {
		s.nodes(t, "bigint", "1 ", "2 1", "3 1", "4 3", "9007199254740993 4", "5 ", "-6 5", "7 7")
		p := s.processor(t)
		above := walk(t, p, root(t, usual, nil))
		assert.EqualValues(t, 1+7, above.Account.Nodes, "seven rows, and what is above them; the one that is its own parent hangs nowhere")
		assert.EqualValues(t, 7, above.Account.Objects)
		assert.Empty(t, above.Streams)

		below := usual
		below.Columns = []string{"name", "size", "parent_id"}
		tree := walk(t, p, root(t, below, key(sqlrows.Integer(3))))
		want := []string{
			`{"id":3,"name":"row 3","size":1.5,"parent_id":1}`,
			`{"id":4,"name":"row 4","size":1.5,"parent_id":3}`,
			`{"id":9007199254740993,"name":"row 9007199254740993","size":1.5,"parent_id":4}`,
		}
		assert.Equal(t, want, rowsOf(tree))
		assert.EqualValues(t, len(strings.Join(want, "\n"))+1, tree.Account.Bytes)
		assert.EqualValues(t, 1, walk(t, p, root(t, usual, key(sqlrows.Integer(7)))).Account.Nodes, "its own parent is a root")
	})
}

func TestATreeOfTexts(t *testing.T) {
	onServers(t, func(t *testing.T, s server) {
		s.nodes(t, "text", `r `, `é r`, `a"b; DROP TABLE nodes r`, `a/b r`, `1 a/b`, `<&> 1`)
		tree := usual
		tree.Columns = []string{"name"}
		got := walk(t, s.processor(t), root(t, tree, key(sqlrows.Text("r"))))
		assert.Equal(t, []string{
			`{"id":"1","name":"row 1"}`, `{"id":"<&>","name":"row <&>"}`, `{"id":"a/b","name":"row a/b"}`,
			`{"id":"a\"b; DROP TABLE nodes","name":"row a\"b; DROP TABLE nodes"}`, `{"id":"r","name":"row r"}`, `{"id":"é","name":"row é"}`,
		}, rowsOf(got))
	})
}

func TestTypesOfPostgres(t *testing.T) {
	s := openPostgres(t)
	const first, second = "0b0e2f4a-0000-4000-8000-000000000001", "0b0e2f4a-0000-4000-8000-000000000002"
	s.exec(t, `CREATE SCHEMA "Odd"`,
		`CREATE TABLE "Odd"."select" (id uuid PRIMARY KEY, "from" uuid, at timestamptz, doc jsonb, raw bytea, ok boolean, n numeric, list int[], f real)`,
		`INSERT INTO "Odd"."select" VALUES ('`+first+`', NULL, '2026-01-02 03:04:05+00', '{"a": [1]}', '\x00ff', true, 1.50, '{1,2}', 'NaN'),
		 ('`+second+`', '`+first+`', NULL, NULL, NULL, NULL, NULL, NULL, NULL)`)
	p := s.processor(t)
	tree := sqlrows.Tree{DB: "main", Table: "Odd.select", Key: "id", Parent: "from", Columns: []string{"at", "doc", "raw", "ok", "n", "list", "f"}}
	at, err := p.Check(t.Context(), tree, nil, key(sqlrows.Text(strings.ToUpper(first))))
	require.NoError(t, err)
	assert.Equal(t, first, at.String(), "as the database has it")
	rows := rowsOf(walk(t, p, root(t, tree, at)))
	require.Len(t, rows, 2)
	assert.Contains(t, rows[0], `{"id":"`+first+`","at":"2026-01-02T03:04:05Z","doc":{"a":[1]},"raw":"AP8=","ok":true,"n":"1.50","list":"{1,2}","f":"NaN"}`)
	assert.JSONEq(t, `{"id":"`+second+`","at":null,"doc":null,"raw":null,"ok":null,"n":null,"list":null,"f":null}`, rows[1])
}

// A wide row is read page by page, and what is left of it handed on when it is due.
func TestPages(t *testing.T) {
	onServers(t, func(t *testing.T, s server) {
		const n = 2500
		s.bulk(t, n, "NULLIF(1, i)")
		p := s.processor(t)
		for _, at := range []*sqlrows.Value{key(sqlrows.Integer(1)), nil} {
			if at == nil {
				s.exec(t, `UPDATE nodes SET parent_id = NULL`)
			}
			node := root(t, usual, at)
			got, err := processortest.Run(t.Context(), p, &node)
			require.NoError(t, err)
			assert.EqualValues(t, 3, got.Requests["query"])
			whole := ids(got.Children)

			r := &processortest.Recorder{Dues: []processor.Due{processor.NotDue, processor.Checkpoint}}
			got, err = r.Run(t.Context(), p, &node)
			require.NoError(t, err)
			require.Len(t, got.Children, 2001)
			rest := got.Children[2000]
			assert.True(t, rest.Rest)
			more, err := processortest.Run(t.Context(), p, &processor.Node{Kind: rest.Kind, ID: rest.ID, Args: rest.Args})
			require.NoError(t, err)
			assert.Zero(t, more.Objects, "the row was counted")
			assert.Equal(t, whole, append(ids(got.Children[:2000]), ids(more.Children)...))
			if at == nil {
				assert.Len(t, whole, n)
			} else {
				assert.Len(t, whole, n-1)
			}
		}
	})
}

func ids(children []processor.Child) (all []string) {
	for _, c := range children {
		all = append(all, c.ID)
	}
	return all
}

// A row that goes while the tree is walked, and rows that come.
func TestARowThatVanished(t *testing.T) {
	onServers(t, func(t *testing.T, s server) {
		s.nodes(t, "bigint", "1 ", "2 1", "3 1", "4 2")
		for _, columns := range [][]string{nil, {"name"}} {
			tree := usual
			tree.Columns = columns
			node := root(t, tree, key(sqlrows.Integer(5)))
			_, err := processortest.Run(t.Context(), s.processor(t), &node)
			require.ErrorIs(t, err, sqlrows.ErrGone)
			require.EqualError(t, err, "read row 5 of table nodes: there is no such row")
			assert.True(t, processor.IsPermanent(err))
		}
		p := s.processor(t)
		gone := processor.Set{sqlrows.Kind: process(func(ctx context.Context, n *processor.Node, out processor.Out) error {
			err := p.Process(ctx, n, out)
			if n.ID == "1" {
				s.exec(t, `DELETE FROM nodes WHERE id = 2`)
			}
			return err
		})}
		got, err := processortest.Walk(t.Context(), gone, root(t, usual, key(sqlrows.Integer(1))))
		require.NoError(t, err)
		require.Len(t, got.Failed, 1)
		assert.Equal(t, "2", got.Failed[0].ID)
		assert.EqualValues(t, 2, got.Account.Nodes)
	})
}

type process func(context.Context, *processor.Node, processor.Out) error

func (p process) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	return p(ctx, n, out)
}

func TestBadInput(t *testing.T) {
	s := openSQLite(t)
	s.nodes(t, "bigint", "1 ")
	p := s.processor(t)
	for args, want := range map[string]string{
		``:               "read args: none given",
		`{"table": "t"}`: `column is ""`,
		`{"db": "main", "table": "nodes", "key": "id", "parent": "parent_id", "where": "1=1"}`:              `unknown field "where"`,
		`{"db": "main", "table": "nodes; DROP TABLE nodes", "key": "id", "parent": "p"}`:                    `table is "nodes; DROP TABLE nodes"`,
		`{"db": "main", "table": "a.b.c", "key": "id", "parent": "p"}`:                                      `table is "a.b.c"`,
		`{"db": "main", "table": "nodes", "key": "id\"", "parent": "p"}`:                                    `column is "id\""`,
		`{"db": "main", "table": "nodes", "key": "1d", "parent": "p"}`:                                      `column is "1d"`,
		`{"db": "main", "table": "nodes", "key": "id", "parent": "parent_id", "columns": ["a b"]}`:          `column is "a b"`,
		`{"db": "postgres://me:hunter2@h/d", "table": "nodes", "key": "id", "parent": "parent_id"}`:         `db is "…"`,
		`{"db": "sqlite:/etc/passwd", "table": "nodes", "key": "id", "parent": "parent_id"}`:                `db is "sqlite:/etc/passwd"`,
		`{"db": "other", "table": "nodes", "key": "id", "parent": "parent_id"}`:                             "database other is not known to this task: set RAMIFY_SQL_DSN_OTHER",
		`{"table": "nodes", "key": "id", "parent": "parent_id"}`:                                            `db is ""`,
		`{"db": "main", "table": "nodes", "key": "id", "parent": "parent_id", "at": 1.5}`:                   `key is "1.5"`,
		`{"db": "main", "table": "nodes", "key": "id", "parent": "parent_id", "at": {}}`:                    `key is "{}"`,
		`{"db": "main", "table": "none", "key": "id", "parent": "parent_id"}`:                               "no such table",
		`{"db": "main", "table": "nodes", "key": "nothing", "parent": "parent_id", "at": 1}`:                "no such column",
		`{"db": "main", "table": "nodes", "key": "id", "parent": "parent_id", "columns": ["no"], "at": 1}`:  "no such column",
		`{"db": "main", "table": "nodes", "key": "size", "parent": "parent_id", "at": 1, "columns": []}`:    "no such row",
		`{"db": "main", "table": "nodes", "key": "size", "parent": "parent_id"}`:                            `key "1.5" is of type float64`,
		`{"db": "main", "table": "nodes", "key": "id", "parent": "parent_id", "at": 123456789012345678901}`: "want an integer of 64 bits",
	} {
		t.Run(args, func(t *testing.T) {
			_, err := processortest.Run(t.Context(), p, &processor.Node{
				Kind: sqlrows.Kind, Args: schema.Args(args), Params: map[string]string{sqlrows.ParamDSN: s.dsn}, // not heeded
			})
			require.ErrorContains(t, err, want)
			assert.True(t, processor.IsPermanent(err), "%v", err)
		})
	}
}

func TestMistakesOnPostgres(t *testing.T) {
	s := openPostgres(t)
	s.nodes(t, "bigint", "1 ")
	role := "reader_" + path.Base(s.dsn) // the server keeps it for all tests
	s.exec(t, "CREATE ROLE "+role+" LOGIN PASSWORD 'reads'")
	p := s.processor(t)
	for want, tree := range map[string]sqlrows.Tree{
		`relation "none" does not exist`:          {Table: "none", Key: "id", Parent: "parent_id"},
		`column n.Id does not exist`:              {Table: "nodes", Key: "Id", Parent: "parent_id"},
		`column n.no does not exist`:              {Table: "nodes", Key: "id", Parent: "parent_id", Columns: []string{"no"}},
		`operator does not exist: text = bigint`:  {Table: "nodes", Key: "id", Parent: "name"},
		`invalid input syntax for type bigint: "`: {Table: "nodes", Key: "id", Parent: "parent_id"},
	} {
		tree.DB = "main"
		node := root(t, tree, key(sqlrows.Text("x")))
		_, err := processortest.Run(t.Context(), p, &node)
		require.ErrorContains(t, err, want)
		assert.True(t, processor.IsPermanent(err), "%v", err)
	}
	reader := sqlrows.New(sqlrows.Options{DSNs: map[string]string{"main": strings.Replace(s.dsn, postgres.User+":"+postgres.Password, role+":reads", 1)}})
	defer reader.Close()
	node := root(t, usual, nil)
	_, err := processortest.Run(t.Context(), reader, &node)
	require.ErrorContains(t, err, "permission denied")
	assert.True(t, processor.IsPermanent(err))
}

// No error says a password, whether the DSN is wrong, the server is away or does not
// take it.
func TestNoPasswordIsSaid(t *testing.T) {
	s := openPostgres(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	for name, dsn := range map[string]string{
		"wrong password": strings.Replace(s.dsn, postgres.Password, "hunter2", 1),
		"server away":    "postgres://me:hunter2@" + address + "/db",
		"no URL":         "postgres://me:hunter2@host:port/db",
		"no DSN":         "mysql://me:hunter2@host/db",
		"bad option":     "postgres://me:hunter2@127.0.0.1/db?sslmode=hunter2",
		"in a query":     "postgres://me@" + address + "/db?password=hunter2",
	} {
		t.Run(name, func(t *testing.T) {
			p := sqlrows.New(sqlrows.Options{DSNs: map[string]string{"main": dsn}})
			defer p.Close()
			node := root(t, usual, nil)
			_, err := processortest.Run(t.Context(), p, &node)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "hunter2")
			t.Log(err)
			assert.Equal(t, name == "no URL" || name == "no DSN" || name == "bad option", processor.IsPermanent(err), "what may pass is tried again")
		})
	}
}

// A file is read and not written, nor made where there is none.
func TestSQLiteIsOnlyRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.db")
	p := sqlrows.New(sqlrows.Options{DSNs: map[string]string{"main": "sqlite:" + path}})
	defer p.Close()
	node := root(t, usual, nil)
	_, err := processortest.Run(t.Context(), p, &node)
	require.ErrorContains(t, err, "unable to open database file")
	_, err = os.Stat(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("this is no database\n", 100)), 0o600))
	_, err = processortest.Run(t.Context(), p, &node)
	require.ErrorContains(t, err, "not a database")
	assert.True(t, processor.IsPermanent(err))
}

func TestCheck(t *testing.T) {
	onServers(t, func(t *testing.T, s server) {
		s.nodes(t, "bigint", "7 ")
		p := s.processor(t)
		at, err := p.Check(t.Context(), usual, nil, key(sqlrows.Text("7")))
		require.NoError(t, err)
		assert.Equal(t, sqlrows.Integer(7), *at)
		_, err = p.Check(t.Context(), usual, nil, key(sqlrows.Text("8")))
		require.ErrorIs(t, err, sqlrows.ErrGone)
		_, err = p.Check(t.Context(), usual, nil, nil)
		require.NoError(t, err)
		for _, tree := range []sqlrows.Tree{
			{DB: "main", Table: "no", Key: "id", Parent: "parent_id"}, {DB: "main", Table: "nodes", Key: "no", Parent: "parent_id"},
			{DB: "main", Table: "nodes", Key: "id", Parent: "no"}, {DB: "main", Table: "nodes", Key: "id", Parent: "parent_id", Columns: []string{"no"}},
		} {
			_, err = p.Check(t.Context(), tree, nil, nil)
			require.Error(t, err, "%+v", tree)
		}
	})
}

// What ends the context is said, so that the attempt counts neither way.
func TestCancel(t *testing.T) {
	onServers(t, func(t *testing.T, s server) {
		s.nodes(t, "bigint", "1 ")
		lost := errors.New("lease lost")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(lost)
		node := root(t, usual, nil)
		_, err := processortest.Run(ctx, s.processor(t), &node)
		require.ErrorIs(t, err, lost)
	})
}

// A child that the engine does not take is its error, and not the database's.
func TestAChildThatIsRefused(t *testing.T) {
	s := openSQLite(t)
	s.nodes(t, "text", "r ", strings.Repeat("x", 5000)+" r")
	node := root(t, usual, key(sqlrows.Text("r")))
	_, err := processortest.Run(t.Context(), s.processor(t), &node)
	require.ErrorContains(t, err, "reveal row xxx")
	assert.True(t, processor.IsPermanent(err))
	full := errors.New("disk full")
	r := &processortest.Recorder{Fault: func(string, int) error { return full }}
	_, err = r.Run(t.Context(), s.processor(t), &node)
	require.ErrorIs(t, err, full)
	assert.False(t, processor.IsPermanent(err))
}

func TestNames(t *testing.T) {
	assert.True(t, sqlrows.IsDSN("sqlite:a.db"))
	assert.True(t, sqlrows.IsDSN("postgres://h/d"))
	assert.True(t, sqlrows.IsDSN("PostgreSQL://h/d"))
	assert.False(t, sqlrows.IsDSN("main"))
	require.NoError(t, sqlrows.CheckName("main_2"))
	for _, bad := range []string{"", "Main", "a-b", strings.Repeat("a", 33)} {
		require.Error(t, sqlrows.CheckName(bad))
	}
	assert.Equal(t, "RAMIFY_SQL_DSN_MAIN_2", sqlrows.Variable("main_2"))
	for dsn, want := range map[string]string{
		"postgres://u:p@h/d": "p true", "postgres://u@h/d?password=q": "q true", "postgres://u@h/d": " true", "sqlite:a:b@c": " true",
		"postgres://u:p@h:x/d": " false", "POSTGRES://u:p@h/d": "p true", "postgres://u@h/d?PassWord=q": "q true", "postgres://u@h/d?p%61ssword=q": "q true",
		"postgres://u@h/d?sslpassword=q": "q true", "postgres://u@h/d?x=%zz": " false", "SQLite:a:b@c": " true",
	} {
		p, known := sqlrows.Password(dsn)
		assert.Equal(t, want, fmt.Sprintf("%s %v", p, known), dsn)
	}
}

// A row below that has no key is an error: it can be no node, and neither it nor its
// siblings may be lost for it.
func TestARowWithoutAKey(t *testing.T) {
	s := openSQLite(t)
	s.nodes(t, "text", "r ", "a r", "b r", "c a")
	s.exec(t, `INSERT INTO nodes VALUES (NULL, 'r', 'nameless', 1)`)
	p := s.processor(t)
	withColumns := usual
	withColumns.Columns = []string{"name"}
	for _, tree := range []sqlrows.Tree{usual, withColumns} {
		n := root(t, tree, key(sqlrows.Text("r")))
		_, err := processortest.Run(t.Context(), p, &n)
		require.ErrorContains(t, err, "read row r of table nodes: a row below it has no key, it is NULL")
		assert.True(t, processor.IsPermanent(err))
		n = root(t, tree, key(sqlrows.Text("a")))
		got, err := processortest.Run(t.Context(), p, &n)
		require.NoError(t, err)
		assert.Equal(t, []string{"c"}, ids(got.Children))
	}
	s.exec(t, `UPDATE nodes SET parent_id = NULL WHERE id IS NULL`)
	n := root(t, usual, nil)
	_, err := processortest.Run(t.Context(), p, &n)
	require.ErrorContains(t, err, "has no key")
}

// Keys that are not unique would lose rows between two pages.
func TestAKeyThatIsNotUnique(t *testing.T) {
	onServers(t, func(t *testing.T, s server) {
		s.exec(t, `CREATE TABLE nodes (id bigint, parent_id bigint)`, `INSERT INTO nodes VALUES (1, NULL), (2, 1), (2, 1)`)
		n := root(t, usual, key(sqlrows.Integer(1)))
		_, err := processortest.Run(t.Context(), s.processor(t), &n)
		require.ErrorContains(t, err, "read row 1 of table nodes: two rows below it have the key 2, it is no primary key")
		assert.True(t, processor.IsPermanent(err))
	})
}
