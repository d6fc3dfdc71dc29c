package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	ledgerdb "github.com/ramify/ramify/ledger/embedded"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/synthetic"
	queuedb "github.com/ramify/ramify/queue/embedded"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/task"
)

// BenchmarkEngine is the whole engine on one machine, every commit fsynced: a
// tree with fan-out 10 and no work in its nodes, so that what is measured is the
// engine alone.
func BenchmarkEngine(b *testing.B) {
	for _, c := range []struct {
		name   string
		inline int
		depth  int
	}{
		{"message-per-node", 0, 5}, // 111,111 nodes
		{"inline", 10_000, 6},      // 1,111,111 nodes
	} {
		b.Run(c.name, func(b *testing.B) {
			spec := synthetic.Spec{Shape: synthetic.Uniform, Fanout: 10, Depth: c.depth}
			nodes := int64(0)
			began := time.Now()
			for i := range b.N {
				nodes += walk(b, fmt.Sprintf("run-%d", i), &spec, c.inline)
			}
			b.ReportMetric(float64(nodes)/time.Since(began).Seconds(), "nodes/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// walk runs one tree to its end and returns its nodes.
func walk(b *testing.B, name string, spec *synthetic.Spec, inline int) int64 {
	b.Helper()
	ctx := b.Context()
	s, err := store.Open(filepath.Join(b.TempDir(), name+".db"), store.Options{Create: true, Owner: true})
	must(b, err)
	defer s.Close()
	l, err := ledgerdb.Open(ctx, s)
	must(b, err)
	main, err := queuedb.Open(ctx, s, "main")
	must(b, err)
	dead, err := queuedb.Open(ctx, s, "dead")
	must(b, err)
	over := make(chan struct{}, 1)
	t, err := task.New(task.Config{
		Queue: main, Dead: dead, Ledger: l, Board: l, Concurrency: 64,
		Processors: processor.Set{synthetic.Kind: &synthetic.Processor{}},
		Sink:       func(context.Context, ledger.Run) (sink.Sink, error) { return sink.Discard{}, nil },
		Over: func(string) {
			select {
			case over <- struct{}{}:
			default:
			}
		},
	})
	must(b, err)
	l.Follow(t.Figures) // as ramify run does
	must(b, seed.Run(ctx, l, &post.Poster{Queue: main}, ledger.Run{
		ID: name, Root: ledger.Kid{Kind: synthetic.Kind, ID: synthetic.RootID, Args: spec.Args()},
		Options: ledger.Options{Inline: inline},
	}))
	t.Start(ctx)
	<-over
	t.Stop(ctx)
	r, err := l.Run(ctx, name)
	must(b, err)
	if want := synthetic.Expect(spec, 0).Account; r.State != ledger.Finished || r.Totals != want {
		b.Fatalf("run %s is %s with %+v, want %+v", name, r.State, r.Totals, want)
	}
	must(b, main.Close())
	must(b, dead.Close())
	must(b, l.Close())
	return r.Totals.Nodes
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
