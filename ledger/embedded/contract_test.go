package embedded_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger/embedded"
	"github.com/ramify/ramify/ledger/ledgertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	ledgertest.Run(t, "*embedded.Ledger", ledgertest.Traits{Synctest: true}, func(t *testing.T) ledgertest.Store {
		return openLedger(t, openStore(t, filepath.Join(t.TempDir(), "run.db"), store.Options{Create: true, Owner: true}))
	})
}

func openStore(t testing.TB, path string, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(path, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func openLedger(t testing.TB, s *store.Store) *embedded.Ledger {
	t.Helper()
	l, err := embedded.Open(t.Context(), s)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}
