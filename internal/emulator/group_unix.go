//go:build unix

package emulator

import (
	"os/exec"
	"syscall"
)

// leadGroup makes the process the leader of a group of its own.
func leadGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
