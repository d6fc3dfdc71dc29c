package app

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/ramify/ramify/filter"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/graph"
	"github.com/ramify/ramify/s3client"
)

// graphScheme begins a target that is a vertex of a graph: graph:FILE?from=VERTEX.
const graphScheme = "graph:"

const wantGraph = "want graph:FILE?from=VERTEX or graph:s3://bucket/key?from=VERTEX, and behind it &directed=1, &header=1, &ways=any where they hold"

// graphTarget is a walk over a list of edges. What is wrong with the list is known
// when it has been read.
func graphTarget(s string) (target, error) {
	file, query, _ := cutLast(strings.TrimPrefix(s, graphScheme), "?")
	given, err := url.ParseQuery(query)
	if err != nil {
		return target{}, usagef("target %q: %w; %s", s, err, wantGraph)
	}
	w := graph.Walk{File: file}
	from := ""
	for name, values := range given {
		value := values[len(values)-1]
		switch name {
		case "from":
			from = value
		case "directed":
			w.Directed, err = yes(value)
		case "header":
			w.Header, err = yes(value)
		case "ways":
			w.Ways = graph.Ways(value)
		default:
			err = fmt.Errorf("%q is not known", name)
		}
		if err != nil || len(values) > 1 {
			return target{}, usagef("target %q: %s=%s is not as it should be; %s", s, name, strings.Join(values, ","), wantGraph)
		}
	}
	switch {
	case file == "":
		return target{}, usagef("target %q names no list of edges; %s", s, wantGraph)
	case from == "":
		return target{}, usagef("target %q does not say where the walk begins; %s", s, wantGraph)
	case !strings.Contains(file, "://"):
		if w.File, err = filepath.Abs(file); err != nil { // whoever resumes it may be in another folder
			return target{}, usagef("target %q: %w", s, err)
		}
	case !strings.HasPrefix(file, "s3://"):
		return target{}, usagef("target %q: %s", s, wantGraph)
	}
	if err := w.Check(); err != nil {
		return target{}, usagef("target %q: %w", s, err)
	}
	return walkTarget(s, w, from), nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func yes(value string) (bool, error) {
	switch value {
	case "1", "true":
		return true, nil
	case "0", "false":
		return false, nil
	}
	return false, fmt.Errorf("want 1 or 0")
}

// walkTarget is a walk, whose list is read before there is a run.
func walkTarget(name string, walk graph.Walk, from string) target {
	root := graph.Root(walk, from)
	t := target{name: name, root: ledger.Kid{Kind: root.Kind, ID: root.ID, Args: root.Args}}
	t.ready = func(ctx context.Context, t *target, w *work, c *walkFlags, _ *filter.Filter) error {
		if c.MaxDepth != nil {
			walk.Max = c.MaxDepth
		}
		version, err := w.graphs.Look(ctx, walk, from)
		if err != nil {
			return wrongList(err)
		}
		walk.Version = version
		t.root.Args = graph.Root(walk, from).Args
		return nil
	}
	return t
}

// unreadWalk completes a walk whose list is not looked at from here: the tasks read
// whatever it is by then.
func unreadWalk(t *target, most *int) error {
	walk, err := graph.Of(t.root.Args)
	if err == nil && most != nil {
		walk.Max = most
		err = walk.Check()
	}
	if err != nil {
		return usagef("target: %w", err)
	}
	t.root.Args = graph.Root(walk, t.root.ID).Args
	return nil
}

// checkSharedWalk refuses a list that the tasks of a fleet cannot read.
func checkSharedWalk(name string, t target) error {
	walk, err := graph.Of(t.root.Args)
	if err == nil && !strings.HasPrefix(walk.File, "s3://") {
		err = fmt.Errorf("its list of edges is a file of this machine, which the tasks of a fleet cannot read: want graph:s3://bucket/key?from=VERTEX")
	}
	if err != nil {
		return usagef("target %q: %w", name, err)
	}
	return nil
}

// wrongList is an error of a list of edges: what no retry mends is the user's.
func wrongList(err error) error {
	if processor.IsPermanent(err) {
		return usageError{err}
	}
	return err
}

// checkWalk looks whether a walk can go on: that its list is there, and what it was.
func (w *work) checkWalk(ctx context.Context, r ledger.Run) error {
	walk, err := graph.Of(r.Root.Args)
	if err == nil {
		_, err = w.graphs.Look(ctx, walk, r.Root.ID)
	}
	return wrongList(err)
}

// fetchFrom fetches objects by a client that is made when it is needed.
func fetchFrom(connect func(context.Context) (*s3client.Client, error)) func(context.Context, string, io.Writer) (bool, error) {
	return func(ctx context.Context, place string, to io.Writer) (permanent bool, err error) {
		bucket, key, found := strings.Cut(strings.TrimPrefix(place, "s3://"), "/")
		if !strings.HasPrefix(place, "s3://") || !found || key == "" {
			return true, fmt.Errorf("list of edges is %q, want s3://bucket/key", place)
		}
		client, err := connect(ctx)
		if err != nil {
			return false, err
		}
		return client.Get(ctx, bucket, key, to, nil)
	}
}
