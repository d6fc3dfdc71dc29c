package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/diff"
	diffs3 "github.com/ramify/ramify/diff/s3"
	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor/nodelist"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/totals"
)

type diffCmd struct {
	A           string   `arg:"" name:"a" help:"s3://bucket/prefix, or the name of a run made with --checksums."`
	B           string   `arg:"" name:"b" help:"What it is compared with, as A."`
	Compare     string   `help:"What of objects of one name is compared: size, etag, checksum or content." default:"etag"`
	Keys        bool     `negatable:"" default:"true" help:"List the keys that differ, not the prefixes alone."`
	Name        string   `name:"run" help:"Keep the crawls of targets as runs NAME-a and NAME-b." placeholder:"NAME"`
	Filter      []string `help:"Of targets, only objects that match (repeatable), as of run." sep:"none" placeholder:"EXPR"`
	Concurrency int      `help:"Things done at a time." default:"64"`
	MaxRPS      int      `name:"max-rps" help:"LIST requests a second at most; 0: no cap." placeholder:"N"`
	JSON        bool     `name:"json" help:"Print one JSON object a line."`
	fleetFlags
}

// What --compare can be besides what package diff compares by itself.
const (
	byChecksum = "checksum"
	byContent  = "content"
)

// Run implements the command.
func (c *diffCmd) Run(ctx context.Context, g *cli, std streams) error {
	if err := c.check(); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "ramify-diff-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary) //nolint:errcheck // it is the system's to clean up
	a, err := c.side(ctx, g, std, c.A, "a", temporary)
	if err != nil {
		return err
	}
	defer a.st.close()
	b, err := c.side(ctx, g, std, c.B, "b", temporary)
	if err != nil {
		return err
	}
	defer b.st.close()
	return c.compare(ctx, std, a, b)
}

func (c *diffCmd) check() error {
	switch c.Compare {
	case string(diff.Size), string(diff.ETag):
	case byChecksum, byContent:
		if !c.Keys {
			return usagef("--compare is %s, which is compared key by key, and --no-keys is set; want one of them", c.Compare)
		}
	default:
		return usagef("--compare is %q, want size, etag, checksum or content", c.Compare)
	}
	if !isTarget(c.A) && !isTarget(c.B) {
		switch {
		case len(c.Filter) > 0:
			return usagef("--filter is %q, but both are runs that were made: what they are about is known", c.Filter[0])
		case c.Name != "":
			return usagef("--run is %q, but both are runs that were made: there is none to keep", c.Name)
		}
	}
	return checkConcurrency(c.Concurrency)
}

// isTarget tells a target from the name of a run, which has no such characters.
func isTarget(name string) bool { return strings.ContainsAny(name, ":{/") }

// side is one of the two trees, with the run that knows it.
type side struct {
	st     *state
	run    ledger.Run
	tree   diff.Tree
	client *s3client.Client
}

// side opens a run, which is made first where a target is named.
func (c *diffCmd) side(ctx context.Context, g *cli, std streams, name, letter, temporary string) (*side, error) {
	w, asked := newWork(g, std, false), name
	if isTarget(name) {
		made, at := "diff-"+letter, *g
		at.State = temporary
		if c.Name != "" {
			made, at.State = c.Name+"-"+letter, g.State
		}
		w = newWork(&at, std, false)
		if err := c.crawl(ctx, w, name, made); err != nil {
			return nil, err
		}
		name = made
	}
	s := &side{}
	var err error
	if c.given() && !isTarget(asked) {
		s.st, s.run, err = c.fetch(ctx, g, name, letter, temporary)
	} else {
		s.st, s.run, err = glance(ctx, w.g, name)
	}
	if err != nil {
		return nil, err
	}
	if err := c.open(ctx, w, s); err != nil {
		s.st.close()
		return nil, err
	}
	return s, nil
}

// fetch makes the totals of a run of the fleet, out of its results, in a file that
// lasts as long as the command.
func (c *diffCmd) fetch(ctx context.Context, g *cli, name, letter, temporary string) (_ *state, _ ledger.Run, err error) {
	f, err := c.openRecords(ctx)
	if err != nil {
		return nil, ledger.Run{}, err
	}
	defer f.close()
	r, err := f.run(ctx, name)
	if err != nil {
		return nil, r, err
	}
	wish, err := listing.Read(r.Options.Params)
	if err != nil {
		return nil, r, err
	}
	if kindOfOut(r.Options.Out) != outBucket {
		return nil, r, usagef("run %s has no results in a bucket, where its totals would be; want one seeded with --out s3://bucket/prefix", name)
	}
	if _, made, err := f.loadSummary(ctx, r); err != nil || !made {
		if err == nil {
			err = usagef("run %s is %s, and its results are not made yet, see `ramify watch %s %s`", name, r.State, name, f.way)
		}
		return nil, r, err
	}
	out, err := openBucket(ctx, f.cfg, r)
	if err != nil {
		return nil, r, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	at := *g
	at.State = temporary
	st, err := openState(ctx, &at, "fleet-"+letter, store.Options{Create: true, Owner: true})
	if err != nil {
		return nil, r, err
	}
	if _, err := st.makeBook(ctx, r.Epoch, wish.Depth, out.Read(ctx, sink.Prefixes)); err != nil {
		st.close()
		return nil, r, err
	}
	return st, r, nil
}

// crawl makes the run of a target.
func (c *diffCmd) crawl(ctx context.Context, w *work, name, run string) error {
	tgt, err := parseTarget(name, string(s3crawl.Range))
	if err != nil {
		return err
	}
	if !inOnePlace(tgt.root.Kind) {
		return usagef("target %q cannot be compared; want s3://bucket/prefix", name)
	}
	var flags runFlags // as of a run, where nobody says otherwise
	if err := kong.ApplyDefaults(&flags, vars()); err != nil {
		return fmt.Errorf("crawl %s: %w", name, err)
	}
	flags.Run, flags.Filter, flags.MaxRPS, flags.Checksums, flags.Concurrency = run, c.Filter, c.MaxRPS, true, c.Concurrency
	err = flags.begin(ctx, w, tgt)
	if code := exitError(0); errors.As(err, &code) && code == exitFailures {
		return fmt.Errorf("crawl %s: part of it could not be listed, so there is nothing to compare", name)
	}
	return err
}

// inOnePlace reports whether trees of a root kind lie whole below one prefix.
func inOnePlace(kind string) bool { return findsObjects(kind) && kind != nodelist.PrefixKind }

// open opens the totals of a run that is over.
func (c *diffCmd) open(ctx context.Context, w *work, s *side) (err error) {
	r := s.run
	if !inOnePlace(r.Root.Kind) {
		return usagef("run %s cannot be compared: its nodes are of kind %s; want one of s3://bucket/prefix", r.ID, r.Root.Kind)
	}
	wish, err := listing.Read(r.Options.Params)
	if err != nil {
		return err
	}
	if !wish.Checksums {
		return usagef("run %s has no digests to compare by: it was made without --checksums", r.ID)
	}
	if r.State == ledger.Failed {
		return usagef("run %s finished with failures: part of its tree is not known; `%s` tries that again", r.ID, w.g.command("redrive", r.ID))
	}
	if s.tree.Book, err = finishedBook(ctx, w.g, s.st, r); err != nil {
		return err
	}
	var args struct{ Prefix string }
	if err := json.Unmarshal(r.Root.Args, &args); err != nil {
		return err
	}
	s.tree.Depth, s.tree.Base = wish.Depth, args.Prefix
	if s.tree.Book != nil {
		s.tree.Base = s.tree.Book.Base().Prefix
	}
	if !c.Keys {
		return nil
	}
	if w.s3 == nil {
		if w.s3, err = s3client.Connect(ctx, c.Concurrency); err != nil {
			return err
		}
	}
	if _, demo := r.Options.Params[demoParam]; demo {
		return usagef("run %s is of a demonstration, whose server is gone: want --no-keys, or another run", r.ID)
	}
	if err := w.checkEndpoint(r); err != nil {
		return err
	}
	s.client = w.s3
	lister := s3crawl.On(w.s3)
	lister.Limit(c.MaxRPS)
	s.tree.Keys = &diffs3.Keys{Lister: lister, Bucket: r.Options.Params[paramBucket], Wish: wish, Folder: strings.LastIndexByte(s.tree.Base, '/') + 1}
	return nil
}

// compare prints in what the trees differ.
func (c *diffCmd) compare(ctx context.Context, std streams, a, b *side) error {
	end := console.Comparison{Type: "result", Compare: diff.By(c.Compare), A: a.compared(), B: b.compared()}
	o := diff.Options{By: diff.ETag, Same: diffs3.Parts}
	content := &diffs3.Content{A: a.client, B: b.client}
	decided := false // by more than the digests
	switch c.Compare {
	case string(diff.Size):
		o.By = diff.Size
	case byChecksum:
		o.Same, decided = content.Checksums, true
	case byContent:
		o.Same, decided = content.Bodies, true
	}
	equal, err := diff.Equal(&a.tree, &b.tree, o.By)
	if err != nil {
		return err
	}
	write := console.WriteDifference
	if c.JSON {
		write = console.WriteDifferenceJSON
	}
	for d, err := range diff.Compare(ctx, &a.tree, &b.tree, o) {
		switch {
		case err != nil:
			return err
		case decided && !d.IsKey && d.In == diff.InBoth:
			continue // ETags differ in it: its objects need not
		case d.IsKey:
			end.Keys++
			if d.Why == diffs3.ByParts {
				end.Parts++
			}
		default:
			end.Prefixes++
		}
		if err := write(std.out, d); err != nil {
			return unread(err)
		}
	}
	end.Gone = c.Keys && !equal && !decided && end.Keys == 0
	end.Equal = equal || decided && end.Keys+end.Prefixes == 0
	return c.end(std.out, end)
}

func (c *diffCmd) end(w io.Writer, end console.Comparison) error {
	write := end.WriteText
	if c.JSON {
		write = end.WriteJSON
	}
	if err := write(w); err != nil {
		return unread(err)
	}
	if !end.Equal {
		return exitError(exitFailures)
	}
	return nil
}

// unread makes of an error of writing what is said where nobody reads on, as `| head`.
func unread(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return exitError(exitFailures) // there was a difference to write
	}
	return err
}

func (s *side) compared() console.Compared {
	c := console.Compared{Run: s.run.ID, Target: s.run.Target}
	if s.tree.Book != nil {
		base := s.tree.Book.Base()
		c.Objects, c.Bytes, c.Digests = base.Objects, base.Bytes, console.DigestsOf(base)
	}
	return c
}

// finishedBook is the totals of a run that is over; nil if it found no keys.
func finishedBook(ctx context.Context, g *cli, st *state, r ledger.Run) (*totals.Book, error) {
	switch {
	case !r.State.Over():
		return nil, usagef("run %s is %s: totals per prefix are made when it is over, see `%s`", r.ID, r.State, g.command("watch", r.ID))
	case r.State == ledger.Cancelled:
		return nil, usagef("run %s was cancelled: it has no totals per prefix", r.ID)
	}
	kept, found, err := st.loadBook(ctx)
	if err != nil {
		return nil, err
	}
	if !found || kept.epoch != int64(r.Epoch) {
		return nil, usagef("run %s has no totals per prefix yet: `%s` makes them", r.ID, g.command("resume", r.ID))
	}
	return st.openBook(ctx)
}
