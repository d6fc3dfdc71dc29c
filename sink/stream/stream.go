// Package stream is a sink for somebody's pipe: rows go to a writer as they
// come, so nothing is exact. A row appears at least once: again when an attempt
// is repeated or a run resumed, and also when its attempt is not committed.
package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/ramify/ramify/sink"
)

// ErrClosed is returned when nobody reads the stream any more. Errors that wrap
// it wrap sink.ErrFull too: retrying does not help.
var ErrClosed = errors.New("nobody reads the results any more")

// Sink writes rows to a writer and hands everything else to another sink, which
// decides which leaf was first.
type Sink struct {
	sink.Sink // whose Finish, Read and Close are this one's, too

	w    io.Writer
	turn chan error // one at a time; holds the error after which nothing is written
}

var _ sink.Sink = (*Sink)(nil)

// New returns a sink that writes rows to w and keeps everything else in inner,
// which it closes. It does not close w. A process that writes to standard
// output must ignore SIGPIPE to see ErrClosed (package os/signal, "SIGPIPE").
func New(w io.Writer, inner sink.Sink) *Sink {
	s := &Sink{Sink: inner, w: w, turn: make(chan error, 1)}
	s.turn <- nil
	return s
}

// Open begins an attempt of the inner sink.
func (s *Sink) Open(ctx context.Context, a sink.Attempt) (sink.Part, error) {
	p, err := s.Sink.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return part{p, s}, nil
}

type part struct {
	sink.Part
	sink *Sink
}

// Write passes a whole block of rows to the writer; blocks of concurrent calls
// follow one another. A block of another stream goes to the inner sink.
func (p part) Write(ctx context.Context, stream string, block []byte, rows int) error {
	if stream != sink.Rows {
		return p.Part.Write(ctx, stream, block, rows)
	}
	if err := p.sink.write(ctx, block); err != nil {
		return fmt.Errorf("stream results: %w", err)
	}
	return nil
}

func (s *Sink) write(ctx context.Context, block []byte) (err error) {
	if len(block) == 0 {
		return nil
	}
	select {
	case err = <-s.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err == nil {
		_, err = s.w.Write(block)
		err = classify(err)
	}
	// Any failure ends the stream: part of a block may have been written, and
	// what would follow it is not a row.
	s.turn <- err
	return err
}

func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe), errors.Is(err, os.ErrClosed):
		return fmt.Errorf("%w: %w: %w", sink.ErrFull, ErrClosed, err)
	default:
		return fmt.Errorf("%w: %w", sink.ErrFull, err)
	}
}
