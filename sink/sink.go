// Package sink is the seam for where results go: exactly those of committed
// attempts, or, for a stream to somebody's pipe, all of them.
package sink

import (
	"context"
	"errors"
	"iter"

	"github.com/ramify/ramify/schema"
)

// Streams that sinks know by name. A stream a sink does not keep is dropped.
const (
	Rows     = "rows"     // the results people asked for, in the run's format
	Prefixes = "prefixes" // partial totals per prefix, merged when the run is over
)

// Sink keeps the results of units.
//
// A unit writes under its attempt. The ledger decides which attempts count:
// that of a node with children is named in its plan; a leaf has no plan, so for
// leaves the sink itself is the arbiter: the first attempt committed wins, and
// later ones are told the account that won and settle that.
//
// Results of attempts that lost stay unread and are removed by Finish. Methods
// may be called from many goroutines. Errors are transient unless they wrap
// ErrFull.
type Sink interface {
	// Open begins the results of an attempt. It makes nothing durable.
	Open(ctx context.Context, a Attempt) (Part, error)

	// Finish is called when the run is over, with every committed unit once, in
	// any order. It makes of their results what was promised to the person (part
	// files and a manifest) and may be repeated after a crash, also when it had
	// succeeded.
	Finish(ctx context.Context, committed iter.Seq2[Committed, error]) (Summary, error)

	// Read yields the blocks of a stream that were committed, after Finish, in
	// the order of their bytes, of whichever units: sorted outside of memory,
	// since there may be more of them than it holds. A block is the reader's to
	// keep. Equal blocks come as often as they were written. Streams that the
	// sink does not keep readable yield nothing.
	Read(ctx context.Context, stream string) iter.Seq2[[]byte, error]

	// Close releases the sink; parts that were not committed are forgotten.
	Close() error
}

// Part is the results of one attempt. Its owner calls Commit or Abort, once.
type Part interface {
	// Write appends a block of whole rows to a stream; the block is not kept.
	Write(ctx context.Context, stream string, block []byte, rows int) error

	// Commit makes the part durable. For a leaf it returns the account to
	// settle: own, or that of the attempt on the same node which was first.
	Commit(ctx context.Context, leaf bool, own schema.Account) (schema.Account, error)

	// Abort forgets the part.
	Abort()
}

// Follower shows what parts have committed of a stream while the run goes on. It stands
// beside Sink: whoever looks at a run may open one without opening its results.
type Follower interface {
	// Since yields what was committed after a mark, "" being the beginning, in an order
	// that stays. Which of the units count is for the ledger to say: of two attempts on
	// a node both may be there. After an error it yields no more. ErrAnew: the mark is
	// of an earlier life of the results; begin anew, with nothing.
	Since(ctx context.Context, stream, mark string) iter.Seq2[Followed, error]
}

// Followed is a block that was committed.
type Followed struct {
	Unit  Committed
	Block []byte // the reader's to keep
	Mark  string // what follows is after it
}

// ErrAnew is that what was read before a mark is not what is there now.
var ErrAnew = errors.New("results were made anew since")

// Attempt names one execution of one unit.
type Attempt struct {
	Run string
	PID schema.PID // the unit's node
	ID  uint64     // random, one an execution
}

// Committed names a unit that counts.
type Committed struct {
	PID     schema.PID
	Attempt uint64 // of the plan; of a leaf 0: the sink knows
	Leaf    bool
}

// Summary is what Finish made.
type Summary struct {
	Location string // of the manifest, or "" if there is none
	Files    int
	Rows     int64
	Bytes    int64 // on the medium
}

// ErrFull is returned when the medium is full or read-only: retrying does not help.
var ErrFull = errors.New("results cannot be stored")

// Discard keeps nothing.
type Discard struct{}

var _ Sink = Discard{}

// Open returns a part that keeps nothing.
func (Discard) Open(context.Context, Attempt) (Part, error) { return nothing{}, nil }

// Finish reads what was committed and makes nothing of it.
func (Discard) Finish(_ context.Context, committed iter.Seq2[Committed, error]) (Summary, error) {
	for _, err := range committed {
		if err != nil {
			return Summary{}, err
		}
	}
	return Summary{}, nil
}

// Read yields nothing.
func (Discard) Read(context.Context, string) iter.Seq2[[]byte, error] {
	return func(func([]byte, error) bool) {}
}

// Close does nothing.
func (Discard) Close() error { return nil }

type nothing struct{}

func (nothing) Write(context.Context, string, []byte, int) error { return nil }
func (nothing) Commit(_ context.Context, _ bool, own schema.Account) (schema.Account, error) {
	return own, nil
}
func (nothing) Abort() {}
