package ledgertest

import (
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
)

// noon is when leases begin: time passes as the tests say.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 123_456_000, time.UTC)

func lease(name, owner string, from, until time.Duration) ledger.Lease {
	return ledger.Lease{Name: name, Owner: owner, From: noon.Add(from), Until: noon.Add(until)}
}

// lease asks for a lease, and compares who then holds it until when.
func (s *suite) lease(want ledger.Lease, owner string, until time.Duration) {
	s.Helper()
	var held ledger.Lease
	err, _ := s.retry(func() (err error) { held, err = s.store.Lease(s.Context(), want); return err })
	require.NoError(s, err, "lease")
	require.Equal(s, owner, held.Owner, "the holder")
	require.Equal(s, want.Name, held.Name)
	require.WithinDuration(s, noon.Add(until), held.Until, 0, "the end of the lease")
}

func (s *suite) release(owner string) {
	s.Helper()
	err, _ := s.retry(func() error { return s.store.Release(s.Context(), "sweep", owner) })
	require.NoError(s, err, "release lease")
}

func leaseTaken(s *suite) {
	s.lease(lease("sweep", "a", 0, time.Minute), "a", time.Minute)
	s.lease(lease("sweep", "b", time.Second, time.Hour), "a", time.Minute)
	s.lease(lease("sweep "+odd, "b", time.Second, time.Hour), "b", time.Hour)
	s.lease(lease("sweep", "b", time.Minute-time.Microsecond, time.Hour), "a", time.Minute)
	s.lease(lease("sweep", "b", time.Minute, time.Hour), "b", time.Hour)
	s.lease(lease("sweep", "a", 2*time.Minute, 3*time.Hour), "b", time.Hour)
}

func leaseRenewed(s *suite) {
	s.lease(lease("sweep", "a", 0, time.Minute), "a", time.Minute)
	s.lease(lease("sweep", "a", time.Second, 2*time.Minute), "a", 2*time.Minute)
	s.lease(lease("sweep", "b", time.Minute, time.Hour), "a", 2*time.Minute)
	s.lease(lease("sweep", "a", time.Hour, 2*time.Hour), "a", 2*time.Hour)
}

func leaseReleased(s *suite) {
	s.release("a") // which nobody holds
	s.lease(lease("sweep", "a", 0, time.Hour), "a", time.Hour)
	s.release("b")
	s.lease(lease("sweep", "b", time.Minute, time.Hour), "a", time.Hour)
	s.release("a")
	s.release("a")
	s.lease(lease("sweep", "b", time.Minute, 2*time.Hour), "b", 2*time.Hour)
}

func leaseRace(s *suite) {
	for round := range 10 {
		name := fmt.Sprint("sweep", round)
		var mu sync.Mutex
		told := map[string]bool{}
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				var held ledger.Lease
				want := lease(name, fmt.Sprint("task", i), 0, time.Hour)
				err, _ := s.retry(func() (err error) { held, err = s.store.Lease(s.Context(), want); return err })
				mu.Lock()
				defer mu.Unlock()
				assert.NoError(s, err)
				told[held.Owner] = true
			})
		}
		all.Wait()
		require.Len(s, told, 1, "holders at a time")
	}
}
