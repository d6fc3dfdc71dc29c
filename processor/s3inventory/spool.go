package s3inventory

import (
	"context"
	"crypto/md5" // #nosec G501 -- the layout asks for it
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"github.com/ramify/ramify/processor"
)

// spool is a data file that has been found whole.
type spool struct {
	*os.File
	size int64
}

func (s *spool) close() { _ = s.Close() } // it was only read, or is nobody's any more

// fetch makes a data file readable, and holds it against what is known of it. A
// file of this machine is read where it lies.
func (p *Processor) fetch(ctx context.Context, a args, count func(int64)) (*spool, error) {
	sum := &sized{most: a.Size, sum: md5.New()}
	name, isLocal := place(a.File).path()
	var f *os.File
	var err error
	if isLocal {
		if f, err = os.Open(name); err != nil {
			return nil, processor.Permanent(fmt.Errorf("open file of inventory: %w", err))
		}
		_, err = io.Copy(sum, f)
	} else {
		if f, err = temporary(p.Dir); err != nil {
			return nil, err
		}
		sum.to = f
		err = get(ctx, p.Getter, place(a.File), sum, count)
	}
	if err == nil {
		err = sum.check(a)
	}
	if err != nil {
		_ = f.Close()
		if isLocal || errors.Is(err, errLonger) {
			err = processor.Permanent(err)
		}
		return nil, err
	}
	return &spool{f, sum.n}, nil
}

// temporary is a file that is gone when it is closed, or the process is.
func temporary(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "ramify-inventory-")
	if err != nil {
		return nil, fmt.Errorf("make temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("make temporary file: %w", err)
	}
	return f, nil
}

var errLonger = errors.New("it is longer than the manifest says")

// sized sums up what is written through it.
type sized struct {
	to   io.Writer // nil: nowhere
	sum  hash.Hash
	n    int64
	most int64
}

func (s *sized) Write(p []byte) (n int, err error) {
	if s.n += int64(len(p)); s.n > s.most {
		return 0, errLonger
	}
	_, _ = s.sum.Write(p)
	if s.to == nil {
		return len(p), nil
	}
	if n, err = s.to.Write(p); err != nil {
		return n, fmt.Errorf("write temporary file: %w", err)
	}
	return n, nil
}

// check compares it with what the manifest says. It is not permanent: what was
// damaged on its way may come whole.
func (s *sized) check(a args) error {
	got := hex.EncodeToString(s.sum.Sum(nil))
	switch {
	case s.n != a.Size:
		return fmt.Errorf("check file %s of inventory: it has %d bytes, and the manifest says %d", place(a.File), s.n, a.Size)
	case a.MD5 != "" && !strings.EqualFold(got, a.MD5):
		return fmt.Errorf("check file %s of inventory: its MD5 is %s, and the manifest says %s", place(a.File), got, a.MD5)
	}
	return nil
}
