package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/schedule"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// starts are runs that begin, as a ledger has them.
type starts struct {
	ledger *hostile.Ledger
	mu     sync.Mutex
	calls  []string
	runs   []string
	fail   error
}

func (s *starts) start(ctx context.Context, what *schedule.Schedule, tick time.Time) error {
	run := what.Run(tick)
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail != nil {
		return fail
	}
	err := s.ledger.Create(ctx, ledger.Run{ID: run, State: ledger.Running})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, run)
	if err == nil {
		s.runs = append(s.runs, run)
	}
	if errors.Is(err, ledger.ErrExists) {
		return nil
	}
	return err
}

func (s *starts) failing(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *starts) begun() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.runs)
}

func schedules(t *testing.T, cron, missed string) []*schedule.Schedule {
	f, err := schedule.ParseFile("cron.yaml", fmt.Appendf(nil, "schedules: {a: {cron: '%s', job: x, missed: %s}}", cron, missed))
	require.NoError(t, err)
	return f.Schedules
}

func (s *starts) clock(all []*schedule.Schedule, owner string) *schedule.Clock {
	return schedule.New(schedule.Options{Schedules: all, Ledger: s.ledger, Owner: owner, Start: s.start})
}

// ticks are the names of runs of every so often, after a time of today and up to another.
func ticks(s *schedule.Schedule, after, upTo time.Time) (all []string) {
	for _, tick := range s.When.Between(after, upTo, 10_000) {
		all = append(all, s.Run(tick))
	}
	return all
}

func TestOfManyClocksOneStartsATick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &starts{ledger: hostile.New(1, hostile.Faults{Latency: time.Second})}
		all := schedules(t, "*/5 * * * *", "last")
		begun := time.Now()
		var clocks []*schedule.Clock
		for i := range 5 {
			c := s.clock(all, fmt.Sprint("clock ", i))
			c.Start(t.Context())
			clocks = append(clocks, c)
		}
		time.Sleep(24*time.Hour + time.Minute)
		for _, c := range clocks {
			c.Stop()
		}
		assert.Equal(t, ticks(all[0], begun, time.Now()), s.begun())
		assert.Equal(t, s.runs, s.calls, "the lease spares the others the work")
	})
}

// Whatever the ledger does, each tick starts one run: here its answers are lost, its
// calls fail or take minutes, and clocks come and go.
func TestEachTickStartsOneRunWhateverGoesWrong(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			s := &starts{ledger: hostile.New(seed, hostile.Unkind(0.2))}
			all := schedules(t, "*/10 * * * *", "all")
			begun := time.Now()
			for i := range 6 { // of these each begins before the one before ends
				c, d := s.clock(all, fmt.Sprint("clock ", i)), s.clock(all, fmt.Sprint("other ", i))
				c.Start(t.Context())
				time.Sleep(37 * time.Minute)
				d.Start(t.Context())
				time.Sleep(41 * time.Minute)
				c.Stop()
				d.Stop()
			}
			s.ledger.Set(hostile.Faults{})
			c := s.clock(all, "last")
			c.Start(t.Context())
			time.Sleep(10 * time.Minute)
			c.Stop()
			got := map[string]int{}
			for _, r := range s.runsThere(t) {
				got[r]++
			}
			// The first look may have failed for a while: ticks before it are nobody's.
			want := ticks(all[0], begun, time.Now())
			have := slices.Sorted(maps.Keys(got))
			require.NotEmpty(t, have)
			require.Equal(t, want[len(want)-len(have):], have, "no tick between the first and the last is missing")
			require.GreaterOrEqual(t, len(have), len(want)-2)
		})
	}
}

// runsThere are all runs that the ledger has.
func (s *starts) runsThere(t *testing.T) (all []string) {
	runs, err := s.ledger.Runs(t.Context())
	require.NoError(t, err)
	for _, r := range runs {
		all = append(all, r.ID)
	}
	return all
}

func TestMissedTicksByPolicy(t *testing.T) {
	for policy, want := range map[string]int{"skip": 0, "last": 1, "all": 18} {
		t.Run(policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &starts{ledger: hostile.New(1, hostile.Faults{})}
				all := schedules(t, "*/10 * * * *", policy)
				c := s.clock(all, "a")
				c.Start(t.Context())
				synctest.Wait() // it has looked
				c.Stop()
				time.Sleep(3*time.Hour + 5*time.Minute)
				c = s.clock(all, "a")
				c.Start(t.Context())
				time.Sleep(2 * time.Minute)
				c.Stop()
				assert.Len(t, s.begun(), want)
			})
		})
	}
}

func TestWhatFailsToStartIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &starts{ledger: hostile.New(1, hostile.Faults{})}
		all := schedules(t, "0 * * * *", "last")
		begun := time.Now()
		s.failing(errors.New("no queue"))
		c := s.clock(all, "a")
		c.Start(t.Context())
		time.Sleep(time.Hour + 10*time.Minute)
		assert.Empty(t, s.begun())
		s.failing(nil)
		time.Sleep(time.Minute)
		c.Stop()
		assert.Equal(t, ticks(all[0], begun, time.Now()), s.begun())
	})
}

// A schedule that is due once a year costs next to nothing, and its mark stays fresh.
func TestARareScheduleIsLookedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &starts{ledger: hostile.New(1, hostile.Faults{})}
		all := schedules(t, "0 0 1 12 *", "last")
		c := s.clock(all, "a")
		c.Start(t.Context())
		time.Sleep(100 * 24 * time.Hour)
		mark, err := s.ledger.Ticked(t.Context(), all[0].Key())
		require.NoError(t, err)
		c.Stop()
		assert.Less(t, time.Since(mark), 25*time.Hour)
		assert.LessOrEqual(t, s.ledger.Calls().Ticked.Calls+s.ledger.Calls().Tick.Calls, 205)
		assert.Empty(t, s.begun())
	})
}

func TestAScheduleThatIsChangedBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &starts{ledger: hostile.New(1, hostile.Faults{})}
		c := s.clock(schedules(t, "0 0 1 * *", "last"), "a")
		c.Start(t.Context())
		time.Sleep(10 * time.Hour)
		c.Stop()
		c = s.clock(schedules(t, "0 */2 * * *", "last"), "a") // which would have been due five times
		c.Start(t.Context())
		time.Sleep(time.Minute)
		c.Stop()
		assert.Empty(t, s.begun())
	})
}
