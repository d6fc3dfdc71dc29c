package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"path"
	"strings"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/totals"
)

// finish makes the results of a run of the fleet that is over, once, and keeps
// its summary beside them. What a crash has left half done is done again.
func (f *fleet) finish(ctx context.Context, r ledger.Run) error {
	if kindOfOut(r.Options.Out) != outBucket {
		return nil // there is nothing to be made of them
	}
	if _, found, err := f.loadSummary(ctx, r); err != nil || found {
		return err
	}
	out, err := openBucket(ctx, f.cfg, r)
	if err != nil {
		return err
	}
	defer out.Close() //nolint:errcheck // all is written
	held, err := withheld(ctx, f.records, r)
	var made sink.Summary
	if err == nil && !held {
		made, err = out.Finish(ctx, committed(ctx, f.records, r))
	}
	if err != nil {
		return fmt.Errorf("make results of run %s: %w", r.ID, err)
	}
	snap, err := console.Read(f.records, f.records, r.ID, nil)(ctx)
	if err != nil {
		return err
	}
	end := ending{Summary: snap.Summary()}
	end.State, end.Out = console.State(r.State), made.Location
	if findsObjects(r.Root.Kind) {
		n, base, top, err := sumPrefixes(out.Read(ctx, sink.Prefixes))
		if err != nil {
			return err
		}
		end.Totals.Prefixes, end.Totals.Digests = &n, console.DigestsOf(base)
		for _, l := range top {
			end.Biggest = append(end.Biggest, bigPrefix{l.Prefix, l.Objects, l.Bytes})
		}
	}
	body, err := json.Marshal(end)
	if err != nil {
		return fmt.Errorf("keep summary: %w", err)
	}
	_, key := summaryPlace(r)
	return out.Keep(ctx, path.Base(key), body)
}

// sumPrefixes counts the distinct prefixes of all depths, and finds the line of all
// and the biggest of the first depth that tells something.
func sumPrefixes(blocks iter.Seq2[[]byte, error]) (n int64, base totals.Line, biggestOnes []totals.Line, err error) {
	type level struct {
		top   *totals.Top
		bytes int64
	}
	levels := map[int]*level{}
	m := totals.Merge(blocks)
	for l, err := range m.Lines() {
		switch {
		case err != nil:
			return 0, base, nil, err
		case l.Depth == 0:
			base = l
			continue
		case l.Depth > listing.DefaultDepth:
			continue
		}
		at := levels[l.Depth]
		if at == nil {
			at = &level{top: totals.NewTop(biggest, totals.Bytes)}
			levels[l.Depth] = at
		}
		at.top.Add(l)
		at.bytes += l.Bytes
	}
	for depth := 1; levels[depth] != nil; depth++ {
		lines := levels[depth].top.Lines()
		if levels[depth+1] == nil || tells(lines, levels[depth].bytes) {
			return m.Prefixes(), base, lines, nil
		}
	}
	return m.Prefixes(), base, nil, nil
}

// ending is what is kept of the end of a run: the object with which `run --json`
// ends, and what people see besides.
type ending struct {
	console.Summary
	Biggest []bigPrefix `json:"biggest,omitempty"`
}

type bigPrefix struct {
	Prefix  string `json:"prefix"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// summaryPlace is where the summary of a run lies, beside its results.
func summaryPlace(r ledger.Run) (bucket, key string) {
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(r.Options.Out, "s3://"), "/")
	if prefix = strings.TrimRight(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return bucket, fmt.Sprintf("%s%s/summary-%d.json", prefix, r.ID, r.Epoch)
}

// loadSummary is the summary of the end of a run in its epoch, once it was made.
func (f *fleet) loadSummary(ctx context.Context, r ledger.Run) (sum console.Summary, found bool, err error) {
	if kindOfOut(r.Options.Out) != outBucket {
		return sum, false, nil
	}
	bucket, key := summaryPlace(r)
	var body bytes.Buffer
	if _, err := f.bucketClient().Get(ctx, bucket, key, &body, nil); err != nil {
		if s3client.Missing(err) {
			err = nil
		}
		return sum, false, err
	}
	var end ending
	if err := json.Unmarshal(body.Bytes(), &end); err != nil {
		return sum, false, fmt.Errorf("read s3://%s/%s: %w", bucket, key, err)
	}
	for _, p := range end.Biggest {
		end.Summary.Biggest = append(end.Summary.Biggest, console.Prefix(p))
	}
	end.Kind = r.Root.Kind
	return end.Summary, true, nil
}

// ended waits until the results of a run that is over are made, and returns its
// summary.
func (f *fleet) ended(ctx context.Context, run string) (console.Summary, error) {
	r, err := f.records.Run(ctx, run)
	if err != nil {
		return console.Summary{}, err
	}
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for kindOfOut(r.Options.Out) == outBucket && (r.State == ledger.Finished || r.State == ledger.Failed) {
		made, found, err := f.loadSummary(ctx, r)
		if err != nil {
			return made, err
		}
		if found {
			snap, err := console.Read(f.records, f.records, run, nil)(ctx)
			return followed(made, snap.Summary()), err
		}
		select {
		case <-ctx.Done():
			return console.Summary{}, ctx.Err()
		case <-again.C:
		}
	}
	snap, err := console.Read(f.records, f.records, run, nil)(ctx)
	return snap.Summary(), err
}
