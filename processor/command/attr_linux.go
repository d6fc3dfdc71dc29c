package command

import (
	"fmt"
	"syscall"

	"github.com/ramify/ramify/processor"
)

// attributes make a process the leader of a group, with the rights of a user. The
// kernel kills it when we are killed and can tell it nothing any more: who resumes
// begins it anew.
func attributes(who *identity) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: who.credential(), Pdeathsig: syscall.SIGKILL}
}

// niceThread makes the calling thread, and so what it starts, as nice as is wanted.
// Here niceness is a thread's own: setpriority(2), "C library/kernel differences".
func niceThread(nice int) error {
	if nice == 0 {
		return nil
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, nice); err != nil {
		return processor.Permanent(fmt.Errorf("set nice to %d: %w", nice, err))
	}
	return nil
}

// niceGroup has nothing to do.
func niceGroup(int, int) error { return nil }
