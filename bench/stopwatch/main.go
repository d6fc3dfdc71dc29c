// Command stopwatch runs a command and prints what it used, as JSON. It stands
// between the benchmark and what is measured because Linux counts the memory of
// the process that starts another towards the other's peak: this one is small.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/ramify/ramify/bench/figures"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: stopwatch FILE COMMAND...   (FILE gets the command's standard output)")
		os.Exit(2)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // however it ends, nobody waits for us any more
		cancel()
	}()
	u, err := run(ctx, os.Args[1], os.Args[2:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(u)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stopwatch:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string, command []string) (figures.Used, error) {
	f, err := os.Create(out)
	if err != nil {
		return figures.Used{}, fmt.Errorf("create output: %w", err)
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = f, os.Stderr
	began := time.Now()
	err = cmd.Run()
	wall := time.Since(began)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return figures.Used{}, fmt.Errorf("run command: %w", errors.Join(err, f.Close()))
	}
	if err := f.Close(); err != nil {
		return figures.Used{}, fmt.Errorf("close output: %w", err)
	}
	u := figures.Used{Wall: wall, User: cmd.ProcessState.UserTime(), Sys: cmd.ProcessState.SystemTime(), Code: cmd.ProcessState.ExitCode()}
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.RSS = r.Maxrss
		if runtime.GOOS != "darwin" { // where alone it is counted in bytes
			u.RSS <<= 10
		}
	}
	return u, nil
}
