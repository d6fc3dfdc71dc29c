package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// process is a `ramify task` that drains when it is told to, or when this process ends.
type process struct {
	cmd    *exec.Cmd
	alive  io.Closer    // the keeper's standard input
	log    bytes.Buffer // what it said on standard error
	exited chan error
}

// keeper runs a task for as long as somebody holds its standard input open, so that
// a benchmark that is killed leaves none behind, and then has it drain.
const keeper = `exec 3<&0
"$@" </dev/null 3<&- &
task=$!
{ cat <&3 >/dev/null; kill -INT $task; } 2>/dev/null &
exec 3<&-
wait $task`

// begin starts the program as a task in an environment; out gets what it prints.
func begin(ctx context.Context, program string, env []string, out io.Writer) (*process, error) {
	p := &process{exited: make(chan error, 1)}
	p.cmd = exec.CommandContext(ctx, "sh", "-c", keeper, "keeper", program, "task")
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, out, &p.log
	var err error
	if p.alive, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start task: %w", err)
	}
	go func() { p.exited <- p.cmd.Wait() }()
	return p, nil
}

// drain has it end when its work is done.
func (p *process) drain() error { return p.alive.Close() }

// wait waits until it has drained, and kills what does not.
func (p *process) wait() error {
	select {
	case err := <-p.exited:
		return err
	case <-time.After(time.Minute):
		return errors.Join(errors.New("it does not drain"), p.cmd.Process.Kill(), <-p.exited)
	}
}
