package store

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a file and has it closed when the test ends.
func open(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(path, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func fresh(t testing.TB) *Store {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), "run.db"), Options{Create: true, Owner: true})
	exec(t, s, "CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB)")
	return s
}

func exec(t testing.TB, s *Store, sql string, args ...any) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), func(tx *Tx) error {
		_, err := tx.Exec(sql, args...)
		return err
	}))
}

func count(t testing.TB, s *Store) (n int) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(tx *Tx) error {
		_, err := tx.Get([]any{&n}, "SELECT count(*) FROM item")
		return err
	}))
	return n
}

const insertItem = "INSERT INTO item (body) VALUES (?)"

func insert(tx *Tx) error {
	_, err := tx.Exec(insertItem, []byte("x"))
	return err
}

// hold keeps the writer busy until release is called.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	in, out := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		assert.NoError(t, s.Update(t.Context(), func(*Tx) error { close(in); <-out; return nil }))
	})
	<-in
	return func() { close(out); wg.Wait() }
}

func TestUpdateSharesTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fresh(t)
		release := hold(t, s)
		groups := map[*Tx]int{} // only the writer uses it
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				assert.NoError(t, s.Update(t.Context(), func(tx *Tx) error {
					groups[tx]++
					return insert(tx)
				}))
			})
		}
		synctest.Wait() // all wait for the writer
		release()
		wg.Wait()
		assert.Len(t, groups, 1)
		assert.Equal(t, 100, count(t, s))
	})
}

func TestUpdateBoundsTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fresh(t)
		release := hold(t, s)
		groups := map[*Tx]int{}
		var wg sync.WaitGroup
		for range maxGroup + 10 {
			wg.Go(func() {
				assert.NoError(t, s.Update(t.Context(), func(tx *Tx) error { groups[tx]++; return nil }))
			})
		}
		synctest.Wait()
		release()
		wg.Wait()
		for _, n := range groups {
			assert.LessOrEqual(t, n, maxGroup)
		}
	})
}

func TestErrorOfOneCallerIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fresh(t)
		mine := errors.New("mine")
		release := hold(t, s)
		var wg sync.WaitGroup
		var refused, kept error
		wg.Go(func() { refused = s.Update(t.Context(), func(*Tx) error { return mine }) })
		wg.Go(func() { kept = s.Update(t.Context(), insert) })
		synctest.Wait()
		release()
		wg.Wait()
		require.ErrorIs(t, refused, mine)
		require.NoError(t, kept)
		assert.Equal(t, 1, count(t, s))
	})
}

func TestFailureOfSQLiteIsEverybodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fresh(t)
		release := hold(t, s)
		var after []error
		var wg sync.WaitGroup
		errs := make([]error, 3)
		wg.Go(func() {
			errs[0] = s.Update(t.Context(), func(tx *Tx) error {
				tx.AfterCommit(func(err error) { after = append(after, err) })
				return insert(tx)
			})
		})
		synctest.Wait() // so that this one is the first of the three
		wg.Go(func() {
			errs[1] = s.Update(t.Context(), func(tx *Tx) error {
				_, err := tx.Exec("INSERT INTO nowhere VALUES (1)")
				return err
			})
		})
		synctest.Wait()
		wg.Go(func() { errs[2] = s.Update(t.Context(), insert) })
		synctest.Wait()
		release()
		wg.Wait()
		for i, err := range errs {
			require.ErrorContains(t, err, "nowhere", "caller %d", i)
		}
		require.Len(t, after, 1)
		require.ErrorContains(t, after[0], "nowhere")
		assert.Zero(t, count(t, s))

		exec(t, s, insertItem, []byte("x")) // the next transaction is not touched
		assert.Equal(t, 1, count(t, s))
	})
}

func TestHooks(t *testing.T) {
	s := fresh(t)
	var said []string
	require.NoError(t, s.Update(t.Context(), func(tx *Tx) error {
		tx.BeforeCommit(func(tx *Tx) error { said = append(said, "before"); return insert(tx) })
		tx.AfterCommit(func(err error) { said = append(said, "after"); assert.NoError(t, err) })
		said = append(said, "fn")
		return nil
	}))
	assert.Equal(t, []string{"fn", "before", "after"}, said)
	assert.Equal(t, 1, count(t, s))

	broken := errors.New("broken")
	err := s.Update(t.Context(), func(tx *Tx) error {
		tx.BeforeCommit(func(*Tx) error { return broken })
		tx.AfterCommit(func(err error) { assert.ErrorIs(t, err, broken) })
		return insert(tx)
	})
	require.ErrorIs(t, err, broken)
	assert.Equal(t, 1, count(t, s))
}

func TestContextDropsWhatHasNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fresh(t)
		release := hold(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			assert.ErrorIs(t, s.Update(ctx, insert), context.Canceled)
		})
		synctest.Wait()
		cancel()
		wg.Wait() // answered although the writer is still busy
		release()
		require.ErrorIs(t, s.Update(ctx, insert), context.Canceled)
		assert.Zero(t, count(t, s))
	})
}

func TestContextDoesNotHideTheAnswerOfWhatHasStarted(t *testing.T) {
	s := fresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, s.Update(ctx, func(tx *Tx) error {
		cancel()
		return insert(tx)
	}))
	assert.Equal(t, 1, count(t, s))
}

func TestCloseDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "run.db")
		s, err := Open(path, Options{Create: true, Owner: true})
		require.NoError(t, err)
		exec(t, s, "CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB)")
		release := hold(t, s)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { assert.NoError(t, s.Update(t.Context(), insert)) })
		}
		synctest.Wait()
		wg.Go(func() { assert.NoError(t, s.Close()) })
		synctest.Wait()
		require.ErrorIs(t, s.Update(t.Context(), insert), ErrClosed)
		require.ErrorIs(t, s.View(t.Context(), func(*Tx) error { return nil }), ErrClosed)
		release()
		wg.Wait()
		require.NoError(t, s.Close())
		assert.Equal(t, 10, count(t, open(t, path, Options{MustExist: true})))
	})
}

func TestViewIsASnapshotAndDoesNotWrite(t *testing.T) {
	s := fresh(t)
	exec(t, s, insertItem, []byte("one"))
	require.NoError(t, s.View(t.Context(), func(tx *Tx) error {
		var before, after int
		_, err := tx.Get([]any{&before}, "SELECT count(*) FROM item")
		require.NoError(t, err)
		exec(t, s, insertItem, []byte("two"))
		_, err = tx.Get([]any{&after}, "SELECT count(*) FROM item")
		require.NoError(t, err)
		assert.Equal(t, before, after)
		return nil
	}))
	assert.Equal(t, 2, count(t, s))
	require.ErrorIs(t, s.View(t.Context(), insert), ErrFull)
	assert.Equal(t, 2, count(t, s))
}

func TestQueryEndsWithItsContext(t *testing.T) {
	s := fresh(t)
	for range 3 {
		exec(t, s, insertItem, []byte("x"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	rows := 0
	err := s.View(ctx, func(tx *Tx) error {
		for _, err := range tx.Query("SELECT id FROM item") {
			if err != nil {
				return err
			}
			rows++
			cancel()
		}
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, rows)
}

func TestScan(t *testing.T) {
	s := fresh(t)
	require.NoError(t, s.View(t.Context(), func(tx *Tx) error {
		var (
			i64  int64
			i    int
			text string
			blob = []byte("old")
			yes  bool
		)
		found, err := tx.Get([]any{&i64, &i, &text, &blob, &yes}, "SELECT ?, ?, ?, ?, ?", int64(1)<<62, -7, "é", []byte(nil), true)
		require.NoError(t, err)
		require.True(t, found)
		assert.Equal(t, int64(1)<<62, i64)
		assert.Equal(t, -7, i)
		assert.Equal(t, "é", text)
		assert.Nil(t, blob)
		assert.True(t, yes)

		found, err = tx.Get([]any{&i}, "SELECT 1 WHERE 0")
		require.NoError(t, err)
		assert.False(t, found)

		_, err = tx.Get([]any{&i}, "SELECT 'text'")
		require.ErrorContains(t, err, "column 1 is string")
		_, err = tx.Get([]any{&i}, "SELECT 1, 2")
		require.ErrorContains(t, err, "2 columns")
		return nil
	}))
	err := s.Update(t.Context(), func(tx *Tx) error {
		_, err := tx.Exec(insertItem, struct{}{})
		return err
	})
	require.ErrorContains(t, err, "argument 1")
}
