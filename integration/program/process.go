package program

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Process is a command that was started, or is to be.
type Process struct {
	Cmd            *exec.Cmd
	Stdout, Stderr *Transcript
	Done           chan struct{} // closed when it has ended
}

// New is a process that Begin starts.
func New(cmd *exec.Cmd) *Process {
	return &Process{Cmd: cmd, Stdout: NewTranscript(), Stderr: NewTranscript(), Done: make(chan struct{})}
}

// Begin starts the process; where its outputs are not yet said to go elsewhere, the
// transcripts keep them. It is killed when the test ends.
func (p *Process) Begin(t *testing.T) {
	t.Helper()
	if p.Cmd.Stdout == nil {
		p.Cmd.Stdout = p.Stdout
	}
	if p.Cmd.Stderr == nil {
		p.Cmd.Stderr = p.Stderr
	}
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.Done)
		_ = p.Cmd.Wait() // the state says it all
	}()
	t.Cleanup(func() {
		_ = p.Cmd.Process.Kill()
		<-p.Done
	})
}

// Running reports whether it has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.Done:
		return false
	default:
		return true
	}
}

// Signal sends a signal, unless the process has ended.
func (p *Process) Signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatalf("signal %v: %v", s, err)
	}
}

// Wait waits until the command has ended.
func (p *Process) Wait(t *testing.T) Result {
	t.Helper()
	return p.WaitFor(t, Patience)
}

// WaitFor is Wait with another patience.
func (p *Process) WaitFor(t *testing.T, patience time.Duration) Result {
	t.Helper()
	begun := time.Now()
	select {
	case <-p.Done:
	case <-time.After(patience):
		p.Signal(t, syscall.SIGQUIT) // it says where it hangs
		<-p.Done
		t.Fatalf("%q did not end in %v\nstdout: %s\nstderr: %s", p.Cmd.Args[1:], patience, p.Stdout, p.Stderr)
	}
	return Result{p.Cmd.ProcessState.ExitCode(), p.Stdout.String(), p.Stderr.String(), time.Since(begun)}
}

// Result is how a command ended.
type Result struct {
	Code           int // -1 where a signal ended it
	Stdout, Stderr string
	Took           time.Duration // since it was waited for
}

// RequireCode fails the test, with all that was said, unless the code is right.
func (r Result) RequireCode(t *testing.T, want int) {
	t.Helper()
	if r.Code != want {
		t.Fatalf("exit code %d, want %d\nstdout: %s\nstderr: %s", r.Code, want, Shortened(r.Stdout), Shortened(r.Stderr))
	}
	if strings.Contains(r.Stderr, "goroutine ") {
		t.Fatalf("stack trace: %s", r.Stderr)
	}
}
