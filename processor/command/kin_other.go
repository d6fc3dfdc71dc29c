//go:build unix && !linux

package command

import "syscall"

// kin is a process below a program that has left its group: here they are not looked for.
type kin struct{ pid, group int }

func kinOf(...int) []kin { return nil }

func (kin) alive() bool { return false }

func (kin) signal(syscall.Signal) {}
