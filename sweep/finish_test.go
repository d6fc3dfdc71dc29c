package sweep_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/sweep"
)

func TestResultsAreMadeOnceAnEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		for _, id := range []string{"finished", "failed", "cancelled", "silent"} {
			out := "out"
			if id == "silent" {
				out = ""
			}
			y.run(id, out)
		}
		k := y.keeper()
		time.Sleep(time.Hour)
		assert.Empty(t, y.made(), "none is over")
		y.end("finished", ledger.Finished, 0)
		y.end("failed", ledger.Failed, 0)
		y.end("cancelled", ledger.Cancelled, 0)
		y.end("silent", ledger.Finished, 0)
		time.Sleep(15 * time.Second)
		assert.ElementsMatch(t, []string{"finished/0", "failed/0"}, y.made())
		k.Kick("failed")
		time.Sleep(2 * time.Hour)
		assert.Len(t, y.made(), 2)

		_, err := y.ledger.Amend(t.Context(), "failed", ledger.Change{From: ledger.Failed, State: ledger.Running, NextEpoch: true})
		require.NoError(t, err)
		time.Sleep(time.Hour)
		y.end("failed", ledger.Finished, 1)
		time.Sleep(15 * time.Second)
		assert.ElementsMatch(t, []string{"finished/0", "failed/0", "failed/1"}, y.made())
	})
}

// A keeper that takes over finds what ended before, if that was not long ago.
func TestTheNextKeeperMakesWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.run("old", "out")
		y.end("old", ledger.Finished, 0)
		time.Sleep(8 * 24 * time.Hour)
		y.run("new", "out")
		y.end("new", ledger.Finished, 0)
		time.Sleep(24 * time.Hour)
		y.keeper()
		time.Sleep(time.Minute)
		assert.Equal(t, []string{"new/0"}, y.made())
	})
}

// The task that sees a run end has its results made at once, whoever has the
// lease; and not twice where two see it.
func TestAKickMakesResultsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.run("run", "out")
		y.run("other", "out")
		slowly := func(o *sweep.Options) {
			o.Finish = func(ctx context.Context, r ledger.Run) error {
				time.Sleep(time.Minute)
				return y.finish(ctx, r)
			}
		}
		y.keeper(slowly)
		time.Sleep(time.Second)
		second, third := y.keeper(slowly), y.keeper(slowly)
		time.Sleep(time.Minute)
		third.Kick("run")
		time.Sleep(5 * time.Minute)
		assert.Empty(t, y.made(), "it is not over")

		y.end("run", ledger.Finished, 0)
		y.end("other", ledger.Finished, 0)
		second.Kick("run")
		third.Kick("run")
		third.Kick("run")
		third.Kick("other")
		time.Sleep(61 * time.Second)
		assert.ElementsMatch(t, []string{"run/0", "other/0"}, y.made())
	})
}

func TestResultsThatCannotBeMadeAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.run("run", "out")
		var tries atomic.Int64
		y.keeper(func(o *sweep.Options) {
			o.Finish = func(ctx context.Context, r ledger.Run) error {
				if tries.Add(1) < 8 {
					return errors.New("the bucket is away")
				}
				return y.finish(ctx, r)
			}
		})
		time.Sleep(time.Minute)
		y.end("run", ledger.Finished, 0)
		time.Sleep(time.Minute)
		assert.Positive(t, tries.Load())
		time.Sleep(24 * time.Hour)
		assert.Equal(t, []string{"run/0"}, y.made())
		assert.EqualValues(t, 8, tries.Load())
	})
}

// While results are made the run's lease is kept; who stops, or loses it, ends.
func TestMakingResultsEndsWithTheKeeperAndItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.run("run", "out")
		y.end("run", ledger.Finished, 0)
		causes := make(chan error, 2)
		line := &cut{Leaser: y.ledger}
		forever := func(o *sweep.Options) {
			o.Leaser = line
			o.Finish = func(ctx context.Context, _ ledger.Run) error {
				<-ctx.Done()
				causes <- context.Cause(ctx)
				return ctx.Err()
			}
		}
		first := y.keeper(forever)
		time.Sleep(time.Hour)
		require.Empty(t, causes)
		second := y.keeper()
		second.Kick("run")
		time.Sleep(time.Minute)
		assert.Empty(t, y.made(), "the first is at it")

		line.off.Store(true)
		time.Sleep(time.Minute)
		require.ErrorIs(t, <-causes, sweep.ErrLeaseLost)
		line.off.Store(false)
		time.Sleep(time.Hour)
		assert.Equal(t, []string{"run/0"}, y.made(), "the second took over")

		y.run("next", "out")
		y.end("next", ledger.Finished, 0)
		first.Kick("next")
		time.Sleep(time.Second)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		first.Stop(ended)
		require.ErrorIs(t, <-causes, sweep.ErrStopped)
	})
}

// A task that drains gives the lease back before it ends its units; the results of
// a run that ends meanwhile are made all the same, within the time there is.
func TestAKeeperThatStopsMakesTheResultsItWasToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		for _, id := range []string{"one", "two", "three", "endless"} {
			y.run(id, "out")
		}
		var works func() bool
		causes := make(chan error, 1)
		k := y.keeper(func(o *sweep.Options) {
			works = own(t, o)
			o.Finish = func(ctx context.Context, r ledger.Run) error {
				time.Sleep(time.Minute)
				return y.finish(ctx, r)
			}
		})
		time.Sleep(time.Minute)
		k.Yield(t.Context())
		works()
		time.Sleep(time.Hour)
		assert.False(t, works())
		for _, id := range []string{"one", "two", "three"} {
			y.end(id, ledger.Finished, 0)
			k.Kick(id)
		}
		k.Stop(t.Context())
		assert.ElementsMatch(t, []string{"one/0", "two/0", "three/0"}, y.made())
		k.Kick("endless") // nobody is there any more

		y.end("endless", ledger.Finished, 0)
		k = y.keeper(func(o *sweep.Options) {
			o.Finish = func(ctx context.Context, r ledger.Run) error {
				if r.ID != "endless" {
					return nil // made before
				}
				<-ctx.Done()
				causes <- context.Cause(ctx)
				return ctx.Err()
			}
		})
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		k.Stop(ctx)
		require.ErrorIs(t, <-causes, sweep.ErrStopped)
		assert.Equal(t, time.Minute, time.Since(begin))
	})
}

// A run that is redriven, and ends, while the results of its last epoch are still
// being made.
func TestAKickWhileOlderResultsAreMadeIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.run("run", "out")
		k := y.keeper(func(o *sweep.Options) {
			o.NoProgress = 24 * time.Hour
			o.Finish = func(ctx context.Context, r ledger.Run) error {
				time.Sleep(10 * time.Minute)
				return y.finish(ctx, r)
			}
		})
		time.Sleep(time.Minute)
		y.end("run", ledger.Failed, 0)
		k.Kick("run")
		time.Sleep(time.Minute)
		_, err := y.ledger.Amend(t.Context(), "run", ledger.Change{From: ledger.Failed, State: ledger.Running, NextEpoch: true})
		require.NoError(t, err)
		y.end("run", ledger.Finished, 1)
		k.Kick("run")
		k.Stop(t.Context())
		assert.Equal(t, []string{"run/0", "run/1"}, y.made())
	})
}
