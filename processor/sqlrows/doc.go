// Package sqlrows is the processor of a row of a parent-child table in PostgreSQL or
// SQLite: the node is a primary key, its children are the rows whose parent it is.
//
// A message names the database by a name of the task's settings, never by its DSN: the
// password stays in the environment of the task, and no message can have a task
// connect elsewhere or open a file. The table and its columns are checked to be plain
// identifiers and quoted, values are bound.
package sqlrows
