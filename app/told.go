package app

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// errTold is why a command ends that was told to by a signal.
var errTold = fmt.Errorf("told to end by a signal: %w", context.Canceled)

// untilTold is over when a signal tells the process to end. A second one ends it at
// once, as without us; signal.NotifyContext would swallow one that comes before its
// end is noticed.
func untilTold() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	told := make(chan os.Signal, 2)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM)
	over := make(chan struct{})
	go func() {
		select {
		case <-told:
			cancel(errTold)
		case <-over:
			return
		}
		select {
		case s := <-told:
			signal.Reset(s)
			if p, err := os.FindProcess(os.Getpid()); err != nil || p.Signal(s) != nil {
				os.Exit(exitCannot)
			}
		case <-over:
		}
	}()
	return ctx, func() {
		signal.Stop(told)
		close(over)
		cancel(context.Canceled)
	}
}
