package file

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/sinktest"
)

func openIn(t *testing.T, home string, o Options) *Sink {
	st, err := store.Open(filepath.Join(home, "run.db"), store.Options{})
	require.NoError(t, err)
	o.Dir = filepath.Join(home, "out")
	s, err := Open(t.Context(), st, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = s.Close() // some tests break it
		assert.NoError(t, st.Close())
	})
	return s
}

func commitRow(t *testing.T, s *Sink, n int, row string) error {
	p, err := s.Open(t.Context(), sink.Attempt{Run: "r", PID: pid(n), ID: uint64(n)})
	require.NoError(t, err)
	if err := p.Write(t.Context(), sink.Rows, []byte(row), 1); err != nil {
		p.Abort()
		return err
	}
	_, err = p.Commit(t.Context(), true, schema.Account{Nodes: 1})
	return err
}

func pid(n int) schema.PID { return schema.PIDOf("r", schema.Place{Slot: n}) }

func leaves(units ...int) func(func(sink.Committed, error) bool) {
	return func(yield func(sink.Committed, error) bool) {
		for _, n := range units {
			if !yield(sink.Committed{PID: pid(n), Leaf: true}, nil) {
				return
			}
		}
	}
}

// A kill between any two steps of Finish loses nothing: from the folder as it
// was then, Finish makes the same.
func TestFinishAfterCrashAtEveryStep(t *testing.T) {
	for _, c := range []struct {
		name   string
		format inventory.Format
		part   int64
		row    string
	}{
		{"copied", inventory.Keys, 0, "key-%d\n"},
		{"taken as they are", inventory.Keys, 64, "key-%d\n"},
		{"converted", inventory.Parquet, 0, "\"b\",\"key-%d\",\"1\",\"\",\"\",\"\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := Options{Layout: c.format.Layout(), PartSize: c.part, Bucket: "b", Created: time.UnixMilli(1)}
			home := filepath.Join(t.TempDir(), "home")
			s := openIn(t, home, options)
			var kept []int
			for n := range 40 {
				require.NoError(t, commitRow(t, s, n, fmt.Sprintf(c.row, n)))
				if n%7 != 3 { // the others are losers
					kept = append(kept, n)
				}
			}
			snapshots := map[string]string{}
			s.step = func(name string) {
				snapshots[name] = home + "-" + name
				require.NoError(t, sinktest.Copy(snapshots[name], home))
			}
			want, err := s.Finish(t.Context(), leaves(kept...))
			require.NoError(t, err)
			assert.Len(t, kept, int(want.Rows))
			assert.Len(t, snapshots, 6)
			for step, snapshot := range snapshots {
				for range 2 { // and once more after success
					again := openIn(t, snapshot, options)
					got, err := again.Finish(t.Context(), leaves(kept...))
					require.NoError(t, err, step)
					assert.Equal(t, filepath.Join(snapshot, "out", "manifest.json"), got.Location)
					got.Location = want.Location
					assert.Equal(t, want, got, step)
					for _, f := range filesOf(t, again) {
						assert.FileExists(t, again.dataPath(f.part))
					}
					assert.NoDirExists(t, again.spoolDir(), step)
					require.NoError(t, again.Close())
				}
			}
		})
	}
}

// What a Finish was told that did not come to its end does not count.
func TestFinishForgetsWhatAnEarlierOneMarked(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	s := openIn(t, home, Options{Layout: inventory.Keys.Layout()})
	require.NoError(t, commitRow(t, s, 1, "one\n"))
	require.NoError(t, commitRow(t, s, 2, "two, longer\n"))
	s.step = func(name string) {
		if name == "marked" {
			require.NoError(t, sinktest.Copy(home+"-marked", home))
		}
	}
	_, err := s.Finish(t.Context(), leaves(1, 2))
	require.NoError(t, err)
	sum, err := openIn(t, home+"-marked", Options{Layout: inventory.Keys.Layout()}).Finish(t.Context(), leaves(1))
	require.NoError(t, err)
	assert.EqualValues(t, len("one\n"), sum.Bytes)
}

func filesOf(t *testing.T, s *Sink) []dataFile {
	files, err := s.files(t.Context(), true)
	require.NoError(t, err)
	return files
}

// broken is a medium that fails when told to.
type broken struct {
	medium
	mu    sync.Mutex
	write error
	sync  error
	syncs int
	hold  chan struct{} // if not nil, Sync waits until it is closed
	begun chan struct{} // told when a held Sync begins
	wrote chan struct{} // if not nil, told of each write
}

func (b *broken) WriteAt(p []byte, off int64) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wrote != nil {
		b.wrote <- struct{}{}
	}
	if b.write != nil {
		n, _ := b.medium.WriteAt(p[:len(p)/2], off) // torn
		return n, b.write
	}
	return b.medium.WriteAt(p, off)
}

func (b *broken) Sync() error {
	b.mu.Lock()
	hold, err := b.hold, b.sync
	b.syncs++
	b.mu.Unlock()
	if hold != nil {
		b.begun <- struct{}{}
		<-hold
	}
	if err != nil {
		return err
	}
	return b.medium.Sync()
}

func (b *broken) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// breakable makes the next spool files of s break when told to.
func breakable(s *Sink) *[]*broken {
	var made []*broken
	create := s.spool.create
	s.spool.create = func(ctx context.Context, id int64) (medium, error) {
		m, err := create(ctx, id)
		if err != nil {
			return nil, err
		}
		made = append(made, &broken{medium: m})
		return made[len(made)-1], nil
	}
	return &made
}

func TestFullDiskIsNotTransientAndLeavesNoTrace(t *testing.T) {
	s := openIn(t, t.TempDir(), Options{Layout: inventory.Keys.Layout()})
	made := breakable(s)
	require.NoError(t, commitRow(t, s, 1, "one\n"))
	disk := (*made)[0]
	for _, errno := range []error{syscall.ENOSPC, syscall.EROFS, syscall.EDQUOT, syscall.EFBIG, syscall.EACCES, syscall.EPERM, syscall.ENOENT} {
		disk.set(func() { disk.write = errno })
		err := commitRow(t, s, 2, "torn\n")
		require.ErrorIs(t, err, sink.ErrFull)
		require.ErrorIs(t, err, errno)
	}
	disk.set(func() { disk.write = syscall.EIO })
	err := commitRow(t, s, 2, "torn\n")
	require.ErrorIs(t, err, syscall.EIO)
	require.NotErrorIs(t, err, sink.ErrFull, "an error that may pass is not called hopeless")

	disk.set(func() { disk.write = syscall.EMFILE })
	err = commitRow(t, s, 2, "torn\n")
	require.ErrorIs(t, err, store.ErrFiles, "the way out is said: allow more files")
	require.NotErrorIs(t, err, sink.ErrFull)

	disk.set(func() { disk.write = nil })
	require.NoError(t, commitRow(t, s, 2, "two\n"), "there is room again")
	sum, err := s.Finish(t.Context(), leaves(1, 2))
	require.NoError(t, err)
	assert.Equal(t, sink.Summary{Location: sum.Location, Files: 1, Rows: 2, Bytes: 8}, sum)
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	s := openIn(t, t.TempDir(), Options{Layout: inventory.Keys.Layout()})
	create := s.spool.create
	s.spool.create = func(context.Context, int64) (medium, error) { return nil, syscall.EROFS }
	require.ErrorIs(t, commitRow(t, s, 1, "one\n"), sink.ErrFull)
	s.spool.create = create
	require.NoError(t, commitRow(t, s, 1, "one\n"))
}

// After a failed fsync nothing that was not durable before can be committed,
// whatever the next fsync says; what comes later goes to a new file.
func TestFailedSync(t *testing.T) {
	s := openIn(t, t.TempDir(), Options{Layout: inventory.Keys.Layout()})
	made := breakable(s)
	require.NoError(t, commitRow(t, s, 1, "one\n"))
	p, err := s.Open(t.Context(), sink.Attempt{PID: pid(2)})
	require.NoError(t, err)
	big := make([]byte, 2*packAt)
	require.NoError(t, p.Write(t.Context(), sink.Rows, big, 1))
	disk := (*made)[0]
	disk.set(func() { disk.sync = syscall.EIO })
	require.ErrorIs(t, commitRow(t, s, 3, "three\n"), syscall.EIO)
	disk.set(func() { disk.sync = nil })
	_, err = p.Commit(t.Context(), true, schema.Account{})
	require.ErrorIs(t, err, syscall.EIO, "its rows may be gone")
	require.NoError(t, commitRow(t, s, 4, "four\n"))
	assert.Len(t, *made, 2)
	sum, err := s.Finish(t.Context(), leaves(1, 2, 3, 4))
	require.NoError(t, err)
	assert.EqualValues(t, len("one\n"+"four\n"), sum.Bytes)
}

// Commits that come while one fsync runs share the next.
func TestCommitsShareSyncs(t *testing.T) {
	s := openIn(t, t.TempDir(), Options{Layout: inventory.Keys.Layout()})
	made := breakable(s)
	require.NoError(t, commitRow(t, s, 0, "first\n"))
	disk := (*made)[0]
	const commits = 50
	hold, begun, wrote := make(chan struct{}), make(chan struct{}, commits), make(chan struct{}, commits)
	disk.set(func() { disk.hold, disk.begun, disk.wrote, disk.syncs = hold, begun, wrote, 0 })
	var all sync.WaitGroup
	start := func(n int) {
		all.Go(func() { assert.NoError(t, commitRow(t, s, n, fmt.Sprintln(n))) })
	}
	start(1)
	<-begun
	for n := range commits - 1 {
		start(n + 2)
	}
	for range commits { // of the first, too
		<-wrote
	}
	close(hold)
	all.Wait()
	assert.LessOrEqual(t, disk.syncs, 3, "of %d commits", commits)
}

// An attempt that was under way when the run was finished cannot put its rows
// into what is done.
func TestAttemptOvertakenByFinish(t *testing.T) {
	s := openIn(t, t.TempDir(), Options{Layout: inventory.Keys.Layout()})
	require.NoError(t, commitRow(t, s, 1, "one\n"))
	stale, err := s.Open(t.Context(), sink.Attempt{PID: pid(2)})
	require.NoError(t, err)
	require.NoError(t, stale.Write(t.Context(), sink.Rows, []byte("stale\n"), 1))
	_, err = s.Finish(t.Context(), leaves(1))
	require.NoError(t, err)
	_, err = stale.Commit(t.Context(), true, schema.Account{})
	require.ErrorIs(t, err, errFinished)
	require.NoError(t, commitRow(t, s, 2, "two\n"))
	sum, err := s.Finish(t.Context(), leaves(1, 2))
	require.NoError(t, err)
	assert.EqualValues(t, 2, sum.Rows)
}

func TestSpoolThatWasDamaged(t *testing.T) {
	home := t.TempDir()
	s := openIn(t, home, Options{Layout: inventory.Keys.Layout()})
	require.NoError(t, commitRow(t, s, 1, "one\n"))
	require.NoError(t, trim(s.spoolPath(1), 2))
	_, err := s.Finish(t.Context(), leaves(1))
	require.ErrorContains(t, err, filepath.Join("out", ".spool", "1"))
	require.Error(t, errors.Unwrap(err))
	assert.NoFileExists(t, filepath.Join(home, "out", "manifest.json"))
}
