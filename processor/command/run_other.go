//go:build !unix

package command

import (
	"context"
	"errors"
	"time"

	"github.com/ramify/ramify/processor"
)

// program is a program that is to be run.
type program struct {
	path               string
	argv, env          []string
	dir                string
	who                *identity
	nice               int
	stdin              []byte
	timeout, killAfter time.Duration
	output             int
}

// ended is how a program ended.
type ended struct {
	code           int
	signal         string
	expired        bool
	stdout, stderr string
}

type taker interface {
	take(line []byte) error
	tooLong() error
}

// run runs nothing: process groups and descriptors are those of Unix.
func (p *program) run(context.Context, taker) (ended, error) {
	return ended{}, processor.Permanent(errors.New("programs are run on Unix only"))
}
