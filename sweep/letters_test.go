package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/sweep"
)

func (y *yard) letter(body, why string) {
	e := queue.Entry{Body: []byte(body)}
	if why != "" {
		e.Attrs = map[string]string{reason: why}
	}
	require.NoError(y.t, y.dead.Send(context.Background(), []queue.Entry{e})[0])
}

func (y *yard) left() int64 {
	d, err := y.dead.Depth(context.Background())
	require.NoError(y.t, err)
	return d.Total()
}

func TestWhatTheQueueMovedIsSettledAndPeoplesLettersStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		var want []string
		for i := range 25 {
			y.letter(fmt.Sprintf("lost %02d", i), "")
			y.letter(fmt.Sprintf("kept %02d", i), "a reason")
			want = append(want, fmt.Sprintf("lost %02d", i))
		}
		y.keeper()
		time.Sleep(30 * time.Second)
		assert.Equal(t, want, slices.Sorted(slices.Values(y.gone())), "each once")
		assert.EqualValues(t, 25, y.left())

		// Nothing has changed: nobody looks, and people see their letters.
		time.Sleep(2 * time.Minute)
		before := y.dead.Calls().Receive.Calls
		time.Sleep(5 * time.Minute)
		assert.Equal(t, before, y.dead.Calls().Receive.Calls)
		d, err := y.dead.Depth(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 25, d.Visible)

		y.letter("lost 99", "")
		time.Sleep(30 * time.Second)
		assert.Contains(t, y.gone(), "lost 99")
		assert.EqualValues(t, 25, y.left())
	})
}

// A letter that came while another was taken away leaves the number as it was.
func TestTheQueueIsLookedThroughAnyway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.letter("kept", "a reason")
		y.keeper()
		time.Sleep(2 * time.Minute)
		got, err := y.dead.Receive(t.Context(), queue.Request{Max: 1, Visibility: time.Minute})
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.NoError(t, y.dead.Delete(t.Context(), []queue.Receipt{got[0].Receipt})[0])
		y.letter("lost", "")
		time.Sleep(11 * time.Minute)
		assert.Equal(t, []string{"lost"}, y.gone())
	})
}

func TestALetterThatCannotBeSettledIsLeftForLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.letter("lost", "")
		tries := 0
		y.keeper(func(o *sweep.Options) {
			o.Lost = func(ctx context.Context, d queue.Delivery) error {
				if tries++; tries < 3 {
					return errors.New("the ledger is away")
				}
				return y.lose(ctx, d)
			}
		})
		time.Sleep(time.Minute)
		assert.EqualValues(t, 1, y.left())
		time.Sleep(time.Hour)
		assert.Equal(t, []string{"lost"}, y.gone())
		assert.Zero(t, y.left())
	})
}

// What a full dead-letter queue costs does not grow with what is in it.
func TestAFullQueueIsLookedThroughSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		for i := range 12_000 {
			y.letter(fmt.Sprint(i), "a reason")
		}
		y.keeper()
		for i := range 90 {
			time.Sleep(10 * time.Second)
			y.letter(fmt.Sprint("new ", i), "a reason")
		}
		assert.Less(t, y.dead.Calls().Receive.Calls, 900*20, "requests in 15 minutes")
		assert.Less(t, y.dead.Calls().Receive.Entries, 900*200, "messages received in 15 minutes")
	})
}
