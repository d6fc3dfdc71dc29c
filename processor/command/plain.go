package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Plain runs programs that no file of jobs names: whoever calls it must know that
// they may be run. Nodes that a Processor processes never come here.
type Plain struct {
	// Timeout is the longest that a program may take; 0: as long as it likes. Then it
	// and its process group get SIGTERM, and Grace later SIGKILL.
	Timeout, Grace time.Duration
	// Output is how many bytes are kept of standard output, and of standard error.
	Output int
	// Environ is what variables come from; nil is this process's own. Programs get all
	// but those that begin with RAMIFY_, among which are signing keys.
	Environ []string
}

// ErrKill is a cause with which the context of Plain.Run ends: the program and its
// group are killed at once.
var ErrKill = errors.New("it was killed, since the worker was told to stop at once")

// Ended is how a program ended.
type Ended struct {
	Code           int    // of its exit; -1 where a signal ended it
	Signal         string // that ended it, such as SIGTERM
	Expired        bool   // it took longer than the timeout
	Stdout, Stderr string // the beginning and the end of each
	Took           time.Duration
}

// Run runs a program until it has exited, with a key in RAMIFY_KEY by which it can
// know that it was begun before. The error is why it could not be run, or why ctx has
// ended; it has then ended, too, and Ended says how.
func (p *Plain) Run(ctx context.Context, argv []string, key string) (Ended, error) {
	if len(argv) == 0 {
		return Ended{}, errors.New("run program: there is none")
	}
	env := append(inherited(Options{Environ: p.Environ}.environ(), []string{"*"}), "RAMIFY_KEY="+key)
	dir, err := os.Getwd()
	if err != nil {
		return Ended{}, fmt.Errorf("run program: %w", err)
	}
	path, err := locate(argv[0], dir, env)
	if err != nil {
		return Ended{}, err
	}
	began := time.Now()
	end, err := (&program{
		path: path, argv: argv, env: env, dir: dir, timeout: p.Timeout, killAfter: p.Grace, output: p.Output,
	}).run(ctx, deaf{})
	return Ended{
		Code: end.code, Signal: signalName(end.signal), Expired: end.expired,
		Stdout: strings.ToValidUTF8(end.stdout, "�"), Stderr: strings.ToValidUTF8(end.stderr, "�"), Took: time.Since(began),
	}, err
}

// deaf takes nothing of what a program says of its node: it has none.
type deaf struct{}

func (deaf) take([]byte) error { return nil }
func (deaf) tooLong() error    { return nil }

// signals are the names of signals by what the system says they do (signal(7)).
var signals = map[string]string{
	"hangup": "SIGHUP", "interrupt": "SIGINT", "quit": "SIGQUIT", "illegal instruction": "SIGILL", "trace/breakpoint trap": "SIGTRAP",
	"aborted": "SIGABRT", "abort trap": "SIGABRT", "bus error": "SIGBUS", "floating point exception": "SIGFPE", "killed": "SIGKILL",
	"user defined signal 1": "SIGUSR1", "segmentation fault": "SIGSEGV", "user defined signal 2": "SIGUSR2", "broken pipe": "SIGPIPE",
	"alarm clock": "SIGALRM", "terminated": "SIGTERM", "CPU time limit exceeded": "SIGXCPU", "file size limit exceeded": "SIGXFSZ",
}

func signalName(said string) string {
	if name, known := signals[said]; known {
		return name
	}
	return said
}
