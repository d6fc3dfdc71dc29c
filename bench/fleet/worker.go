// Package fleet is what the workers of a race on a queue have in common: how they
// are installed and started, what they are told and what they answer.
// peers/README.md has it in words.
package fleet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// Order tells a worker to walk a tree.
type Order struct {
	Walk  int `json:"walk"`  // its number; messages of another walk do not count
	Depth int `json:"depth"` // levels below the root
}

// Answer is a line of a worker's.
type Answer struct {
	Ready   bool    `json:"ready,omitempty"`   // it listens; said once
	Nodes   int     `json:"nodes,omitempty"`   // processed in a walk, each counted once
	Seconds float64 `json:"seconds,omitempty"` // from the first post to the last node
}

// Nodes are those of a tree: fanout children at each node above depth.
func Nodes(fanout, depth int) int {
	nodes, width := 0, 1
	for range depth + 1 {
		nodes += width
		width *= fanout
	}
	return nodes
}

// Place is where a worker works.
type Place struct {
	Endpoint string // of SQS
	Name     string // of a queue that is there; a worker that makes its own calls them by this name
	Fanout   int
}

// URL is that of the queue at the endpoint.
func (p Place) URL() string { return p.Endpoint + "/000000000000/" + p.Name }

func (p Place) env() []string {
	return []string{
		"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH"),
		"AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL_SQS=" + p.Endpoint,
	}
}

// Walker walks trees, one after the other, in a process of its own.
type Walker interface {
	// Walk walks a tree of so many levels below its root to its end and says how
	// long that took, from the first post on.
	Walk(ctx context.Context, depth int) (time.Duration, error)
	// Stop ends the process, which may drain, and says what went wrong.
	Stop() error
	// CPU is what the process used, once it has been stopped.
	CPU() time.Duration
}

var (
	_ Walker = (*Worker)(nil)
	_ Walker = (*Task)(nil)
)

// Worker is a process that walks trees as it is told. It implements Walker.
type Worker struct {
	fanout int
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  chan Answer
	said   bytes.Buffer // to standard error
	walks  int
}

// patience is how long a worker may take to say that it is ready.
const patience = time.Minute

// Start starts a worker and waits until it is ready.
func Start(ctx context.Context, p Place, command []string, env ...string) (*Worker, error) {
	w := &Worker{fanout: p.Fanout, lines: make(chan Answer)}
	w.cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	w.cmd.Env = append(append(p.env(), "FLEET_QUEUE="+p.URL(), "FLEET_NAME="+p.Name, "FLEET_FANOUT="+strconv.Itoa(p.Fanout)), env...)
	w.cmd.Stderr = &w.said
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	go w.read(out)
	ready, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a, err := w.answer(ready)
	if err == nil && !a.Ready {
		err = fmt.Errorf("it said %+v first, want that it is ready", a)
	}
	if err != nil {
		return nil, fmt.Errorf("start worker %s: %w", filepath.Base(command[0]), errors.Join(err, w.Stop()))
	}
	return w, nil
}

// read takes the answers; other lines are somebody's chatter.
func (w *Worker) read(out io.Reader) {
	defer close(w.lines)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var a Answer
		if json.Unmarshal(lines.Bytes(), &a) == nil {
			w.lines <- a
		}
	}
}

func (w *Worker) answer(ctx context.Context) (Answer, error) {
	select {
	case a, ok := <-w.lines:
		if !ok {
			return Answer{}, errors.New("it ended")
		}
		return a, nil
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
}

// Walk has the worker walk a tree to its end and says how long that took.
func (w *Worker) Walk(ctx context.Context, depth int) (time.Duration, error) {
	w.walks++
	if err := json.NewEncoder(w.in).Encode(Order{Walk: w.walks, Depth: depth}); err != nil {
		return 0, fmt.Errorf("walk tree: %w", err)
	}
	a, err := w.answer(ctx)
	if err != nil {
		return 0, fmt.Errorf("walk tree: %w\n%.2000s", err, w.said.Bytes())
	}
	if want := Nodes(w.fanout, depth); a.Nodes != want {
		return 0, fmt.Errorf("walk tree: %d nodes, want %d", a.Nodes, want)
	}
	return time.Duration(a.Seconds * float64(time.Second)), nil
}

// Stop ends the worker, which may take its time to drain, and says what went wrong.
func (w *Worker) Stop() error {
	_ = w.in.Close()
	kill := time.AfterFunc(30*time.Second, func() { _ = w.cmd.Process.Kill() })
	defer kill.Stop()
	for range w.lines { // what is left to be read
	}
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("stop worker: %w\n%.2000s", err, w.said.Bytes())
	}
	return nil
}

// CPU is what a worker that has stopped used, its children included.
func (w *Worker) CPU() time.Duration {
	return w.cmd.ProcessState.UserTime() + w.cmd.ProcessState.SystemTime()
}
