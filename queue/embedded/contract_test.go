package embedded_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/embedded"
	"github.com/ramify/ramify/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	queuetest.Run(t, "*embedded.Queue", queuetest.Traits{Synctest: true}, func(t *testing.T) queue.Queue {
		return openQueue(t, openStore(t, filepath.Join(t.TempDir(), "run.db"), store.Options{Create: true, Owner: true}))
	})
}

func openStore(t testing.TB, path string, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(path, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func openQueue(t testing.TB, s *store.Store) *embedded.Queue {
	t.Helper()
	q, err := embedded.Open(t.Context(), s, "main")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, q.Close()) })
	return q
}

// The oldest first, all holds as ever.
func TestContractOldestFirst(t *testing.T) {
	queuetest.Run(t, "*embedded.Queue", queuetest.Traits{Synctest: true}, func(t *testing.T) queue.Queue {
		q := openQueue(t, openStore(t, filepath.Join(t.TempDir(), "run.db"), store.Options{Create: true, Owner: true}))
		q.OldestFirst()
		return q
	})
}
