package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	applicationID = 0x524d4659 // "RMFY", so that `file` and we know the file again
	formatVersion = 1          // of the file as a whole; a newer one is refused
)

// prepareFile refuses what the options exclude and makes the folder.
func prepareFile(path string, o Options) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("it is a folder: %w", ErrForeign)
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("it is a pipe or a device: %w", ErrForeign)
	case err == nil && o.Create && info.Size() > 0: // an empty one is what a crash left of a run that never began
		return ErrExists
	case errors.Is(err, fs.ErrNotExist) && o.MustExist:
		return ErrMissing
	case errors.Is(err, fs.ErrNotExist):
		return classifyOS(os.MkdirAll(filepath.Dir(path), 0o700))
	}
	return classifyOS(err)
}

// touch makes the file, readable by its owner alone: SQLite gives its log and
// index files the same mode. It reports whether SQLite may make it a database;
// two processes that race for a name are told apart here.
func touch(path string, o Options) (empty bool, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		return true, f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return false, classifyOS(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return false, classifyOS(err)
	}
	switch {
	case info.Size() > 0 && o.Create:
		return false, ErrExists
	case info.Size() == 0 && o.MustExist:
		return false, ErrUnbegun
	}
	return info.Size() == 0, nil
}

// openWriter opens the connection that writes, and makes the file a database of
// ours if it was just made.
func openWriter(path string, empty, mustExist bool) (*conn, error) {
	c, err := connect(path)
	if err != nil {
		return nil, err
	}
	if err := c.prepareWriter(empty, mustExist); err != nil {
		_ = c.close()
		return nil, err
	}
	return c, nil
}

func (c *conn) prepareWriter(empty, mustExist bool) error {
	if !empty {
		// A kill while the file was made a database leaves a page and a journal, which
		// SQLite undoes as it reads for the first time: then it is empty after all.
		pages, err := c.number("PRAGMA page_count")
		switch {
		case err != nil:
			return err
		case pages == 0 && mustExist:
			return ErrUnbegun
		}
		empty = pages == 0
	}
	if empty {
		if err := c.format(); err != nil {
			return err
		}
	}
	if err := c.check(); err != nil {
		return err
	}
	if err := c.useLog(); err != nil {
		return err
	}
	return c.set(
		// Each commit is one write to the log and one fsync of it.
		"synchronous = FULL",
		// A page that many commits change is written to the database once in so
		// many pages of log. 4,000 (16 MB) take under 5% of the writer's time and
		// replay in well under a second after a crash.
		"wal_autocheckpoint = 4000",
		"journal_size_limit = 67108864", // what a long View let the log grow to is given back
		// 8 MB hold the tables' right edges and the upper levels of their indexes:
		// all that a run touches often. More costs more: a commit after an index
		// page was split walks the whole cache. Not mmap: a failing disk would be
		// a signal, not an error.
		"cache_size = -8192",
		"temp_store = MEMORY",
		// From here on the writer itself asks again where the file is locked.
		"busy_timeout = 0",
	)
}

// useLog puts the file into WAL mode. SQLite keeps the old mode without a word
// where the file system cannot share memory between processes.
func (c *conn) useLog() error {
	var mode string
	for row, err := range (&Tx{conn: c, ctx: context.Background()}).Query("PRAGMA journal_mode = WAL") {
		if err != nil {
			return err
		}
		if err := row.Scan(&mode); err != nil {
			return err
		}
	}
	if mode != "wal" {
		return fmt.Errorf("the file system cannot share a write-ahead log (mode %q): choose a local folder", mode)
	}
	return nil
}

// format makes an empty file a database of ours. The mark comes first and in
// one transaction with nothing else: a file is ours or empty, whatever crashes.
func (c *conn) format() error {
	for _, sql := range []string{
		"BEGIN EXCLUSIVE",
		fmt.Sprintf("PRAGMA application_id = %d", applicationID),
		fmt.Sprintf("PRAGMA user_version = %d", formatVersion),
		"COMMIT",
	} {
		if _, err := c.exec(sql); err != nil {
			return err
		}
	}
	return nil
}

// check refuses a file that is not ours before anything is written to it.
func (c *conn) check() error {
	id, err := c.number("PRAGMA application_id")
	if err != nil {
		return err
	}
	if id != applicationID {
		return ErrForeign
	}
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	if version > formatVersion {
		return fmt.Errorf("format %d, this ramify knows %d: %w", version, formatVersion, ErrNewer)
	}
	return nil
}

// openReader opens a connection that only reads.
func openReader(path string) (*conn, error) {
	c, err := connect(path)
	if err != nil {
		return nil, err
	}
	// What is sorted for a reader may be larger than memory: beyond the size of the
	// cache it goes to temporary files ("Temporary Files Used By SQLite", 2.8).
	if err := c.set("query_only = ON", "cache_size = -4096", "temp_store = FILE"); err != nil {
		_ = c.close()
		return nil, err
	}
	return c, nil
}
