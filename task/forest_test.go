package task_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// forest is a tree whose shape is a pure function of its seed and a node's path.
type forest struct {
	seed    uint64
	depth   int
	fanout  int     // most children of a node
	chain   bool    // one child each
	wide    int     // children of node "0.1", if more than 0
	flaky   float64 // part of the nodes whose first attempts fail
	poison  float64 // part of the nodes that always fail
	slow    float64 // part of the nodes that take seconds
	healed  func() bool
	process func(id string) // called on each attempt, if set
}

func (f *forest) roll(path, what string) float64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s/%s", f.seed, what, path)
	v := h.Sum64()
	v ^= v >> 33
	v *= 0xff51afd7ed558ccd
	v ^= v >> 33
	return float64(v>>11) / (1 << 53)
}

func (f *forest) kids(path string) int {
	if f.wide > 0 && path == "0.1" {
		return f.wide
	}
	if strings.Count(path, ".") >= f.depth {
		return 0
	}
	if f.chain {
		return 1
	}
	return int(f.roll(path, "kids") * float64(f.fanout+1))
}

func (f *forest) poisoned(path string) bool {
	return path != "0" && f.roll(path, "poison") < f.poison
}

// Process implements processor.Processor.
func (f *forest) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	if f.process != nil {
		f.process(n.ID)
	}
	if err := out.Write(sink.Rows, []byte(n.ID+"\n"), 1); err != nil {
		return err
	}
	if f.roll(n.ID, "slow") < f.slow {
		select {
		case <-time.After(time.Duration(f.roll(n.ID, "time") * float64(90*time.Second))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for i := range f.kids(n.ID) {
		if err := out.Child(processor.Child{ID: n.ID + "." + strconv.Itoa(i)}); err != nil {
			return err
		}
	}
	out.Count(1, int64(len(n.ID)))
	if f.poisoned(n.ID) && (f.healed == nil || !f.healed()) {
		return errors.New("poisoned")
	}
	if float64(n.Tries) < 3*f.roll(n.ID, "flaky")*f.flaky {
		return errors.New("flaky")
	}
	return nil
}

// truth is what a run over the forest must come to.
func (f *forest) truth() (sum schema.Account, rows, failed map[string]bool) {
	rows, failed = map[string]bool{}, map[string]bool{}
	stack := []string{"0"}
	for len(stack) > 0 {
		p := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if f.poisoned(p) && (f.healed == nil || !f.healed()) {
			failed[p] = true
			sum.Failures++
			continue
		}
		rows[p] = true
		sum.Nodes++
		sum.Objects++
		sum.Bytes += int64(len(p))
		for i := range f.kids(p) {
			stack = append(stack, p+"."+strconv.Itoa(i))
		}
	}
	return sum, rows, failed
}

// memory is a sink in memory that keeps the contract in the plainest way.
type memory struct {
	mu     sync.Mutex
	parts  map[sink.Attempt][]string
	leaves map[schema.PID]stored
}

type stored struct {
	attempt sink.Attempt
	own     schema.Account
}

func newMemory() *memory {
	return &memory{parts: map[sink.Attempt][]string{}, leaves: map[schema.PID]stored{}}
}

func (m *memory) Open(_ context.Context, a sink.Attempt) (sink.Part, error) {
	return &memoryPart{sink: m, attempt: a}, nil
}

func (m *memory) Finish(context.Context, iter.Seq2[sink.Committed, error]) (sink.Summary, error) {
	return sink.Summary{}, nil
}

func (m *memory) Read(context.Context, string) iter.Seq2[[]byte, error] { return nil }
func (m *memory) Close() error                                          { return nil }

// rows are the rows of a committed unit.
func (m *memory) rows(pid schema.PID, attempt uint64, leaf bool) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if leaf {
		return m.parts[m.leaves[pid].attempt]
	}
	for a, rows := range m.parts {
		if a.PID == pid && a.ID == attempt {
			return rows
		}
	}
	return nil
}

type memoryPart struct {
	sink    *memory
	attempt sink.Attempt
	mu      sync.Mutex
	rows    []string
}

func (p *memoryPart) Write(_ context.Context, _ string, block []byte, rows int) error {
	if rows == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows = append(p.rows, strings.TrimSuffix(string(block), "\n"))
	return nil
}

func (p *memoryPart) Commit(_ context.Context, leaf bool, own schema.Account) (schema.Account, error) {
	p.sink.mu.Lock()
	defer p.sink.mu.Unlock()
	if leaf {
		if first, ok := p.sink.leaves[p.attempt.PID]; ok {
			return first.own, nil
		}
		p.sink.leaves[p.attempt.PID] = stored{p.attempt, own}
	}
	p.sink.parts[p.attempt] = p.rows
	return own, nil
}

func (p *memoryPart) Abort() {}
