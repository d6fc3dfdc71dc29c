package file

import (
	"context"
	"crypto/md5" // #nosec G501 -- the layout of an inventory asks for it
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"sync"
)

// spool is where members are appended as they come: one file at a time, since
// compressing is done outside and appending is one write into the page cache.
type spool struct {
	limit  int64
	create func(ctx context.Context, id int64) (medium, error)

	mu     sync.Mutex
	file   *spoolFile // nil until it is needed
	nextID int64
	closed bool
	ended  map[int64]digest // of files, as they were written by this process from the start
}

// digest is the MD5 of the first size bytes of a file, in hexadecimal.
type digest struct {
	size int64
	md5  string
}

// medium is a file to append to. Tests break it.
type medium interface {
	WriteAt(b []byte, off int64) (int, error)
	Sync() error
	Close() error
}

var errClosed = errors.New("results are closed")

func newSpool(limit, nextID int64, create func(context.Context, int64) (medium, error)) *spool {
	return &spool{limit: limit, nextID: nextID, create: create, ended: map[int64]digest{}}
}

// append writes a member and returns the file and the offset it has there. It
// is durable after file.sync. A write that fails leaves no trace: the next one
// goes to the same offset.
func (s *spool) append(ctx context.Context, member []byte) (file *spoolFile, off int64, err error) {
	s.mu.Lock()
	if err := s.ready(ctx); err != nil {
		s.mu.Unlock()
		return nil, 0, err
	}
	file = s.file
	off, err = file.append(member)
	full := err == nil && off+int64(len(member)) >= s.limit
	if full {
		s.end()
	}
	s.mu.Unlock()
	if full {
		// Synced before it is closed, so that who commits a range of it later
		// needs no open file.
		err = file.close()
	}
	return file, off, err
}

// ready makes s.file a file that takes members.
func (s *spool) ready(ctx context.Context) error {
	if s.closed {
		return errClosed
	}
	if s.file != nil && s.file.broken() != nil {
		_ = s.file.close() // whoever wrote to it has the error, or will have it from sync
		s.file = nil
	}
	if s.file != nil {
		return nil
	}
	id := s.nextID
	m, err := s.create(ctx, id)
	if err != nil {
		return fmt.Errorf("create spool file %d: %w", id, err)
	}
	s.nextID++
	s.file = newSpoolFile(id, m)
	return nil
}

// seal ends the current file, and keeps others from beginning one until the
// returned function is called.
func (s *spool) seal() (release func(), err error) {
	s.mu.Lock()
	if s.closed {
		err = errClosed
	} else if s.file != nil {
		err = s.file.close()
		s.end()
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	return s.mu.Unlock, nil
}

// end lets go of the current file, but for its digest: results are described by
// theirs, and reading a large file again takes longer than all else at the end.
func (s *spool) end() {
	s.ended[s.file.id] = digest{s.file.written, hex.EncodeToString(s.file.sum.Sum(nil))}
	s.file = nil
}

// digest is the MD5 of a file of that size, "" if it must be read for it.
func (s *spool) digest(id, size int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.ended[id]; d.size == size {
		return d.md5
	}
	return ""
}

// takeID is a number for a file that is not a spool file.
func (s *spool) takeID() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextID++
	return s.nextID - 1
}

func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.file == nil {
		return nil
	}
	s.file.ahead.Wait()
	err := s.file.medium.Close() // what is committed was synced by its commit
	s.file = nil
	return err
}

// spoolFile is one file of the spool.
type spoolFile struct {
	id     int64
	medium medium
	sum    hash.Hash // of what was written; of the goroutine that appends

	mu      sync.Mutex
	turn    sync.Cond // a sync has ended
	written int64
	synced  int64
	asked   int64 // up to where ahead was asked to sync
	syncing bool
	ahead   sync.WaitGroup
	err     error // a sync has failed: nothing here can be trusted that was not synced before
}

func newSpoolFile(id int64, m medium) *spoolFile {
	f := &spoolFile{id: id, medium: m, sum: md5.New()}
	f.turn.L = &f.mu
	return f
}

// append is called by one goroutine at a time.
func (f *spoolFile) append(b []byte) (off int64, err error) {
	f.mu.Lock()
	off = f.written
	f.mu.Unlock()
	if _, err := f.medium.WriteAt(b, off); err != nil {
		return 0, fmt.Errorf("write spool file %d: %w", f.id, err)
	}
	f.sum.Write(b)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written += int64(len(b))
	if f.written-f.asked >= syncAhead {
		f.asked = f.written
		upTo := f.written
		f.ahead.Go(func() { _ = f.sync(upTo) }) // an error stays, for who commits
	}
	return off, nil
}

// syncAhead is how many bytes are written before they are synced, though nobody
// waits for it: whoever commits then waits for the last few only.
const syncAhead = 4 << 20

// sync returns when the first upTo bytes are durable. Callers that wait while
// one sync runs share the next. After a failed one the kernel may have dropped
// what it could not write and report success the next time (Rebello et al.,
// "Can Applications Recover from fsync Failures?", USENIX ATC 2020), so the
// error stays.
func (f *spoolFile) sync(upTo int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.synced < upTo {
		if f.err != nil {
			return f.err
		}
		if f.syncing {
			f.turn.Wait()
			continue
		}
		f.syncing = true
		target := f.written
		f.mu.Unlock()
		err := f.medium.Sync()
		f.mu.Lock()
		f.syncing = false
		if err != nil {
			f.err = fmt.Errorf("sync spool file %d: %w", f.id, err)
		} else {
			f.synced = target
		}
		f.turn.Broadcast()
	}
	return nil
}

func (f *spoolFile) broken() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// close syncs what was written and closes the file.
func (f *spoolFile) close() error {
	f.mu.Lock()
	written := f.written
	f.mu.Unlock()
	err := f.sync(written)
	f.ahead.Wait()
	f.mu.Lock()
	for f.syncing { // of somebody who asked for less
		f.turn.Wait()
	}
	f.mu.Unlock()
	return errors.Join(err, f.medium.Close())
}

// createSpoolFile makes the file and then its record, so that every file in the
// records exists. What a crash left under the number was never referred to.
func (s *Sink) createSpoolFile(ctx context.Context, id int64) (medium, error) {
	path := s.spoolPath(id)
	if err := makeDir(s.spoolDir()); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o644) // #nosec G302 -- becomes a result by renaming; until then its folder is closed to others
	if err != nil {
		return nil, err
	}
	// Not a record of a name that may not last: the number is used again, and the
	// second record would fail the transactions of everybody.
	err = syncDir(s.spoolDir())
	if err == nil {
		err = insertSpoolFile(ctx, s.store, id)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
