//go:build unix

package emulator

import (
	"os/exec"
	"syscall"
)

// leadGroup makes the process the leader of a group of its own.
func leadGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// Own has a command run as another user: some servers refuse to be root's. 0 changes
// nothing.
func Own(cmd *exec.Cmd, user int) {
	if user == 0 {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}
}
