// Command walker is Ramify as a peer among peers: the engine on an SQS queue, with
// no ledger, in a process of its own. ../peers/README.md says what it is told and
// what it answers.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/synthetic"
	"github.com/ramify/ramify/queue/sqs"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/task"
)

type order struct {
	Walk  int `json:"walk"`
	Depth int `json:"depth"`
}

type answer struct {
	Ready   bool    `json:"ready,omitempty"`
	Nodes   int     `json:"nodes,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	main, err := sqs.Open(ctx, cfg, os.Getenv("FLEET_QUEUE"))
	if err != nil {
		return err
	}
	dead, err := sqs.OpenDeadLetters(ctx, cfg, os.Getenv("FLEET_QUEUE"))
	if err != nil {
		return err
	}
	slots, fanout := number("FLEET_SLOTS", 256), number("FLEET_FANOUT", 10)
	c := &census{fanout: fanout}
	l := &bare{runs: map[string]ledger.Run{}}
	t, err := task.New(task.Config{
		Queue: main, Dead: dead, Ledger: l, Concurrency: slots,
		Processors: processor.Set{synthetic.Kind: c},
		Sink:       func(context.Context, ledger.Run) (sink.Sink, error) { return sink.Discard{}, nil },
		Trouble:    func(err error) { log.Print(err) },
	})
	if err != nil {
		return err
	}
	t.Start(ctx)
	say(answer{Ready: true})
	if name := os.Getenv("FLEET_PROFILE"); name != "" {
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var o order
		if err := json.Unmarshal(in.Bytes(), &o); err != nil {
			return err
		}
		spec := synthetic.Spec{Seed: uint64(o.Walk), Shape: synthetic.Uniform, Fanout: fanout, Depth: o.Depth}
		c.begin(&spec)
		if err := seed.Run(ctx, l, &post.Poster{Queue: main}, ledger.Run{
			ID:   fmt.Sprintf("walk-%d", o.Walk),
			Root: ledger.Kid{Kind: synthetic.Kind, ID: synthetic.RootID, Args: spec.Args()},
		}); err != nil {
			return err
		}
	}
	t.Stop(ctx)
	return nil
}

// census has synthetic nodes processed and counts each once, as the peers do.
type census struct {
	nodes  synthetic.Processor
	fanout int

	mu    sync.Mutex
	args  string
	seen  []bool
	count int
	began time.Time
}

func (c *census) begin(s *synthetic.Spec) {
	nodes, width := 0, 1
	for range s.Depth + 1 {
		nodes += width
		width *= c.fanout
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.args, c.seen, c.count, c.began = string(s.Args()), make([]bool, nodes), 0, time.Now()
}

// Process implements processor.Processor.
func (c *census) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	if err := c.nodes.Process(ctx, n, out); err != nil {
		return err
	}
	place := 0
	for rest := n.ID; ; {
		_, below, more := strings.Cut(rest, ".")
		if !more {
			break
		}
		slot, _, _ := strings.Cut(below, ".")
		i, err := strconv.Atoi(slot)
		if err != nil {
			return err
		}
		place, rest = place*c.fanout+i+1, below
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if string(n.Args) != c.args || c.seen[place] {
		return nil
	}
	c.seen[place] = true
	if c.count++; c.count == len(c.seen) {
		say(answer{Nodes: c.count, Seconds: time.Since(c.began).Seconds()})
	}
	return nil
}

func say(a answer) {
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		log.Fatal(err)
	}
}

func number(name string, otherwise int) int {
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		log.Fatal(err)
	}
	return n
}
