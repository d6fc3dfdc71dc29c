//go:build unix && !linux

package command

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/ramify/ramify/processor"
)

// attributes make a process the leader of a group, with the rights of a user.
func attributes(who *identity) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: who.credential()}
}

// niceThread has nothing to do: a thread is as nice as its process.
func niceThread(int) error { return nil }

// niceGroup makes a process group as nice as is wanted.
func niceGroup(group, nice int) error {
	if nice == 0 {
		return nil
	}
	if err := syscall.Setpriority(syscall.PRIO_PGRP, group, nice); err != nil && !errors.Is(err, syscall.ESRCH) {
		return processor.Permanent(fmt.Errorf("set nice to %d: %w", nice, err))
	}
	return nil
}
