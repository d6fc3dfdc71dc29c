// Package s3 is a sink in a bucket, exact, for any number of tasks: what the
// manifest lists after Finish are the rows of committed units, each once, as an
// inventory of a few large files.
//
// While the run lasts, a unit is one small object, its record: account, rows and
// the blocks of other streams, and where they are many, the names of the objects
// that hold them. So a commit is one request, and of a leaf the store itself is
// the arbiter: the record is put if it is absent. Finish reads the records of
// committed units, no others, and makes the inventory of them.
package s3

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// Options say where the results of a run go and in what form.
type Options struct {
	Config  aws.Config       // credentials, region and endpoint
	URL     string           // s3://bucket or s3://bucket/prefix
	Run     string           // its results go under URL/RUN/
	Layout  inventory.Layout // of the rows; the zero Layout keeps no rows, only the other streams
	Bucket  string           // sourceBucket of the manifest
	Created time.Time        // of the manifest: when the run began

	// PartSize is the size in bytes from which a data file is not added to any
	// more; 0 is 512 MiB.
	PartSize int64
}

const (
	partSize    = 512 << 20
	connections = 128 // kept to the store: units of one task that commit at the same time
)

// The objects of a run. What is under .parts is read by Finish and Read alone; it
// has a prefix of its own, so that one lifecycle rule expires it for all runs.
//
//	URL/RUN/data/GENERATION/part-00001…   the rows; a Finish of other units is another generation
//	URL/RUN/manifest.checksum
//	URL/RUN/manifest.json                 written last: an inventory without it is not finished
//	URL/.parts/RUN/unit/NODE              record of the leaf that was first
//	URL/.parts/RUN/unit/NODE-ATTEMPT      record of an attempt on a node with children
//	URL/.parts/RUN/rows/NODE-ATTEMPT-N…   rows of an attempt, where they are many
//	URL/.parts/RUN/prefixes/…             the same of the other stream; and of the run, sorted
//	URL/.parts/RUN/run.json               whose they are
//	URL/.parts/probe                      whether the store puts if absent
const (
	partsName = ".parts"
	dataName  = "data"
)

// Sink keeps the results of one run in a bucket. It implements sink.Sink.
type Sink struct {
	client  *s3client.Client
	options Options
	bucket  string
	base    string // of the keys of results, "prefix/RUN/"
	parts   string // of those that are read by Finish and Read alone

	owning sync.Mutex
	owned  bool // the store has it that the records are this run's

	closed    atomic.Bool
	finishing sync.Mutex
	step      func(string) error // tests stop Finish between its steps
}

var _ sink.Sink = (*Sink)(nil)

var errClosed = errors.New("results are closed")

// Open opens the results of a run, new or to be gone on with. It makes a request
// or two, the first time in a process, to see that the store puts an object only
// if it is absent: ErrUnconditional says that it does not. ErrTaken says that those
// of another run lie there.
func Open(ctx context.Context, o Options) (*Sink, error) {
	return open(ctx, s3client.FromConfig(o.Config, connections), o)
}

func open(ctx context.Context, c *s3client.Client, o Options) (*Sink, error) {
	bucket, prefix, err := parse(o.URL)
	if err == nil && (o.Run == "" || strings.Contains(o.Run, "/")) {
		err = fmt.Errorf("run is %q, want a name without /", o.Run)
	}
	if err != nil {
		return nil, fmt.Errorf("open results: %w", err)
	}
	if o.PartSize == 0 {
		o.PartSize = partSize
	}
	s := &Sink{
		client: c, options: o, bucket: bucket,
		base:  prefix + o.Run + "/",
		parts: prefix + partsName + "/" + o.Run + "/",
		step:  func(string) error { return nil },
	}
	if err := s.probe(ctx, prefix+partsName+"/probe"); err != nil {
		return nil, fmt.Errorf("open results: %w", err)
	}
	if err := s.checkOwner(ctx); err != nil {
		return nil, fmt.Errorf("open results: %w", err)
	}
	return s, nil
}

// parse takes a URL apart; a prefix that is not empty ends in /.
func parse(url string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(url, "s3://")
	bucket, prefix, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" {
		return "", "", fmt.Errorf("URL is %q, want s3://bucket or s3://bucket/prefix", url)
	}
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return bucket, prefix, nil
}

// Open begins an attempt. The first of all says whose results these are.
func (s *Sink) Open(ctx context.Context, a sink.Attempt) (sink.Part, error) {
	if err := s.own(ctx); err != nil {
		return nil, fmt.Errorf("begin attempt: %w", err)
	}
	p := &part{sink: s, attempt: a}
	p.rows = inventory.NewPacker(s.options.Layout, p.add)
	return p, nil
}

// Close has parts commit no more. It removes nothing: what was not committed is
// left to the bucket's lifecycle rules.
func (s *Sink) Close() error {
	s.closed.Store(true)
	return nil
}

// Keep writes an object beside the results, URL/RUN/NAME, over any that is there:
// what a report says of a run that is over, for instance.
func (s *Sink) Keep(ctx context.Context, name string, body []byte) error {
	if _, err := s.put(ctx, s.base+name, body); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return nil
}

// Kept reads what Keep wrote. If there is nothing the error wraps fs.ErrNotExist.
func (s *Sink) Kept(ctx context.Context, name string) ([]byte, error) {
	body, err := s.get(ctx, s.base+name)
	if err != nil {
		return nil, fmt.Errorf("read kept %s: %w", name, err)
	}
	return body, nil
}

// url names an object for people.
func (s *Sink) url(key string) string { return "s3://" + s.bucket + "/" + key }

// unitKey is the key of the record of a node, where the first leaf wins, or of an
// attempt on a node.
func (s *Sink) unitKey(pid schema.PID, attempt uint64, leaf bool) string {
	if leaf {
		return s.parts + "unit/" + hex.EncodeToString(pid[:])
	}
	return s.parts + "unit/" + attemptName(pid, attempt)
}

func attemptName(pid schema.PID, attempt uint64) string {
	return fmt.Sprintf("%x-%016x", pid[:], attempt)
}

// Read yields the committed blocks of the stream Prefixes; rows have become files.
func (s *Sink) Read(ctx context.Context, stream string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if stream != sink.Prefixes {
			return
		}
		last, err := s.last(ctx)
		if err == nil && last.Blocks == "" {
			return
		}
		more := true
		if err == nil {
			err = s.stream(ctx, s.parts+last.Blocks, func(r *reader) error {
				for more {
					block, err := r.block()
					if err != nil || block == nil {
						return err
					}
					more = yield(block, nil)
				}
				return errStopped
			})
		}
		if err != nil && more {
			yield(nil, fmt.Errorf("read %s: %w", stream, err))
		}
	}
}
