package task_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
)

// An error of what all nodes need uses up no retries: the node waits until it passes.
func TestTroubleIsNoFailureOfTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		w := newWorld(t, 1, processor.Set{"k": process(func(context.Context, *processor.Node, processor.Out) error {
			if attempts++; attempts <= 12 {
				return fmt.Errorf("process: %w", processor.Trouble(errors.New("the store is away")))
			}
			return nil
		})})
		w.options.Retries = 0
		w.seed("k")
		w.task()
		r := w.wait(0)
		assert.Equal(t, ledger.Finished, r.State)
		assert.EqualValues(t, 1, r.Totals.Nodes)
		assert.Zero(t, r.Totals.Failures)
		assert.Equal(t, 13, attempts)
	})
}
