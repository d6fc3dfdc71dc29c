package app

import (
	"context"
	"fmt"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/totals"
)

// biggest is how many prefixes the report shows.
const biggest = 10

// report makes the results of a run that has finished, and prints how it ended.
func (w *work) report(ctx context.Context, st *state, r ledger.Run, state console.State, out sink.Sink) error {
	source := console.Read(st.ledger, st.ledger, st.run, nil)
	snap, err := source(ctx)
	if err != nil {
		return err
	}
	sum := snap.Summary()
	sum.State, sum.Options = state, w.g.options()
	if r.State == ledger.Finished || r.State == ledger.Failed {
		made, err := w.finish(ctx, st, r, out)
		if err != nil {
			return fmt.Errorf("make results of run %s: %w; `%s` tries again", st.run, err, w.g.command("resume", st.run))
		}
		sum.Out = made.Location
		if r.Options.Out == "-" {
			sum.Out = "-"
		}
		if err := prefixes(ctx, st, r, out, &sum); err != nil {
			return err
		}
		if err := st.saveSummary(ctx, r.Epoch, sum); err != nil {
			return err
		}
		if err := w.byPrefix(ctx, st, r); err != nil {
			return fmt.Errorf("print totals per prefix: %w", err)
		}
	}
	if err := w.tell(sum); err != nil {
		return err
	}
	switch state {
	case console.Finished:
		return nil
	case console.Interrupted, console.Paused:
		return exitError(exitInterrupted)
	default:
		return exitError(exitFailures)
	}
}

// tell prints what a run came to: where results may go to standard output the text
// goes beside them.
func (w *work) tell(sum console.Summary) error {
	write, out := sum.WriteText, w.std.err
	if w.json {
		write, out = sum.WriteJSON, w.std.out
	}
	if err := write(out); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	return nil
}

// finish makes the results, unless they are withheld.
func (w *work) finish(ctx context.Context, st *state, r ledger.Run, out sink.Sink) (sink.Summary, error) {
	held, err := withheld(ctx, st.ledger, r)
	if err != nil {
		return sink.Summary{}, err
	}
	if held {
		w.log.Warn("some vertices have failed, so shorter ways may be missing: results are made when a redrive has mended them", "redrive", w.g.command("redrive", st.run))
		return sink.Summary{}, nil
	}
	return out.Finish(ctx, committed(ctx, st.ledger, r))
}

// prefixes makes the totals per prefix of a crawl and adds them to the summary:
// their number, and the biggest of them.
func prefixes(ctx context.Context, st *state, r ledger.Run, out sink.Sink, sum *console.Summary) error {
	if !findsObjects(r.Root.Kind) {
		return nil
	}
	depth, err := totals.ParseDepth(depthOf(r))
	if err != nil {
		return fmt.Errorf("read options of run %s: %w", r.ID, err)
	}
	n, err := st.makeBook(ctx, r.Epoch, depth, out.Read(ctx, sink.Prefixes))
	if err != nil {
		return err
	}
	sum.Totals.Prefixes = &n
	b, err := st.openBook(ctx)
	if err != nil || b == nil {
		return err
	}
	sum.Totals.Digests = console.DigestsOf(b.Base())
	if b.Deepest() == 0 {
		return nil
	}
	top, err := telling(ctx, b)
	if err != nil {
		return err
	}
	for _, l := range top.Lines() {
		sum.Biggest = append(sum.Biggest, console.Prefix{Prefix: l.Prefix, Objects: l.Objects, Bytes: l.Bytes})
	}
	return nil
}

// telling is the biggest prefixes of the first level that tells something: where
// no single one has nearly everything.
func telling(ctx context.Context, b *totals.Book) (*totals.Top, error) {
	for level := 1; ; level++ {
		top := totals.NewTop(biggest, totals.Bytes)
		var bytes int64
		for l, err := range b.Level(ctx, "", level) {
			if err != nil {
				return nil, err
			}
			top.Add(l)
			bytes += l.Bytes
		}
		lines := top.Lines()
		if level == min(b.Deepest(), listing.DefaultDepth) || tells(lines, bytes) {
			return top, nil
		}
	}
}

// tells reports whether the biggest lines of a level, whose bytes are known, tell
// something: no single one has nearly everything.
func tells(lines []totals.Line, bytes int64) bool {
	return len(lines) > 1 && lines[0].Bytes < bytes-bytes/10
}
