package sqlrows

import (
	"fmt"
	"strings"
)

// page is how many children one statement asks for.
const page = 1000

// statements are those of a tree. Identifiers are checked before they come here, and
// quoted: a name may be a word of SQL. Columns stand behind a table's name, since
// SQLite takes a quoted name that is no column for a text.
type statements struct {
	shape    string // no rows: says what is wrong with the names
	row      string // its columns: by key
	first    string // whether there is a row, and its first children: by key
	children string // by key of the row
	beyond   string // children beyond a key: by key of the row, and that key
	tops     string // rows without a parent
	topsPast string // those beyond a key
}

// write writes the statements of a tree, with the parameters of a dialect: $1 or ?1.
func (t *Tree) write(param string) *statements {
	table := quote(t.Table)
	columns := ""
	for _, c := range t.Columns {
		columns += ", n." + quote(c)
	}
	key, parent := quote(t.Key), quote(t.Parent)
	p1, p2 := param+"1", param+"2"
	end := fmt.Sprintf(" ORDER BY c.%s LIMIT %d", key, page)
	sprintf := fmt.Sprintf
	children := sprintf("SELECT c.%s FROM %s AS c WHERE c.%s = %s", key, table, parent, p1)
	tops := sprintf("SELECT c.%s FROM %s AS c WHERE c.%s IS NULL", key, table, parent)
	return &statements{
		shape: sprintf("SELECT n.%s, n.%s%s FROM %s AS n WHERE 1 = 0", key, parent, columns, table),
		row:   sprintf("SELECT n.%s%s FROM %s AS n WHERE n.%s = %s", key, columns, table, key, p1),
		// A row of NULLs is a row without children, no row at all that there is none. The
		// second column tells a child whose own key is NULL from no child.
		first:    sprintf("SELECT c.%s, c.%s FROM %s AS n LEFT JOIN %s AS c ON c.%s = n.%s WHERE n.%s = %s", key, parent, table, table, parent, key, key, p1) + end,
		children: children + end,
		beyond:   children + sprintf(" AND c.%s > %s", key, p2) + end,
		tops:     tops + end,
		topsPast: tops + sprintf(" AND c.%s > %s", key, p1) + end,
	}
}

// quote quotes an identifier, or two with a dot between them. Both databases take
// double quotes.
func quote(name string) string { return `"` + strings.ReplaceAll(name, ".", `"."`) + `"` }
