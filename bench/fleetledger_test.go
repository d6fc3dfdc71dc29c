package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/ramify/ramify/bench/fleet"
	"github.com/ramify/ramify/internal/emulator/counter"
	"github.com/ramify/ramify/internal/emulator/dynamodblocal"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/synthetic"
	"github.com/ramify/ramify/queue/sqs"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/task"
)

// inlineBudget is what `ramify seed` gives a run unless told otherwise.
const inlineBudget = 1000

// BenchmarkFleetLedger is the engine on SQS and DynamoDB together: what a node
// costs in requests to the queue, in writes and in capacity units. Each walk is
// checked against the truth. The emulators bound its speed.
func BenchmarkFleetLedger(b *testing.B) {
	o := parseFleet(b)
	for _, c := range []struct {
		name   string
		inline int
		tree   tree
		goals  bool
	}{
		{"message-per-node", 0, tree{10, number(b, "DEPTH", "4")}, false},
		{"inline", inlineBudget, tree{10, number(b, "DEPTH", "4") + 2}, true}, // a million nodes and more
	} {
		b.Run(c.name, func(b *testing.B) {
			var costs []cost
			ledgerWalk(b, tree{10, 2}, 0) // to warm up
			for range o.runs * b.N {
				costs = append(costs, ledgerWalk(b, c.tree, c.inline))
				fmt.Fprintf(os.Stderr, "%s: %+v\n", b.Name(), costs[len(costs)-1])
			}
			o.publish(b, costTable(c.name, c.tree, costs)+bullets(costGoals(c.goals, costs))+occasion()+"\n\n")
			of := func(f func(cost) float64) float64 { return costSpread(costs, f).mid }
			b.ReportMetric(of(cost.rate), "nodes/s")
			b.ReportMetric(of(cost.queueRequests), "SQS/node")
			b.ReportMetric(of(cost.writes), "writes/node")
			b.ReportMetric(of(cost.writeUnits), "WRU/node")
			b.ReportMetric(of(cost.readUnits), "RRU/node")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// cost is what one walk took.
type cost struct {
	nodes         int64
	took          time.Duration
	queue, ledger map[string]int     // requests by operation
	units         map[string]float64 // capacity units by operation
	stored        int64              // bytes in the table
}

func (c cost) rate() float64 { return float64(c.nodes) / c.took.Seconds() }

func (c cost) queueRequests() float64 {
	n := 0
	for _, k := range c.queue {
		n += k
	}
	return float64(n) / float64(c.nodes)
}

// isWrite tells the operations apart that change items.
func isWrite(operation string) bool { return operation == "PutItem" || operation == "UpdateItem" }

func (c cost) writes() float64 {
	n := 0
	for operation, k := range c.ledger {
		if isWrite(operation) {
			n += k
		}
	}
	return float64(n) / float64(c.nodes)
}

func (c cost) writeUnits() float64 { return c.capacity(true) }
func (c cost) readUnits() float64  { return c.capacity(false) }

func (c cost) capacity(write bool) float64 {
	n := 0.0
	for operation, units := range c.units {
		if isWrite(operation) == write {
			n += units
		}
	}
	return n / float64(c.nodes)
}

func (c cost) bytes() float64 { return float64(c.stored) / float64(c.nodes) }

func costSpread(costs []cost, of func(cost) float64) spread {
	all := make([]float64, len(costs))
	for i, c := range costs {
		all[i] = of(c)
	}
	return spreadOf(all)
}

// meter adds up capacity units by operation.
type meter struct {
	mu    sync.Mutex
	units map[string]float64
}

func (m *meter) count(operation string, units float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.units[operation] += units
}

// ledgerWalk walks a tree with a task as `ramify task` sets it up.
func ledgerWalk(b *testing.B, t tree, inline int) cost {
	b.Helper()
	ctx := b.Context()
	name := "fleet-" + rand.Text()
	queueURL, ledgerURL := elasticmq.URL(b), dynamodblocal.URL(b)
	queues, ledgers := counter.New(b, queueURL), counter.New(b, ledgerURL)
	must(b, fleet.Create(ctx, queueURL, name))
	must(b, dynamodb.Create(ctx, fleet.Config(ledgerURL), dynamodb.Table{Name: name}))

	main, err := sqs.Open(ctx, fleet.Config(queues.URL), name)
	must(b, err)
	dead, err := sqs.OpenDeadLetters(ctx, fleet.Config(queues.URL), name)
	must(b, err)
	m := &meter{units: map[string]float64{}}
	l := dynamodb.New(fleet.Config(ledgers.URL), name, dynamodb.Options{Consumed: m.count})
	over := make(chan struct{}, 1)
	work, err := task.New(task.Config{
		Queue: main, Dead: dead, Ledger: l, Board: l, Shared: true, Concurrency: 64, Visibility: time.Minute,
		Checkpoint: 10 * time.Second, ShareAfter: 200 * time.Millisecond, Control: 5 * time.Second, Report: 5 * time.Second,
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
	spec := synthetic.Spec{Shape: synthetic.Uniform, Fanout: t.fanout, Depth: t.depth}
	began := time.Now()
	must(b, seed.Run(ctx, l, &post.Poster{Queue: main}, ledger.Run{
		ID: "run", Root: ledger.Kid{Kind: synthetic.Kind, ID: synthetic.RootID, Args: spec.Args()},
		Options: ledger.Options{Inline: inline},
	}))
	work.Start(ctx)
	select {
	case <-over:
	case <-time.After(patience):
		b.Fatalf("the run is not over after %s", patience)
	}
	took := time.Since(began)
	work.Stop(ctx)
	r, err := l.Run(ctx, "run")
	must(b, err)
	if want := synthetic.Expect(&spec, 0).Account; r.State != ledger.Finished || r.Totals != want {
		b.Fatalf("the run is %s with %+v, want %+v", r.State, r.Totals, want)
	}
	must(b, main.Close())
	must(b, dead.Close())
	must(b, l.Close())
	table, err := sdk.NewFromConfig(fleet.Config(ledgerURL)).DescribeTable(ctx, &sdk.DescribeTableInput{TableName: &name})
	must(b, err)
	return cost{
		stored: aws.ToInt64(table.Table.TableSizeBytes),
		nodes:  r.Totals.Nodes, took: took, queue: queues.Requests(), ledger: ledgers.Requests(), units: maps.Clone(m.units),
	}
}

// costTable is the walks of one kind as Markdown.
func costTable(name string, t tree, costs []cost) string {
	var text strings.Builder
	fmt.Fprintf(&text, "### Queue and ledger, %s: fan-out %d, %d nodes\n\n", name, t.fanout, t.nodes())
	text.WriteString("| a node | median (range) |\n|---|---|\n")
	for _, row := range []struct {
		what string
		of   func(cost) float64
	}{
		{"requests to SQS", cost.queueRequests},
		{"writes to DynamoDB", cost.writes},
		{"write units", cost.writeUnits},
		{"read units", cost.readUnits},
		{"bytes stored", cost.bytes},
	} {
		fmt.Fprintf(&text, "| %s | %s |\n", row.what, costSpread(costs, row.of).text(4))
	}
	fmt.Fprintf(&text, "\n%s nodes/s, one task, %d runs.\n\n", costSpread(costs, cost.rate).text(0), len(costs))
	return text.String()
}

// costGoals are those with the inline budget; one message a node has none.
func costGoals(inline bool, costs []cost) []string {
	if !inline {
		return nil
	}
	requests, writes := costSpread(costs, cost.queueRequests).high, costSpread(costs, cost.writes).high
	return []string{
		verdict(requests <= 0.02, "%.4f requests to SQS a node at most; goal 0.02", requests),
		verdict(writes <= 0.02, "%.4f writes to the ledger a node at most; goal 0.02", writes),
	}
}
