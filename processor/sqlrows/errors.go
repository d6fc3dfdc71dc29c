package sqlrows

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// SQLite's result codes that are told apart here. Source: "Result and Error Codes" in
// the SQLite documentation.
const (
	sqliteError  = 1  // no such table, no such column
	sqliteNotADB = 26 // the file is something else
)

// hopeless reports whether an error is one that no retry mends: the table or a column
// is not there, may not be read, or has another type. Source: PostgreSQL
// documentation, "PostgreSQL Error Codes": classes 22, Data Exception, and 42, Syntax
// Error or Access Rule Violation.
func hopeless(err error) bool {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		return strings.HasPrefix(pg.Code, "22") || strings.HasPrefix(pg.Code, "42")
	}
	if lite := (*sqlite.Error)(nil); errors.As(err, &lite) {
		code := lite.Code() & 0xff
		return code == sqliteError || code == sqliteNotADB
	}
	return false
}
