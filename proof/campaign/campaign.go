// Package campaign runs many cases of package sim in programs that package exact has
// built, a few at a time, and makes what fails small.
package campaign

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ramify/ramify/proof/exact"
	"github.com/ramify/ramify/proof/mutant"
	"github.com/ramify/ramify/proof/sim"
)

// Program is a built simulation.
type Program struct {
	root, dir, path string
	bug             string // that is planted; "": none

	AtOnce int // processes; fewer than two are two

	cpu atomic.Int64 // nanoseconds
}

// CPU is the time that all its processes have taken so far.
func (p *Program) CPU() time.Duration { return time.Duration(p.cpu.Load()) }

// Build builds the simulation, of an engine with edits, in a folder of the module's
// cache that has the name. root is the module's folder.
func Build(ctx context.Context, root, name string, edits ...exact.Edit) (*Program, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("build simulation: %w", err)
	}
	dir := filepath.Join(root, ".cache", "proof", name)
	path, err := exact.Build(ctx, root, "./proof/sim", dir, edits...)
	if err != nil {
		return nil, err
	}
	return &Program{root: root, dir: dir, path: path}, nil
}

// Plant builds the simulation of an engine with a bug.
func Plant(ctx context.Context, root string, bug mutant.Bug) (*Program, error) {
	p, err := Build(ctx, root, "mutant-"+bug.Name, bug.Edits...)
	if err == nil {
		p.bug = bug.Name
	}
	return p, err
}

// Command is what a person types to see a case.
func (p *Program) Command(text string) string {
	if p.bug != "" {
		return "go run ./proof/replay --bug " + p.bug + " " + text
	}
	return "go run ./proof/replay " + text
}

// chunk is how many cases one process runs: its memory is given back with it.
const chunk = 50

// Run runs cases in a few processes at a time, and tells each of its report. It ends
// early when each returns false.
func (p *Program) Run(ctx context.Context, cases []string, each func(sim.Report) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	todo := make(chan []string)
	go func() {
		defer close(todo)
		for from := 0; from < len(cases); from += chunk {
			select {
			case todo <- cases[from:min(from+chunk, len(cases))]:
			case <-ctx.Done():
				return
			}
		}
	}()
	var mu sync.Mutex
	var failed error
	var all sync.WaitGroup
	for range max(p.AtOnce, 2) {
		all.Go(func() {
			for part := range todo {
				reports, err := p.process(ctx, part, "")
				mu.Lock()
				for _, r := range reports {
					if ctx.Err() == nil && !each(r) {
						cancel()
					}
				}
				if err != nil && ctx.Err() == nil {
					failed = err
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return failed
}

// One runs one case; its history goes to a file where one is named.
func (p *Program) One(ctx context.Context, text, history string) (sim.Report, error) {
	reports, err := p.process(ctx, []string{text}, history)
	if err != nil {
		return sim.Report{}, err
	}
	return reports[0], nil
}

// patience is how long a process may take for a case: one that runs for ever in no
// simulated time ends here.
const patience = time.Minute

// process runs cases in one process. One that ends the process is reported as such, and
// those behind it are run in another.
func (p *Program) process(ctx context.Context, cases []string, history string) (reports []sim.Report, err error) {
	for len(reports) < len(cases) {
		rest := cases[len(reports):]
		out, err := os.CreateTemp(p.dir, "reports-*")
		if err != nil {
			return nil, fmt.Errorf("run cases: %w", err)
		}
		_ = out.Close()
		limited, cancel := context.WithTimeout(ctx, time.Duration(len(rest))*patience)
		cmd := exec.CommandContext(limited, p.path, "-test.run=^TestCases$", "-test.timeout=0")
		cmd.Dir = p.dir
		cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "GOMEMLIMIT=1GiB", "GOTRACEBACK=all",
			"RAMIFY_PROOF_CASES="+strings.Join(rest, " "), "RAMIFY_PROOF_REPORTS="+out.Name(), "RAMIFY_PROOF_HISTORY="+history)
		said, failed := cmd.CombinedOutput()
		cancel()
		if s := cmd.ProcessState; s != nil {
			p.cpu.Add(int64(s.UserTime() + s.SystemTime()))
		}
		got, begun, err := read(out.Name())
		_ = os.Remove(out.Name())
		if err != nil {
			return nil, err
		}
		reports = append(reports, got...)
		switch {
		case ctx.Err() != nil:
			return reports, context.Cause(ctx)
		case begun == "" && failed != nil && len(reports) < len(cases):
			return nil, fmt.Errorf("run cases: %w: %s", failed, beginning(said))
		case begun != "":
			reports = append(reports, sim.Report{Case: begun, Problems: []string{fmt.Sprintf("the program ended: %v: %s", failed, beginning(said))}})
		case len(got) == 0:
			return nil, errors.New("run cases: the program reports nothing")
		}
	}
	return reports, nil
}

// beginning of what a program has said: what it ended with comes before all stacks.
func beginning(said []byte) string {
	const most = 3000
	return string(said[:min(len(said), most)])
}

// read reads reports, and which case was begun and not reported.
func read(name string) (reports []sim.Report, begun string, err error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("read reports: %w", err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r sim.Report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, "", fmt.Errorf("read reports: %w", err)
		}
		if begun = r.Case; r.Begun {
			continue
		}
		begun = ""
		reports = append(reports, r)
	}
	if err := lines.Err(); err != nil {
		return nil, "", fmt.Errorf("read reports: %w", err)
	}
	return reports, begun, nil
}

// Shrink makes a failing case small: as long as something simpler fails too, that takes
// its place. It tries so many cases at most.
func (p *Program) Shrink(ctx context.Context, failing sim.Report, tries int) (sim.Report, error) {
	small := failing
	for found := true; found && tries > 0; {
		found = false
		c, err := sim.ParseCase(small.Case)
		if err != nil {
			return small, err
		}
		for _, s := range c.Simpler() {
			if tries--; tries < 0 {
				break
			}
			r, err := p.One(ctx, s.String(), "")
			if err != nil {
				return small, err
			}
			if len(r.Problems) > 0 {
				small, found = r, true
				break
			}
		}
	}
	return small, nil
}
