//go:build unix

package command

import (
	"os"
	"syscall"
)

// credential is nil where nothing changes: only root may set one.
func (i *identity) credential() *syscall.Credential {
	if i == nil || os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: i.uid, Gid: i.gid, Groups: i.groups}
}
