package embedded_test

import (
	"path/filepath"
	"testing"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger/ledgertest"
)

// TestContractInRealTime is TestContract on the real clock and with the disk's
// own pace.
func TestContractInRealTime(t *testing.T) {
	ledgertest.Run(t, "*embedded.Ledger", ledgertest.Traits{}, func(t *testing.T) ledgertest.Store {
		return openLedger(t, openStore(t, filepath.Join(t.TempDir(), "run.db"), store.Options{Create: true, Owner: true}))
	})
}
