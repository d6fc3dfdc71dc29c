package command

import "time"

// program is a program that is to be run.
type program struct {
	path      string
	argv, env []string
	dir       string
	who       *identity
	nice      int
	stdin     []byte
	timeout   time.Duration // 0: none
	killAfter time.Duration
	output    int // bytes kept
}

// ended is how a program ended.
type ended struct {
	code           int // -1: by a signal
	signal         string
	expired        bool // the timeout ended it
	stdout, stderr string
}

// taker takes what a program says.
type taker interface {
	take(line []byte) error
	tooLong() error
}
