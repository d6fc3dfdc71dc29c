package integration

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of the name "pgx"

	"github.com/ramify/ramify/internal/emulator/postgres"
)

// table is a parent-child table that a test has filled.
type table struct {
	dsn  string
	open func(t *testing.T) *sql.DB
}

func openTable(driver, source, dsn string) table {
	return table{dsn, func(t *testing.T) *sql.DB {
		t.Helper()
		db, err := sql.Open(driver, source)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}}
}

// exec runs statements, in one connection that is closed then.
func (b table) exec(t *testing.T, statements ...string) {
	t.Helper()
	db := b.open(t)
	defer db.Close()
	for _, text := range statements {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

func postgresTable(t *testing.T) table {
	t.Helper()
	at := postgres.URL(t)
	return openTable("pgx", at, at)
}

func sqliteTable(u *user) table {
	return openTable("sqlite", u.path("tree.db"), "sqlite:"+u.path("tree.db"))
}

// series makes so many rows: id, and the parent by an expression of i.
func (b table) series(n int, parent string) []string {
	from := fmt.Sprintf("generate_series(1, %d) AS s(i)", n)
	if strings.HasPrefix(b.dsn, "sqlite:") {
		from = fmt.Sprintf("(WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < %d) SELECT i FROM r)", n)
	}
	return []string{
		`CREATE TABLE nodes (id bigint PRIMARY KEY, parent_id bigint, name text)`,
		fmt.Sprintf(`INSERT INTO nodes SELECT i, %s, 'row ' || i FROM %s`, parent, from),
		`CREATE INDEX children ON nodes (parent_id, id)`,
	}
}

// A table of a million rows, most of it a tree whose rows have two children each, the
// rest a chain of 9,000 rows below one of its leaves.
func TestSQLMillionRows(t *testing.T) {
	t.Parallel()
	const rows, chain = 1_000_000, 9_000
	u := newUser(t, "")
	b := sqliteTable(u)
	b.exec(t, b.series(rows, fmt.Sprintf("CASE WHEN i = 1 THEN NULL WHEN i > %d THEN i - 1 ELSE i / 2 END", rows-chain))...)
	r := u.run(t, "run", "sql:sqlite:tree.db?table=nodes&key=id&parent=parent_id", "--json", "--run", "million")
	r.requireCode(t, 0)
	sum := parseSummary(t, r.stdout)
	t.Logf("%d nodes in %.1f s", sum.Nodes, sum.Seconds)
	if sum.Nodes != rows+1 || sum.Totals.Objects != rows || sum.Failed != 0 {
		t.Errorf("got %+v", sum)
	}
}

// The walk goes on by itself where it was killed, with the database it began with.
func TestSQLResume(t *testing.T) {
	t.Parallel()
	const rows = 300_000
	u := newUser(t, "")
	b := sqliteTable(u)
	b.exec(t, b.series(rows, "NULLIF(i / 3, 0)")...)
	p := u.start(t, "run", "sql:sqlite:tree.db?table=nodes&key=id&parent=parent_id", "--run", "killed", "--inline", "10")
	p.stderr.await(t, "run killed\n")
	p.signal(t, kill)
	<-p.done
	r := u.run(t, "resume", "killed", "--json")
	r.requireCode(t, 0)
	if sum := parseSummary(t, r.stdout); sum.Nodes != rows+1 || sum.Totals.Objects != rows {
		t.Errorf("got %+v", sum)
	}
}

// What is wrong with a row fails that row: one that cannot be reached again and again
// is noticed by the depth, and one that is gone by its absence.
func TestSQLBadRows(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	b := sqliteTable(u)
	b.exec(t, b.series(10, "CASE i WHEN 1 THEN 4 WHEN 4 THEN 2 ELSE i / 2 END")...) // 1 > 2 > 4 > 1
	r := u.run(t, "run", "sql:sqlite:tree.db?table=nodes&key=id&parent=parent_id&root=1", "--json", "--run", "cycle")
	r.requireCode(t, 3)
	sum := parseSummary(t, r.stdout)
	if sum.Failed < 1 || sum.Nodes < 10_000 {
		t.Errorf("got %+v", sum)
	}
	if f := u.run(t, "failed", "cycle"); !strings.Contains(f.stdout, "at most 10000 levels; does the tree have a cycle?") {
		t.Errorf("it failed because %s", f.stdout)
	}
	args := `{"table":"nodes","key":"id","parent":"parent_id","at":99}`
	u.env = append(u.env, "RAMIFY_SQL_DSN_TREE="+b.dsn)
	u.run(t, "run", `{"kind":"sql.rows","id":"99","args":`+strings.Replace(args, "{", `{"db":"tree",`, 1)+`}`, "--run", "gone").requireCode(t, 3)
	if f := u.run(t, "failed", "gone"); !strings.Contains(f.stdout, "read row 99 of table nodes: there is no such row") {
		t.Errorf("it failed because %s", f.stdout)
	}
}

// What is wrong with the target is said before there is a run, without a password.
func TestSQLUsage(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	b := sqliteTable(u)
	b.exec(t, b.series(3, "NULLIF(i / 2, 0)")...)
	u.env = append(u.env, "RAMIFY_SQL_DSN_TREE="+b.dsn, "RAMIFY_SQL_DSN_BAD=mysql://me:hunter2@host/db", "RAMIFY_SQL_DSN_AWAY=postgres://me:hunter2@127.0.0.1:1/db")
	const rest = "&key=id&parent=parent_id"
	for target, want := range map[string]struct {
		code int
		text string
	}{
		"sql:tree":                                         {1, "want sql:NAME?table=nodes"},
		"sql:?table=nodes" + rest:                          {1, `db is ""`},
		"sql:tree?table=nodes&key=id":                      {1, `column is ""`},
		"sql:tree?table=nodes" + rest + "&where=1":         {1, "has where=1, which is not known"},
		"sql:tree?table=no%20table" + rest:                 {1, `table is "no table"`},
		"sql:tree?table=none" + rest:                       {2, "no such table: none"},
		"sql:tree?table=nodes" + rest + "&columns=name,no": {2, "no such column: n.no"},
		"sql:tree?table=nodes" + rest + "&root=9":          {1, "read row 9 of table nodes: there is no such row"},
		"sql:other?table=nodes" + rest:                     {2, "database other is not known to this task: set RAMIFY_SQL_DSN_OTHER"},
		"sql:bad?table=nodes" + rest:                       {2, "open database bad: RAMIFY_SQL_DSN_BAD: it is no DSN"},
		"sql:away?table=nodes" + rest:                      {2, "connection refused"},
		"sql:sqlite:none.db?table=nodes" + rest:            {2, "unable to open database file"},
		"sql:postgres://me:hunter2@h/d?table=nodes" + rest: {1, "target has a password in it"},
		"sql:postgres://me@h/d?password=hunter2&table=n":   {1, "target has a password in it"},
		"sql:postgres://me:hunter2@h:x/d?table=n":          {1, "target has a password in it"},
		"SQL:Postgres://me:hunter2@h/d?table=nodes" + rest: {1, "target has a password in it"},
		"sql:postgres://me@h/d?PassWord=hunter2&table=n":   {1, "target has a password in it"},
		"sql:postgres://me@h/d?p%61ssword=hunter2&table=n": {1, "target has a password in it"},
		"sql:postgres://me@h/d?sslpassword=hunter2&table":  {1, "target has a password in it"},
		"sql:postgres://me@h/d?%zz=hunter2&table=n":        {1, "target cannot be read behind the ?"},
		"sql:mysql://me:hunter2@h/d?table=nodes" + rest:    {1, "target is of no database that is known here"},
		"SQL:SQLite:none.db?table=nodes" + rest:            {2, "unable to open database file"},
	} {
		r := u.run(t, "run", target)
		r.requireCode(t, want.code)
		if !strings.Contains(r.stderr, want.text) || strings.Contains(r.stderr, "hunter2") {
			t.Errorf("%s says %s, want %s", target, r.stderr, want.text)
		}
	}
	if files := u.stateFiles(t); len(files) > 0 {
		t.Errorf("there are %v", files)
	}
	u.env = append(u.env, "RAMIFY_QUEUE=q", "RAMIFY_LEDGER=none", "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x")
	r := u.run(t, "seed", "sql:sqlite:tree.db?table=nodes"+rest)
	r.requireCode(t, 1)
	if !strings.Contains(r.stderr, "a database of this machine's") {
		t.Errorf("it says %s", r.stderr)
	}
}

// The rows of a table, by a fleet whose tasks alone know the password; neither a
// message, nor a log, nor what commands print has it.
func TestFleetSQL(t *testing.T) {
	t.Parallel()
	const rows = 20_000
	b := postgresTable(t)
	b.exec(t, b.series(rows, "NULLIF(i / 5, 0)")...)
	f := newFleet(t, fleetSettings{env: []string{"RAMIFY_CONCURRENCY=8"}})
	run := "sql-" + f.name
	p := f.seed(t, run, "sql:tree?table=public.nodes&key=id&parent=parent_id&columns=name&root=1", "--inline", "100", "--out", "s3://"+results)
	p.stderr.await(t, "run "+run+"\n")
	if l := f.peek(t); strings.Contains(l.body, postgres.Password) || !strings.Contains(l.body, `"db":"tree"`) {
		t.Errorf("the root's message is %s", l.body)
	}
	f.env = append(f.env, "RAMIFY_SQL_DSN_TREE="+b.dsn)
	f.grow(t, 2)
	r := f.awaitEnd(t, p)
	r.requireCode(t, 0)
	// 1 has the children 5 to 9; those below 5 hang above all.
	want := 0
	for i, at := 0, []int{1}; i < len(at); i++ {
		want++
		for c := at[i] * 5; c < at[i]*5+5 && c <= rows; c++ {
			at = append(at, c)
		}
	}
	if sum := parseSummary(t, r.stdout); sum.Nodes != int64(want) || sum.Totals.Objects != int64(want) {
		t.Errorf("got %+v, want %d rows", sum, want)
	}
	tasks := f.tasks
	f.drain(t)
	for _, task := range tasks {
		if strings.Contains(task.stderr.String()+task.stdout.String()+r.stderr+r.stdout, postgres.Password) {
			t.Error("the password is in what a command has printed")
		}
	}
}

// The same rows come of both databases, and of any number of things at a time.
func TestSQLResults(t *testing.T) {
	t.Parallel()
	const rows = 5000
	u := newUser(t, "")
	lite, pg := sqliteTable(u), postgresTable(t)
	u.env = append(u.env, "RAMIFY_SQL_DSN_LITE="+lite.dsn, "RAMIFY_SQL_DSN_PG="+pg.dsn)
	var want []string
	for i := range rows {
		want = append(want, fmt.Sprintf(`{"id":%d,"name":"row %d"}`, i+1, i+1))
	}
	slices.Sort(want)
	for name, b := range map[string]table{"lite": lite, "pg": pg} {
		b.exec(t, b.series(rows, "CASE WHEN i < 100 THEN NULL ELSE 100 - i % 99 - 1 END")...)
		r := u.run(t, "run", "sql:"+name+"?table=nodes&key=id&parent=parent_id&columns=name", "--out", "-")
		r.requireCode(t, 0)
		got := strings.Split(strings.TrimSpace(r.stdout), "\n")
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d rows, want %d; the first %q", name, len(got), len(want), got[0])
		}
	}
}

// The example of the page about the kind works as it is printed there.
func TestSQLPage(t *testing.T) {
	t.Parallel()
	page := readPage(t, "processors/sqlrows.md")
	u := newUser(t, "")
	b := openTable("sqlite", u.path("staff.db"), "")
	b.exec(t, page.block(t, "sql staff.sql"))
	cmd := exec.Command("sh", "-c", page.block(t, "sh run"))
	cmd.Dir, cmd.Env = u.dir, slices.Concat(u.env, []string{"PATH=" + filepath.Dir(binary) + string(os.PathListSeparator) + os.Getenv("PATH"), "LC_ALL=C"})
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if want := page.block(t, "text output"); err != nil || string(out) != want {
		t.Errorf("%v: it prints\n%s, want\n%s\n%s", err, out, want, complaints.String())
	}
}
