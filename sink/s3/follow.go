package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/sink"
)

// Follow shows what units of a run have committed of the stream Prefixes, whichever task
// has. It asks for nothing before somebody reads.
//
// Each Since lists the records of all units, a request for a thousand of them, and reads
// the beginnings of those that are new. It remembers which of the last minutes it has
// shown, so a mark is good only for the follower that gave it: for another it is ErrAnew.
func Follow(c aws.Config, url, run string) (sink.Follower, error) {
	bucket, prefix, err := parse(url)
	if err != nil {
		return nil, fmt.Errorf("follow results: %w", err)
	}
	s := &Sink{client: s3client.FromConfig(c, followers), bucket: bucket, base: prefix + run + "/", parts: prefix + partsName + "/" + run + "/"}
	return &follower{sink: s, name: rand.Text()}, nil
}

const (
	followers = 32 // records that are read at a time

	// late is for how long a record may be listed after one that was put later. A store
	// that lists what is there, as S3 does, needs as long as a put takes.
	late = 5 * time.Minute

	// headSize is how much of a record is read first: mostly its blocks are in it.
	headSize = 64 << 10
)

type follower struct {
	sink *Sink
	name string

	mu    sync.Mutex
	shown int                  // blocks, since the beginning
	until time.Time            // the latest record that was listed
	seen  map[string]time.Time // keys of the last minutes
}

func (f *follower) mark() string { return f.name + "." + strconv.Itoa(f.shown) }

// Since implements sink.Follower.
func (f *follower) Since(ctx context.Context, stream, mark string) iter.Seq2[sink.Followed, error] {
	return func(yield func(sink.Followed, error) bool) {
		if stream != sink.Prefixes {
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		switch mark {
		case "":
			f.name, f.shown, f.until, f.seen = rand.Text(), 0, time.Time{}, map[string]time.Time{}
		case f.mark():
		default:
			yield(sink.Followed{}, fmt.Errorf("follow %s: %w", stream, sink.ErrAnew))
			return
		}
		if err := f.since(ctx, yield); err != nil && !errors.Is(err, errStopped) {
			yield(sink.Followed{}, fmt.Errorf("follow %s: %w", stream, err))
		}
	}
}

// recorded is a record of a unit.
type recorded struct {
	key string
	at  time.Time
}

func (f *follower) since(ctx context.Context, yield func(sink.Followed, error) bool) error {
	until := f.until
	for more, token := true, (*string)(nil); more; {
		var out *s3.ListObjectsV2Output
		prefix := f.sink.parts + "unit/"
		err := f.sink.client.Ask(f.sink.bucket, func(region func(*s3.Options)) (err error) {
			out, err = f.sink.client.API().ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &f.sink.bucket, Prefix: &prefix, ContinuationToken: token}, region)
			return err
		})
		if err != nil {
			return f.sink.problem("list", "ListBucket", prefix, err)
		}
		var fresh []recorded
		for i := range out.Contents {
			o := recorded{aws.ToString(out.Contents[i].Key), aws.ToTime(out.Contents[i].LastModified)}
			if _, seen := f.seen[o.key]; seen || o.at.Before(f.until.Add(-late)) {
				continue
			}
			fresh = append(fresh, o)
		}
		for len(fresh) > 0 {
			n := min(len(fresh), followers)
			last, err := f.show(ctx, fresh[:n], yield)
			if err != nil {
				return err
			}
			if last.After(until) {
				until = last
			}
			fresh = fresh[n:]
		}
		token, more = out.NextContinuationToken, aws.ToBool(out.IsTruncated)
	}
	f.until = until
	for key, at := range f.seen {
		if at.Before(until.Add(-late)) {
			delete(f.seen, key)
		}
	}
	return nil
}

// show yields the blocks of some records, and returns when the last of them was put.
func (f *follower) show(ctx context.Context, some []recorded, yield func(sink.Followed, error) bool) (last time.Time, err error) {
	type got struct {
		unit   sink.Committed
		blocks [][]byte
		err    error
	}
	all := make([]got, len(some))
	var reads sync.WaitGroup
	for i := range some {
		reads.Go(func() {
			g := &all[i]
			if g.unit, g.err = f.unitOf(some[i].key); g.err == nil {
				g.blocks, g.err = f.blocks(ctx, some[i].key)
			}
		})
	}
	reads.Wait()
	for i := range all {
		if all[i].err != nil {
			return last, all[i].err
		}
		if some[i].at.After(last) {
			last = some[i].at
		}
		f.seen[some[i].key] = some[i].at
		for _, b := range all[i].blocks {
			f.shown++
			if !yield(sink.Followed{Unit: all[i].unit, Block: b, Mark: f.mark()}, nil) {
				f.shown = -1 // who stops within a unit begins anew
				return last, errStopped
			}
		}
	}
	return last, nil
}

// unitOf is the unit of a record's key; see Sink.unitKey.
func (f *follower) unitOf(key string) (u sink.Committed, err error) {
	node, attempt, planned := strings.Cut(strings.TrimPrefix(key, f.sink.parts+"unit/"), "-")
	b, err := hex.DecodeString(node)
	if err == nil && len(b) != len(u.PID) {
		err = fmt.Errorf("a node of %d bytes", len(b))
	}
	if err == nil && planned {
		u.Attempt, err = strconv.ParseUint(attempt, 16, 64)
	}
	if err != nil {
		return u, fmt.Errorf("read the name of %s: %w", f.sink.url(key), err)
	}
	copy(u.PID[:], b)
	u.Leaf = !planned
	return u, nil
}

// blocks are those of a record. Its rows are not read, where they come after them.
func (f *follower) blocks(ctx context.Context, key string) ([][]byte, error) {
	body, whole, err := f.read(ctx, key, headSize)
	if err != nil {
		return nil, err
	}
	r, err := decodeBlocks(body)
	if errors.Is(err, io.ErrUnexpectedEOF) && !whole {
		if body, _, err = f.read(ctx, key, 0); err == nil {
			r, err = decodeBlocks(body)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.sink.url(key), err)
	}
	var all [][]byte
	take := func(from *reader) error {
		for {
			b, err := from.block()
			if err != nil || b == nil {
				return err
			}
			all = append(all, b)
		}
	}
	if err := take(newReader(bytes.NewReader(r.Blocks))); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.sink.url(key), err)
	}
	if r.BlockFile != nil {
		if err := f.sink.stream(ctx, f.sink.parts+r.BlockFile.Key, take); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// read reads so many bytes of an object, or all (0), and reports whether that is all.
func (f *follower) read(ctx context.Context, key string, most int64) (body []byte, whole bool, err error) {
	in := &s3.GetObjectInput{Bucket: &f.sink.bucket, Key: &key}
	if most > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=0-%d", most-1))
	}
	err = f.sink.client.Ask(f.sink.bucket, func(region func(*s3.Options)) error {
		out, err := f.sink.client.API().GetObject(ctx, in, region)
		if err != nil {
			return err
		}
		defer func() { _ = out.Body.Close() }()
		body, err = io.ReadAll(out.Body)
		_, total, _ := strings.Cut(aws.ToString(out.ContentRange), "/")
		size, unknown := strconv.ParseInt(total, 10, 64)
		whole = most == 0 || unknown != nil || int64(len(body)) >= size
		return err
	})
	if err != nil {
		return nil, false, f.sink.problem("get", "GetObject", key, err)
	}
	return body, whole, nil
}
