package command

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// kin is a process below a program, told apart from a later one of its number by when it
// began.
type kin struct {
	pid, parent, group int
	began              string
}

// kinOf are the processes below some, whatever group they are in: setsid(1) leaves the
// program's, and its parent stays. Whose parent has ended is nobody's child.
//
// Source: proc_pid_stat(5).
func kinOf(pids ...int) (all []kin) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	var every []kin
	for _, f := range files {
		if k, ok := readKin(f); ok {
			every = append(every, k)
		}
	}
	for i := 0; i < len(pids); i++ {
		for _, k := range every {
			if k.parent == pids[i] && !slices.Contains(pids, k.pid) {
				pids, all = append(pids, k.pid), append(all, k)
			}
		}
	}
	return all
}

func readKin(file string) (k kin, ok bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return k, false // it has ended
	}
	// The second field is a name in brackets, which may hold anything.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return k, false
	}
	k.began = string(fields[19])
	number := func(b []byte) int {
		n, wrong := strconv.Atoi(string(b))
		if wrong != nil {
			err = wrong
		}
		return n
	}
	k.pid, k.parent, k.group = number([]byte(filepath.Base(filepath.Dir(file)))), number(fields[1]), number(fields[2])
	return k, err == nil
}

// alive reports whether it is the process that it was.
func (k kin) alive() bool {
	now, ok := readKin(fmt.Sprintf("/proc/%d/stat", k.pid))
	return ok && now.began == k.began
}

// signal sends a signal to it, unless it has ended.
func (k kin) signal(s syscall.Signal) {
	if k.alive() {
		_ = syscall.Kill(k.pid, s)
	}
}
