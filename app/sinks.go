package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/s3"
	"github.com/ramify/ramify/sink/sqs"
)

// openSink opens where the results of a run of a fleet go.
func (f *fleet) openSink(ctx context.Context, r ledger.Run) (sink.Sink, error) {
	return openShared(ctx, f.cfg, r, nil)
}

// openShared opens results that any machine can write. What goes to a queue leaves
// the rest to inner, if there is one.
func openShared(ctx context.Context, cfg aws.Config, r ledger.Run, inner sink.Sink) (sink.Sink, error) {
	switch kindOfOut(r.Options.Out) {
	case outNone:
		return sink.Discard{}, nil
	case outBucket:
		return openBucket(ctx, cfg, r)
	case outQueue:
		f, err := inventory.ParseFormat(r.Options.Format)
		if err != nil {
			return nil, fmt.Errorf("read options of run %s: %w", r.ID, err)
		}
		return sqs.Open(ctx, cfg, r.Options.Out, sqs.Options{Format: f, Inner: inner})
	}
	return nil, fmt.Errorf("results of run %s cannot go to %s: its tasks are on other machines", r.ID, r.Options.Out)
}

func openBucket(ctx context.Context, cfg aws.Config, r ledger.Run) (*s3.Sink, error) {
	l, err := layoutOf(r)
	if err != nil {
		return nil, err
	}
	return s3.Open(ctx, s3.Options{
		Config: cfg, URL: r.Options.Out, Run: r.ID, Layout: l,
		Bucket: r.Options.Params[paramBucket], Created: r.Created,
	})
}

// layoutOf is that of the rows of a run.
func layoutOf(r ledger.Run) (inventory.Layout, error) {
	l, err := inventory.ParseLayout(r.Options.Format, r.Options.Params[listing.ParamColumns])
	if err != nil {
		return l, fmt.Errorf("read options of run %s: %w", r.ID, err)
	}
	return l, nil
}

// taken says the way out where results of another run lie.
func taken(err error) error {
	if errors.Is(err, s3.ErrTaken) {
		return usagef("%w; choose another name with --run, or another --out", err)
	}
	return err
}
