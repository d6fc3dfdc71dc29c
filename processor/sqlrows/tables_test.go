package sqlrows_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of the name "pgx"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite" // the driver of the name "sqlite"

	"github.com/ramify/ramify/internal/emulator/postgres"
	"github.com/ramify/ramify/processor/sqlrows"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a database that tests write to.
type server struct {
	*sql.DB
	dsn    string
	sqlite bool
}

func (s server) exec(t testing.TB, statements ...string) {
	t.Helper()
	for _, text := range statements {
		_, err := s.ExecContext(t.Context(), text)
		require.NoError(t, err, text)
	}
}

// processor is one that knows the database as "main".
func (s server) processor(t testing.TB) *sqlrows.Processor {
	t.Helper()
	p := sqlrows.New(sqlrows.Options{DSNs: map[string]string{"main": s.dsn}})
	t.Cleanup(p.Close)
	return p
}

func openSQLite(t testing.TB) server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tree of ?&%41.db") // that need care in a URI
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("?", "%3f", "%", "%25").Replace(path))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return server{db, "sqlite:" + path, true}
}

func openPostgres(t testing.TB) server {
	t.Helper()
	at := postgres.URL(t)
	db, err := sql.Open("pgx", at)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return server{db, at, false}
}

// onServers runs a test on both databases.
func onServers(t *testing.T, test func(t *testing.T, s server)) {
	t.Run("sqlite", func(t *testing.T) { test(t, openSQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, openPostgres(t)) })
}

// nodes is the usual table, of rows "key parent".
func (s server) nodes(t testing.TB, keyType string, rows ...string) {
	t.Helper()
	s.exec(t,
		fmt.Sprintf(`CREATE TABLE nodes (id %s PRIMARY KEY, parent_id %s, name text, size double precision)`, keyType, keyType),
		`CREATE INDEX children ON nodes (parent_id, id)`)
	for _, r := range rows {
		at := strings.LastIndexByte(r, ' ')
		id, parent := r[:at], r[at+1:]
		if parent = "'" + parent + "'"; parent == "''" {
			parent = "NULL"
		}
		s.exec(t, fmt.Sprintf(`INSERT INTO nodes VALUES ('%s', %s, 'row %s', 1.5)`, id, parent, id))
	}
}

var usual = sqlrows.Tree{DB: "main", Table: "nodes", Key: "id", Parent: "parent_id"}

// bulk makes a million rows at once: id, and its parent by an expression of it.
func (s server) bulk(t testing.TB, n int, parent string) {
	t.Helper()
	series := fmt.Sprintf("(SELECT generate_series(1, %d) AS i)", n)
	if s.sqlite {
		series = fmt.Sprintf("(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d) SELECT i FROM s)", n)
	}
	s.exec(t,
		`CREATE TABLE nodes (id bigint PRIMARY KEY, parent_id bigint, name text)`,
		fmt.Sprintf(`INSERT INTO nodes SELECT i, %s, 'row ' || i FROM %s AS s`, parent, series),
		`CREATE INDEX children ON nodes (parent_id, id)`)
}
