package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ramify/ramify/processor"
)

// kept is how many indexes are kept that nobody uses at the moment.
const kept = 4

// again is how long a list that is wrong is not read again: every vertex would.
const again = 10 * time.Second

// lists is the lists of edges that this process has read, each once.
type lists struct {
	fetch func(ctx context.Context, place string, w io.Writer) (permanent bool, err error)
	files bool // lists may be files of this machine

	mu   sync.Mutex
	all  map[of]*list
	tick int64
}

// of is what makes a list another one.
type of struct {
	file, version    string
	directed, header bool
}

// list is one list. The turn is a lock that a caller can stop waiting for: whoever
// has it may be reading the list.
type list struct {
	lists   *lists
	turn    chan struct{}
	index   *index // nil: not read yet
	version string
	wrong   error     // found by the last who read it
	until   time.Time // when it may be read again

	users int   // guarded by lists.mu
	used  int64 // at which tick last
}

// open is the list of a walk, read if it was not before. Release it. An error says
// what is wrong with the list, which no retry mends, or is a trouble.
func (s *lists) open(ctx context.Context, w Walk) (*list, error) {
	l := s.take(of{w.File, w.Version, w.Directed, w.Header})
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		l.release()
		return nil, context.Cause(ctx)
	}
	defer func() { <-l.turn }()
	switch {
	case l.index != nil:
		return l, nil
	case time.Now().Before(l.until):
		l.release()
		return nil, l.wrong
	}
	x, version, err := s.read(ctx, w)
	if err == nil && w.Version != "" && version != w.Version {
		_ = x.close()
		err = processor.Permanent(fmt.Errorf("list of edges %s has another content than when the run began (version %s, want %s): put back what it was, or begin another run", w.File, version, w.Version))
	}
	if err != nil {
		if processor.IsPermanent(err) {
			l.wrong, l.until = err, time.Now().Add(again)
		}
		l.release()
		return nil, err
	}
	l.index, l.version = x, version
	return l, nil
}

func (s *lists) take(what of) *list {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.all[what]
	if l == nil {
		if s.all == nil {
			s.all = map[of]*list{}
		}
		s.prune()
		l = &list{lists: s, turn: make(chan struct{}, 1)}
		s.all[what] = l
	}
	s.tick++
	l.users, l.used = l.users+1, s.tick
	return l
}

// prune drops the lists that were used longest ago, but for some.
func (s *lists) prune() {
	for {
		var oldest of
		idle := 0
		for what, l := range s.all {
			if l.users > 0 {
				continue
			}
			if idle++; idle == 1 || l.used < s.all[oldest].used {
				oldest = what
			}
		}
		if idle < kept {
			return
		}
		if x := s.all[oldest].index; x != nil {
			_ = x.close() // it was only read
		}
		delete(s.all, oldest)
	}
}

func (l *list) release() {
	l.lists.mu.Lock()
	defer l.lists.mu.Unlock()
	l.users--
}

// same makes a list that was read without a version that of its version, too.
func (s *lists) same(w Walk, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, to := of{w.File, w.Version, w.Directed, w.Header}, of{w.File, version, w.Directed, w.Header}
	if l := s.all[from]; l != nil && s.all[to] == nil {
		delete(s.all, from)
		s.all[to] = l
	}
}

// read reads a list and makes its index.
func (s *lists) read(ctx context.Context, w Walk) (*index, string, error) {
	r, err := s.source(ctx, w.File)
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	d := &digest{Reader: r, ctx: ctx, sum: sha256.New()}
	x, err := makeIndex(d, w, s.files)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, "", context.Cause(ctx)
	case d.failed == nil && !processor.IsTrouble(err):
		return nil, "", processor.Permanent(err) // of what it says
	case processor.IsPermanent(err):
		return nil, "", err
	default:
		return nil, "", processor.Trouble(err)
	}
	return x, hex.EncodeToString(d.sum.Sum(nil)[:8]), nil
}

func makeIndex(r io.Reader, w Walk, quote bool) (*index, error) {
	s := &sorter{most: sortable}
	defer s.drop()
	e := &edges{name: w.File, header: w.Header, quote: quote}
	err := e.read(r, func(a, b string) error {
		back := a
		if w.Directed || a == b {
			back = ""
		}
		if err := s.add(b, back); err != nil || a == b {
			return err
		}
		return s.add(a, b)
	})
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // what follows a compressed list
		return nil, err
	}
	return s.finish()
}

// source opens a file, or begins to fetch one.
func (s *lists) source(ctx context.Context, place string) (io.ReadCloser, error) {
	switch isFile := !strings.Contains(place, "://"); {
	case isFile && !s.files:
		return nil, processor.Permanent(fmt.Errorf("list of edges is %q, want s3://bucket/key: a task of a fleet reads no files of its machine", place))
	case isFile:
		f, err := openRegular(place)
		if err != nil {
			return nil, processor.Permanent(fmt.Errorf("read list of edges: %w", err))
		}
		return f, nil
	}
	if s.fetch == nil {
		return nil, processor.Permanent(fmt.Errorf("list of edges is %q, want a file of this machine", place))
	}
	r, w := io.Pipe()
	go func() {
		permanent, err := s.fetch(ctx, place, w)
		if permanent {
			err = processor.Permanent(err)
		}
		_ = w.CloseWithError(err)
	}()
	return r, nil
}

// openRegular opens a file that has an end, and is there as often as it is read: no
// device, pipe or folder.
func openRegular(path string) (*os.File, error) {
	is, err := os.Stat(path) // before it is opened: that of a pipe waits for a writer
	if err != nil {
		return nil, err
	}
	if !is.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	return os.Open(path)
}

// digest reads, and sums up what it has read. It ends with its context.
type digest struct {
	io.Reader
	ctx    context.Context
	sum    hash.Hash
	failed error // of the reader itself
}

func (d *digest) Read(b []byte) (int, error) {
	if d.ctx.Err() != nil {
		d.failed = context.Cause(d.ctx)
		return 0, d.failed
	}
	n, err := d.Reader.Read(b)
	d.sum.Write(b[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		d.failed = err
	}
	return n, err
}
