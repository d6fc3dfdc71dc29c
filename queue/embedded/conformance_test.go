package embedded_test

import (
	"path/filepath"
	"testing"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/queuetest"
)

// TestContractInRealTime is TestContract on the real clock: waits, leases and
// wake-ups as a person meets them.
func TestContractInRealTime(t *testing.T) {
	queuetest.Run(t, "*embedded.Queue", queuetest.Traits{}, func(t *testing.T) queue.Queue {
		return openQueue(t, openStore(t, filepath.Join(t.TempDir(), "run.db"), store.Options{Create: true, Owner: true}))
	})
}
