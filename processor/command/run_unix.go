//go:build unix

package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/ramify/ramify/processor"
)

// running is a program that runs, with the ends of the pipes that are ours.
type running struct {
	p                   *program
	cmd                 *exec.Cmd
	stdin               *os.File
	out, err, says      *os.File
	stdout, stderr      kept
	exited, silent, bad chan struct{} // closed when it has exited, when all pipes have ended, when it said what is wrong
	fault               error         // why bad is closed
	strays              []kin         // that it has started, and that left its group
	wrong               sync.Once
}

// run runs a program until it has exited, and what it left running in its process
// group with it. The error is why it could not be run, or what was wrong with what
// it said. When ctx ends, or its time is up, it is told to end by SIGTERM, and then
// by SIGKILL, as is its whole process group.
func (p *program) run(ctx context.Context, t taker) (ended, error) {
	if ctx.Err() != nil {
		return ended{}, context.Cause(ctx)
	}
	r := &running{
		p: p, stdout: kept{most: p.output}, stderr: kept{most: p.output},
		exited: make(chan struct{}), silent: make(chan struct{}), bad: make(chan struct{}),
	}
	if err := r.start(); err != nil {
		return ended{}, err
	}
	var pipes sync.WaitGroup
	pipes.Go(func() { copyUntilGone(&r.stdout, r.out) })
	pipes.Go(func() { copyUntilGone(&r.stderr, r.err) })
	pipes.Go(func() { r.listen(t) })
	go func() { pipes.Wait(); close(r.silent) }()
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		_, _ = r.stdin.Write(p.stdin) // it need not read it
		_ = r.stdin.Close()
	}()

	expired := r.wait(ctx)
	// Whatever it left in its group ends with it: nobody would wait for that, nor
	// know of it. Its number is free once the group is empty, and could only be
	// another's if all numbers had been given out since.
	r.signal(syscall.SIGKILL)
	// What it said is in the pipes. Who left its group may hold them open for ever.
	for _, f := range []*os.File{r.out, r.err, r.says} {
		_ = f.SetReadDeadline(time.Unix(1, 0))
	}
	_ = r.stdin.SetWriteDeadline(time.Unix(1, 0))
	<-r.silent
	<-fed
	for _, f := range []*os.File{r.out, r.err, r.says} {
		_ = f.Close()
	}
	state := r.cmd.ProcessState
	end := ended{code: state.ExitCode(), expired: expired, stdout: r.stdout.String(), stderr: r.stderr.String()}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		end.signal = ws.Signal().String()
	}
	if ctx.Err() != nil {
		return end, context.Cause(ctx)
	}
	return end, r.fault
}

// start starts the program in a process group of its own.
func (r *running) start() (err error) {
	var theirs, ours []*os.File
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
		if err != nil {
			for _, f := range ours {
				_ = f.Close()
			}
		}
	}()
	for range 4 {
		from, to, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("make pipe: %w", err)
		}
		theirs, ours = append(theirs, to), append(ours, from)
	}
	theirs[0], ours[0] = ours[0], theirs[0] // standard input goes the other way
	r.stdin, r.out, r.err, r.says = ours[0], ours[1], ours[2], ours[3]
	r.cmd = &exec.Cmd{
		Path: r.p.path, Args: r.p.argv, Env: r.p.env, Dir: r.p.dir,
		Stdin: theirs[0], Stdout: theirs[1], Stderr: theirs[2], ExtraFiles: theirs[3:],
		SysProcAttr: attributes(r.p.who),
	}
	started := make(chan error)
	go func() {
		// It may be bound to the thread that starts it, which must not end before it.
		runtime.LockOSThread()
		err := niceThread(r.p.nice)
		if r.p.nice == 0 {
			defer runtime.UnlockOSThread()
		} // else the thread ends with us: not everybody may be less nice again
		if err == nil {
			err = r.cmd.Start()
		}
		started <- err
		if err == nil {
			_ = r.cmd.Wait() // the state says it all
			close(r.exited)
		}
	}()
	if err := <-started; err != nil {
		return r.p.explain(err)
	}
	if err := niceGroup(r.cmd.Process.Pid, r.p.nice); err != nil {
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
		<-r.exited
		return err
	}
	return nil
}

// explain is why a program could not be started. Some of it may pass.
func (p *program) explain(err error) error {
	switch {
	case processor.IsPermanent(err):
		return err
	case errors.Is(err, syscall.ENOEXEC):
		err = fmt.Errorf("program %s is no program: has it a first line such as #!/bin/sh?", p.path)
	case errors.Is(err, syscall.E2BIG):
		err = errors.New("its arguments and variables are more than a program can be given")
	case errors.Is(err, syscall.EACCES):
		err = fmt.Errorf("program %s, or folder %s, is not open to who runs it: %w", p.path, p.dir, err)
	case errors.Is(err, syscall.EPERM):
		err = fmt.Errorf("start %s: only root may run it as another user, or it is not for anybody: %w", p.path, err)
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR):
		err = fmt.Errorf("start %s in folder %s: one of them, or what its first line names, does not exist: %w", p.path, p.dir, err)
	default:
		return fmt.Errorf("start %s: %w", p.path, err)
	}
	return processor.Permanent(err)
}

// stray looks for what the program has started and what left its group since. Where it
// ends by itself nobody looks: a daemon that it has started is meant to stay.
func (r *running) stray() {
	var pids []int // of those that run: another process may have the number of one that ended
	select {
	case <-r.exited:
	default:
		pids = append(pids, r.cmd.Process.Pid)
	}
	for _, k := range r.strays {
		if k.alive() {
			pids = append(pids, k.pid)
		}
	}
	for _, k := range kinOf(pids...) {
		if k.group != r.cmd.Process.Pid {
			r.strays = append(r.strays, k)
		}
	}
}

// signal sends a signal to the program's group, and to the strays that are known.
func (r *running) signal(s syscall.Signal) {
	_ = syscall.Kill(-r.cmd.Process.Pid, s)
	for _, k := range r.strays {
		k.signal(s)
	}
}

// wait waits for the exit. Where the program is told to end, what it started has
// until SIGKILL to end, too.
func (r *running) wait(ctx context.Context) (expired bool) {
	var timeout <-chan time.Time
	if r.p.timeout > 0 {
		timer := time.NewTimer(r.p.timeout)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-r.exited:
		return false
	case <-r.bad:
	case <-ctx.Done():
	case <-timeout:
		expired = true
	}
	r.stray()
	if errors.Is(context.Cause(ctx), ErrKill) {
		r.signal(syscall.SIGKILL)
		<-r.exited
		return expired
	}
	r.signal(syscall.SIGTERM)
	last := time.NewTimer(r.p.killAfter)
	defer last.Stop()
	exited, silent := r.exited, r.silent
	for exited != nil || silent != nil {
		select {
		case <-exited:
			exited = nil
		case <-silent:
			silent = nil
		case <-last.C:
			r.stray()
			r.signal(syscall.SIGKILL)
			<-r.exited
			return expired
		}
	}
	return expired
}

// listen reads what the program says, line by line. After the first that is wrong,
// the rest is read and forgotten: a program that ends by itself should not find
// the pipe closed.
func (r *running) listen(t taker) {
	in := bufio.NewReaderSize(untilGone(r.says), maxLine)
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			r.blame(t.tooLong())
		case len(line) > 0:
			// The last one may lack its end.
			if err := t.take(line[:len(line)-terminator(line)]); err != nil {
				r.blame(err)
			}
		}
		if r.fault != nil {
			_, _ = io.Copy(io.Discard, in)
			return
		}
		if err != nil {
			return
		}
	}
}

func terminator(line []byte) int {
	if line[len(line)-1] == '\n' {
		return 1
	}
	return 0
}

// blame ends the program for what it said.
func (r *running) blame(err error) {
	r.wrong.Do(func() {
		r.fault = err
		close(r.bad)
	})
}

// copyUntilGone copies what the program writes.
func copyUntilGone(to io.Writer, from *os.File) { _, _ = io.Copy(to, untilGone(from)) }

// pipeful is the most bytes that a pipe holds (pipe(7), "Pipe capacity").
const pipeful = 1 << 20

// gone reads a pipe to its end or, once the program has exited, to the last byte
// that is in it: other processes may hold it open.
type gone struct {
	pipe *os.File
	left int // bytes still to be read after the exit; -1 before
}

func untilGone(f *os.File) *gone { return &gone{f, -1} }

// Read implements io.Reader.
func (g *gone) Read(p []byte) (int, error) {
	if g.left < 0 {
		n, err := g.pipe.Read(p)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		g.left = pipeful
		_ = g.pipe.SetReadDeadline(time.Time{})
	}
	raw, err := g.pipe.SyscallConn()
	if err != nil || g.left == 0 || len(p) == 0 {
		return 0, io.EOF
	}
	n := 0
	_ = raw.Read(func(fd uintptr) bool {
		n, err = syscall.Read(int(fd), p[:min(len(p), g.left)])
		return true // what is not there now is not waited for
	})
	if err != nil || n <= 0 {
		return 0, io.EOF
	}
	g.left -= n
	return n, nil
}
