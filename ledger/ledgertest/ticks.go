package ledgertest

import (
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tick moves a mark, and compares where it then is.
func (s *suite) tick(schedule string, to, now time.Duration) {
	s.Helper()
	var mark time.Time
	err, _ := s.retry(func() (err error) { mark, err = s.store.Tick(s.Context(), schedule, noon.Add(to)); return err })
	require.NoError(s, err, "tick")
	require.WithinDuration(s, noon.Add(now), mark, 0, "the mark of %s", schedule)
}

func (s *suite) ticked(schedule string) (mark time.Time) {
	s.Helper()
	err, _ := s.retry(func() (err error) { mark, err = s.store.Ticked(s.Context(), schedule); return err })
	require.NoError(s, err, "ticked")
	return mark
}

func tickMoves(s *suite) {
	require.True(s, s.ticked("nightly").IsZero(), "a mark that never was set")
	s.tick("nightly", 0, 0)
	require.WithinDuration(s, noon, s.ticked("nightly"), 0)
	s.tick("nightly", time.Microsecond, time.Microsecond)
	s.tick("nightly", 90*24*time.Hour, 90*24*time.Hour)
	require.WithinDuration(s, noon.Add(90*24*time.Hour), s.ticked("nightly"), 0)
	require.True(s, s.ticked("nightly "+odd).IsZero(), "the mark of another schedule")
	s.tick("nightly "+odd, -time.Hour, -time.Hour)
}

func tickForward(s *suite) {
	s.tick("nightly", time.Hour, time.Hour)
	s.tick("nightly", time.Hour, time.Hour)
	s.tick("nightly", time.Hour-time.Microsecond, time.Hour)
	s.tick("nightly", -time.Hour, time.Hour)
	require.WithinDuration(s, noon.Add(time.Hour), s.ticked("nightly"), 0)
}

func tickRace(s *suite) {
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			to := noon.Add(time.Duration(i) * time.Minute)
			var mark time.Time
			err, _ := s.retry(func() (err error) { mark, err = s.store.Tick(s.Context(), "nightly", to); return err })
			assert.True(s, err == nil && !mark.Before(to), "a mark of %v (%v), moved to %v", mark, err, to)
		})
	}
	all.Wait()
	require.WithinDuration(s, noon.Add(19*time.Minute), s.ticked("nightly"), 0, "the furthest of all")
}
