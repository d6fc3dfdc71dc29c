package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/ledger"
	ledgerhostile "github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/queue"
	queuehostile "github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/sweep"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const reason = "why"

// yard is what keepers look after.
type yard struct {
	t      *testing.T
	ledger *ledgerhostile.Ledger
	main   *queuehostile.Queue
	dead   *queuehostile.Queue
	n      int

	mu       sync.Mutex
	lost     []string // bodies
	finished []string // run/epoch
}

func newYard(t *testing.T) *yard {
	y := &yard{
		t: t, ledger: ledgerhostile.New(1, ledgerhostile.Faults{}),
		main: queuehostile.New(2, queuehostile.Faults{}), dead: queuehostile.New(3, queuehostile.Faults{}),
	}
	t.Cleanup(func() {
		require.NoError(t, y.main.Close())
		require.NoError(t, y.dead.Close())
		require.NoError(t, y.ledger.Close())
	})
	return y
}

func (y *yard) poster() *post.Poster { return &post.Poster{Queue: y.main} }

// keeper starts one that is stopped with the test.
func (y *yard) keeper(change ...func(*sweep.Options)) *sweep.Keeper {
	y.n++
	o := sweep.Options{
		Name: "main", ID: fmt.Sprint("keeper-", y.n), Ledger: y.ledger, Board: y.ledger, Leaser: y.ledger, Poster: y.poster(),
		Dead: y.dead, Reason: reason, Lost: y.lose, Finish: y.finish, Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&o)
	}
	k, err := sweep.NewKeeper(o)
	require.NoError(y.t, err)
	k.Start(y.t.Context())
	y.t.Cleanup(func() { k.Stop(context.Background()) })
	return k
}

func (y *yard) lose(_ context.Context, d queue.Delivery) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.lost = append(y.lost, string(d.Body))
	return nil
}

func (y *yard) finish(_ context.Context, r ledger.Run) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.finished = append(y.finished, fmt.Sprint(r.ID, "/", r.Epoch))
	return nil
}

func (y *yard) made() []string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return append([]string(nil), y.finished...)
}

func (y *yard) gone() []string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return append([]string(nil), y.lost...)
}

// run creates a run that goes on.
func (y *yard) run(id, out string) {
	r := ledger.Run{
		ID: id, State: ledger.Running, Root: ledger.Kid{Kind: "k", ID: "0"},
		Options: ledger.Options{Out: out}, Created: time.Now(),
	}
	require.NoError(y.t, y.ledger.Create(context.Background(), r))
}

// end changes a run that goes on.
func (y *yard) end(id string, s ledger.State, epoch int) {
	_, err := y.ledger.Amend(context.Background(), id, ledger.Change{From: ledger.Running, Epoch: epoch, State: s, At: time.Now()})
	require.NoError(y.t, err)
}

func (y *yard) sent() int { return y.main.Calls().Send.Entries }

func TestOptionsAreChecked(t *testing.T) {
	l := ledgerhostile.New(1, ledgerhostile.Faults{})
	q := queuehostile.New(1, queuehostile.Faults{})
	good := sweep.Options{Name: "n", ID: "i", Ledger: l, Board: l, Leaser: l, Poster: &post.Poster{Queue: q}}
	_, err := sweep.NewKeeper(good)
	require.NoError(t, err)
	for want, spoil := range map[string]func(*sweep.Options){
		"name":   func(o *sweep.Options) { o.Name = "" },
		"id":     func(o *sweep.Options) { o.ID = "" },
		"leaser": func(o *sweep.Options) { o.Leaser = nil },
		"board":  func(o *sweep.Options) { o.Board = nil },
		"poster": func(o *sweep.Options) { o.Poster = nil },
		"Lost":   func(o *sweep.Options) { o.Dead = q },
		"Reason": func(o *sweep.Options) {
			o.Dead = q
			o.Lost = func(context.Context, queue.Delivery) error { return nil }
		},
	} {
		bad := good
		spoil(&bad)
		_, err := sweep.NewKeeper(bad)
		require.ErrorContains(t, err, want)
	}
}

func TestAKeeperThatWasNotStartedStops(t *testing.T) {
	l := ledgerhostile.New(1, ledgerhostile.Faults{})
	k, err := sweep.NewKeeper(sweep.Options{
		Name: "n", ID: "i", Ledger: l, Board: l, Leaser: l,
		Poster: &post.Poster{Queue: queuehostile.New(1, queuehostile.Faults{})},
	})
	require.NoError(t, err)
	k.Kick("run")
	k.Stop(t.Context())
}

// own gives a keeper a dead-letter queue of its own, by whose calls one sees
// whether it works.
func own(t *testing.T, o *sweep.Options) (works func() bool) {
	q := queuehostile.New(9, queuehostile.Faults{})
	t.Cleanup(func() { require.NoError(t, q.Close()) })
	o.Dead = q
	last := 0
	return func() bool {
		now := q.Calls().Depth.Calls
		defer func() { last = now }()
		return now > last
	}
}

func TestOneOfManyWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		var works [3]func() bool
		var keepers [3]*sweep.Keeper
		for i := range keepers {
			keepers[i] = y.keeper(func(o *sweep.Options) { works[i] = own(t, o) })
			time.Sleep(time.Second)
		}
		now := func() (which []int) {
			for i := range works {
				if works[i]() {
					which = append(which, i)
				}
			}
			return which
		}
		time.Sleep(time.Hour)
		assert.Equal(t, []int{0}, now())
		leases := y.ledger.Calls().Lease.Calls
		assert.Less(t, leases, 3600/10+2*3600/25, "those who wait ask when the lease ends, not all the time")

		keepers[0].Stop(t.Context())
		now()
		time.Sleep(time.Minute)
		second := now()
		require.Len(t, second, 1, "another took over")
		time.Sleep(time.Hour)
		assert.Equal(t, second, now())
	})
}

// cut is a leaser that one keeper can no longer reach.
type cut struct {
	ledger.Leaser
	off atomic.Bool
}

func (c *cut) Lease(ctx context.Context, want ledger.Lease) (ledger.Lease, error) {
	if c.off.Load() {
		return ledger.Lease{}, errors.New("no route")
	}
	return c.Leaser.Lease(ctx, want)
}

func TestAKeeperThatCannotRenewItsLeaseStopsWorking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		line := &cut{Leaser: y.ledger}
		var first, second func() bool
		y.keeper(func(o *sweep.Options) { first = own(t, o); o.Leaser = line })
		time.Sleep(time.Second)
		y.keeper(func(o *sweep.Options) { second = own(t, o) })
		time.Sleep(time.Minute)
		assert.True(t, first())
		assert.False(t, second())

		line.off.Store(true)
		time.Sleep(15 * time.Second)
		assert.True(t, first(), "its lease has not ended yet")
		time.Sleep(time.Minute)
		first()
		time.Sleep(time.Minute)
		assert.False(t, first())
		assert.True(t, second())

		line.off.Store(false)
		time.Sleep(10 * time.Minute)
		assert.False(t, first(), "the other has it")
		assert.True(t, second())
	})
}

// Faults of the ledger and the queues keep nobody from it for good.
func TestFaultsDelayAndEndNothing(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			y := newYard(t)
			for i := range 30 {
				e := queue.Entry{Body: fmt.Append(nil, "lost ", i)}
				if i%2 == 0 {
					e.Body, e.Attrs = fmt.Append(nil, "kept ", i), map[string]string{reason: "a reason"}
				}
				require.NoError(t, y.dead.Send(t.Context(), []queue.Entry{e})[0])
			}
			y.run("live", "out")
			y.run("over", "out")
			y.end("over", ledger.Failed, 0)
			p := 0.1 + float64(seed)/50
			y.ledger.Set(ledgerhostile.Unkind(p))
			y.main.Set(queuehostile.Unkind(p))
			dead := queuehostile.Unkind(p)
			dead.Ghost = 0
			y.dead.Set(dead)
			for range 3 {
				y.keeper()
			}
			time.Sleep(3 * time.Hour)

			y.ledger.Set(ledgerhostile.Faults{})
			y.dead.Set(queuehostile.Faults{})
			lost := map[string]bool{}
			for _, body := range y.gone() {
				lost[body] = true
			}
			assert.Len(t, lost, 15)
			assert.NotContains(t, lost, "kept 0")
			d, err := y.dead.Depth(t.Context())
			require.NoError(t, err)
			assert.GreaterOrEqual(t, d.Total(), int64(15), "those with a reason are still there")
			assert.Contains(t, y.made(), "over/0")
			assert.Positive(t, y.sent(), "the run without progress was swept")
		})
	}
}

// deaf is a ledger that gives no lease back, and does not say so.
type deaf struct{ ledger.Leaser }

func (deaf) Release(ctx context.Context, _, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

// A ledger that is away does not take the time in which a task is to stop.
func TestAKeeperYieldsInTheTimeItIsGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		k := y.keeper(func(o *sweep.Options) { o.Leaser = deaf{o.Leaser} })
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		k.Yield(ctx)
		assert.Equal(t, time.Second, time.Since(began))
	})
}

// A keeper whose clock was an hour ahead has died: its lease is for an hour more, and
// the next one does not wait for that. One that lives keeps its lease, whatever its clock.
func TestALeaseOfTheFutureIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		ahead := func() ledger.Lease {
			now := time.Now().Add(time.Hour)
			held, err := y.ledger.Lease(t.Context(), ledger.Lease{Name: "sweep:main", Owner: "ahead", From: now, Until: now.Add(30 * time.Second)})
			require.NoError(t, err)
			return held
		}
		ahead()
		y.keeper()
		for range 60 { // it lives, and renews
			time.Sleep(10 * time.Second)
			require.Equal(t, "ahead", ahead().Owner)
		}
		begun := time.Now()
		for owner := "ahead"; owner == "ahead"; {
			time.Sleep(time.Second)
			held, err := y.ledger.Lease(t.Context(), ledger.Lease{Name: "sweep:main", Owner: "looker", From: time.Time{}, Until: time.Now()})
			require.NoError(t, err)
			owner = held.Owner
		}
		assert.Less(t, time.Since(begun), 3*time.Minute)
	})
}
