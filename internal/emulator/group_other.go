//go:build !unix

package emulator

import "os/exec"

// leadGroup has nothing to lead: the servers need a Unix.
func leadGroup(*exec.Cmd) {}

// Own changes nothing.
func Own(*exec.Cmd, int) {}
