package store

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOpenOptions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "for it", "run 100%?#.db")
	_, err := Open(path, Options{MustExist: true})
	require.ErrorIs(t, err, ErrMissing)
	require.ErrorContains(t, err, path)
	require.NoDirExists(t, filepath.Dir(path))

	s, err := Open(path, Options{Create: true})
	require.NoError(t, err)
	assert.Equal(t, path, s.Path())
	exec(t, s, "CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB)")
	require.NoError(t, s.Close())

	_, err = Open(path, Options{Create: true, Owner: true})
	require.ErrorIs(t, err, ErrExists)
	assert.Zero(t, count(t, open(t, path, Options{})))

	for _, other := range []string{filepath.Dir(path), os.DevNull} {
		_, err = Open(other, Options{})
		require.ErrorIs(t, err, ErrForeign, other)
	}
}

// Killed while the file became a database: the first page is written, and the
// journal that undoes it is there.
func TestAFileThatWasBeingMadeIsNobodys(t *testing.T) {
	half := func() string {
		path := filepath.Join(t.TempDir(), "run.db")
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		c, err := connect(path)
		require.NoError(t, err)
		require.NoError(t, c.format())
		require.NoError(t, c.close())
		// "The Rollback Journal" in SQLite's "Database File Format": no page records,
		// a random number, 0 pages before, sectors of 512 bytes, pages of 4096.
		journal := make([]byte, 512)
		copy(journal, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7\x00\x00\x00\x00rand\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x10\x00")
		require.NoError(t, os.WriteFile(path+"-journal", journal, 0o600))
		return path
	}
	_, err := Open(half(), Options{MustExist: true, Owner: true})
	require.ErrorIs(t, err, ErrUnbegun)
	path := half()
	_, err = Open(path, Options{MustExist: true})
	require.ErrorIs(t, err, ErrUnbegun)
	open(t, path, Options{Create: true, Owner: true}) // as what a crash left of a run that never began
	open(t, half(), Options{})
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, "run.db")
	s := open(t, path, Options{Create: true, Owner: true})
	exec(t, s, "CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB)")
	mode := func(path string) os.FileMode {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info.Mode().Perm()
	}
	assert.Equal(t, os.FileMode(0o700), mode(dir))
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		assert.Equal(t, os.FileMode(0o600), mode(path+suffix), suffix)
	}
}

func TestOneOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db")
	s, err := Open(path, Options{Create: true, Owner: true})
	require.NoError(t, err)
	assert.True(t, s.Owner())
	_, err = Open(path, Options{Owner: true})
	require.ErrorIs(t, err, ErrLocked)
	look := open(t, path, Options{MustExist: true})
	assert.True(t, s.Owned())
	assert.True(t, look.Owned())
	require.NoError(t, s.Close())
	assert.False(t, look.Owned())
	require.NoError(t, look.Close())
	require.NoFileExists(t, path+".lock")
	require.NoFileExists(t, path+"-wal")

	// A lock file that a killed owner left locks nothing.
	require.NoError(t, os.WriteFile(path+".lock", nil, 0o600))
	look = open(t, path, Options{MustExist: true})
	assert.False(t, look.Owned())
	// Nor do those who look whether there is an owner keep one out.
	stop := make(chan struct{})
	var lookers sync.WaitGroup
	lookers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				look.Owned()
			}
		}
	})
	for range 20 {
		s, err := Open(path, Options{Owner: true, MustExist: true})
		require.NoError(t, err)
		assert.True(t, look.Owned())
		require.NoError(t, s.Close())
	}
	close(stop)
	lookers.Wait()
}

// Somebody takes the lock of a run that goes on for one that was left, and removes it.
func TestAnOwnerWhoseLockWasRemovedWritesNoMore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db")
	first, err := Open(path, Options{Create: true, Owner: true})
	require.NoError(t, err)
	exec(t, first, "CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB)")
	require.NoError(t, os.Remove(path+".lock"))
	second, err := Open(path, Options{MustExist: true, Owner: true})
	require.NoError(t, err)

	insert := func(s *Store) error {
		return s.Update(t.Context(), func(tx *Tx) error {
			_, err := tx.Exec("INSERT INTO item (body) VALUES (?)", []byte("x"))
			return err
		})
	}
	for range 2 {
		require.ErrorIs(t, insert(first), ErrNoLock)
	}
	require.NoError(t, insert(second))
	require.NoError(t, first.Close())
	_, err = Open(path, Options{Owner: true})
	require.ErrorIs(t, err, ErrLocked, "the second owner's lock is there")
	assert.Equal(t, 1, count(t, second))
	require.NoError(t, second.Close())
}

func TestOwnersExcludeEachOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.lock")
	var wg sync.WaitGroup
	var inside, entries int
	var mu sync.Mutex
	for range 8 {
		wg.Go(func() {
			for range 50 {
				f, err := acquire(path)
				if errors.Is(err, ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				inside++
				entries++
				assert.Equal(t, 1, inside)
				inside--
				mu.Unlock()
				assert.NoError(t, release(f))
			}
		})
	}
	wg.Wait()
	assert.Positive(t, entries)
}

func TestALockWithoutItsNameIsNoLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.lock")
	f, err := acquire(path)
	require.NoError(t, err)
	assert.True(t, hasName(f))
	require.NoError(t, os.Remove(path))
	assert.False(t, hasName(f))
	other, err := acquire(path)
	require.NoError(t, err)
	assert.False(t, hasName(f), "the name is another's now")
	require.NoError(t, release(other))
	require.NoError(t, f.Unlock())
}

// crashed copies the files of an open store, as a crash would leave them.
func crashed(t *testing.T, s *Store) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "crashed.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(s.Path() + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path+suffix, b, 0o600))
	}
	return path
}

func TestWhatWasAnsweredSurvivesACrash(t *testing.T) {
	s := fresh(t)
	for i := range 20 {
		exec(t, s, insertItem, []byte("x"))
		if i%7 == 0 {
			assert.Equal(t, i+1, count(t, open(t, crashed(t, s), Options{MustExist: true, Owner: true})))
		}
	}
}

func TestCrashWhileCreating(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err := Open(path, Options{MustExist: true})
	require.ErrorIs(t, err, ErrUnbegun)
	open(t, path, Options{Create: true, Owner: true}) // the name is free
}

// filled is a state file of many pages, closed.
func filled(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run.db")
	s, err := Open(path, Options{Create: true})
	require.NoError(t, err)
	exec(t, s, "CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB)")
	for range 40 {
		exec(t, s, insertItem, make([]byte, 4000))
	}
	require.NoError(t, s.Close())
	return path
}

func TestDamagedFiles(t *testing.T) {
	sqliteFile := func(t *testing.T, pragmas ...string) string {
		path := filepath.Join(t.TempDir(), "run.db")
		raw, err := sqliteDriver.Open(path)
		require.NoError(t, err)
		defer raw.Close()
		for _, sql := range append(pragmas, "CREATE TABLE song (title TEXT)") {
			st, err := raw.Prepare(sql)
			require.NoError(t, err)
			_, err = st.Exec([]driver.Value{}) //nolint:staticcheck // the driver has it
			require.NoError(t, err)
			require.NoError(t, st.Close())
		}
		return path
	}
	ours := fmt.Sprintf("PRAGMA application_id = %d", applicationID)
	for name, c := range map[string]struct {
		make func(t *testing.T) string
		want error
	}{
		"text": {func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "run.db")
			require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("a letter, ", 500)), 0o600))
			return path
		}, ErrForeign},
		"another program's database": {func(t *testing.T) string { return sqliteFile(t) }, ErrForeign},
		"another program's log":      {func(t *testing.T) string { return sqliteFile(t, "PRAGMA journal_mode = WAL") }, ErrForeign},
		"newer":                      {func(t *testing.T) string { return sqliteFile(t, ours, "PRAGMA user_version = 2") }, ErrNewer},
		"cut in the middle": {func(t *testing.T) string {
			path := filled(t)
			require.NoError(t, os.Truncate(path, 8*4096))
			return path
		}, ErrCorrupt},
		"cut in the first page": {func(t *testing.T) string {
			path := filled(t)
			require.NoError(t, os.Truncate(path, 1000))
			return path
		}, ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			path := c.make(t)
			before, err := os.ReadFile(path)
			require.NoError(t, err)
			for _, o := range []Options{{}, {MustExist: true, Owner: true}} {
				_, err = Open(path, o)
				require.ErrorIs(t, err, c.want)
				require.ErrorContains(t, err, path)
				assert.NotContains(t, err.Error(), "\n")
			}
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(before, after), "the file was changed")
			assert.NoFileExists(t, path+".lock")
		})
	}
}

func TestDamageFoundLater(t *testing.T) {
	path := filled(t)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	for page := 1; page < 30; page++ {
		_, err = f.WriteAt(bytes.Repeat([]byte{0xee}, 4096), int64(page)*4096)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	s := open(t, path, Options{MustExist: true, Owner: true})
	for range 2 {
		err = s.Update(t.Context(), insert)
		require.ErrorIs(t, err, ErrCorrupt)
		require.ErrorContains(t, err, path)
	}
	require.ErrorIs(t, err, ErrBroken, "whoever works on the file must stop")
}

func TestFull(t *testing.T) {
	s := fresh(t)
	exec(t, s, "PRAGMA max_page_count = 20")
	var err error
	kept := 0
	for ; err == nil; kept++ {
		err = s.Update(t.Context(), func(tx *Tx) error {
			_, err := tx.Exec(insertItem, make([]byte, 4000))
			return err
		})
	}
	require.ErrorIs(t, err, ErrFull)
	require.ErrorContains(t, err, s.Path())
	assert.Equal(t, kept-1, count(t, s))

	exec(t, s, "PRAGMA max_page_count = 2000") // somebody made room
	exec(t, s, insertItem, make([]byte, 4000))
	assert.Equal(t, kept, count(t, s))
}

func TestUnwritable(t *testing.T) {
	// The log cannot be made where a folder has its name; unlike a folder's
	// mode, this stops root too.
	path := filled(t)
	require.NoError(t, os.Mkdir(path+"-wal", 0o700))
	_, err := Open(path, Options{MustExist: true, Owner: true})
	require.ErrorIs(t, err, ErrFull)
	require.ErrorContains(t, err, path)

	for _, err := range []error{os.ErrPermission, &os.PathError{Op: "mkdir", Path: "x", Err: os.ErrPermission}} {
		require.ErrorIs(t, classifyOS(err), ErrFull)
	}
}

func TestAnotherProcessGetsItsTurn(t *testing.T) {
	s := fresh(t)
	other := open(t, s.Path(), Options{MustExist: true})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					assert.NoError(t, s.Update(t.Context(), insert))
				}
			}
		})
	}
	start := time.Now()
	var err error
	for range 3 {
		err = errors.Join(err, other.Update(t.Context(), insert))
	}
	t.Log("three writes of a second process beside a busy owner took", time.Since(start))
	close(stop)
	wg.Wait()
	require.NoError(t, err)
}

func TestProcessesSeeEachOther(t *testing.T) {
	s := fresh(t)
	other := open(t, s.Path(), Options{MustExist: true})
	exec(t, s, insertItem, []byte("x"))
	assert.Equal(t, 1, count(t, other))
	exec(t, other, insertItem, []byte("x"))
	assert.Equal(t, 2, count(t, s))
	assert.False(t, other.Owner())
}
