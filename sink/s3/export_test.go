package s3

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/ramify/ramify/s3client"
)

// Piece is the bytes of a request of an upload.
const Piece = piece

// ErrStopped is that of StopAt.
var ErrStopped = errors.New("stopped by the test")

// StopAt has Finish end at a step, as a process that dies there does.
func (s *Sink) StopAt(step string) {
	s.step = func(now string) error {
		if now == step {
			return ErrStopped
		}
		return nil
	}
}

// At has something done at a step of Finish.
func (s *Sink) At(step string, do func()) {
	s.step = func(now string) error {
		if now == step {
			do()
		}
		return nil
	}
}

// OpenHastily is Open without pauses between attempts of a request.
func OpenHastily(ctx context.Context, o Options) (*Sink, error) {
	return open(ctx, s3client.WithBackoff(o.Config, 16, retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })), o)
}

// Sorted sorts blocks with so many bytes of them in memory, and says in how many
// runs.
func Sorted(blocks iter.Seq[[]byte], most int) (all [][]byte, runs int, err error) {
	s := sorter{most: most}
	for b := range blocks {
		if err := s.add(b); err != nil {
			return nil, 0, err
		}
	}
	for b, err := range s.sorted() {
		if err != nil {
			return nil, 0, err
		}
		all = append(all, b)
	}
	return all, len(s.runs), s.close()
}
