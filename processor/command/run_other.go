//go:build !unix

package command

import (
	"context"
	"errors"

	"github.com/ramify/ramify/processor"
)

// run runs nothing: process groups and descriptors are those of Unix.
func (p *program) run(context.Context, taker) (ended, error) {
	return ended{}, processor.Permanent(errors.New("programs are run on Unix only"))
}
