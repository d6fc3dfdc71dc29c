package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/schema"
)

func newSketcher() *figures {
	return newFigures("w", newSlots(4), Sketching{Every: 30 * time.Second, Moments: 20, Doing: 2, Slowest: 3, Name: 10})
}

func drawn(t *testing.T, b ledger.Board) ledger.Sketch {
	all, err := b.Sketches(t.Context(), "run")
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

// A sketch has the oldest units under way and the slowest nodes, each once, and names
// that are cut.
func TestSketchOfUnitsAndNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, board := newSketcher(), hostile.New(1, hostile.Faults{})
		begin := func(node string) *seen {
			s := &seen{}
			f.begin("run", time.Now(), s, node, "k")
			time.Sleep(time.Second)
			return s
		}
		first := begin("first")
		begin("second, which has a long näme")
		begin("third")
		for i, took := range []int{3, 9, 1, 7, 5} {
			first.slow(3, fmt.Sprint("node ", i), "k", time.Duration(took)*time.Second, time.Now())
		}
		first.slow(3, "node 1", "k", time.Second, time.Now()) // again, and quicker
		require.NoError(t, f.report(t.Context(), board, false))
		s := drawn(t, board)
		assert.Equal(t, []string{"first", "second, wh…"}, []string{s.Doing[0].Node, s.Doing[1].Node})
		assert.Len(t, s.Doing, 2)
		assert.Empty(t, s.Slowest, "what a node took is told with its unit")

		first.busy = 3 * time.Second
		f.end("run", time.Now().Add(-3*time.Second), first, true)
		time.Sleep(30 * time.Second)
		require.NoError(t, f.report(t.Context(), board, false))
		s = drawn(t, board)
		assert.Equal(t, "third", s.Doing[1].Node)
		var slow []string
		for _, n := range s.Slowest {
			slow = append(slow, fmt.Sprint(n.Node, n.Took))
		}
		assert.Equal(t, []string{"node 19s", "node 37s", "node 45s"}, slow)
	})
}

// However long a run takes, its history has as many moments at most as it may, spread
// over all of it, and ends with the counters as they are.
func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, board := newSketcher(), hostile.New(1, hostile.Faults{})
		begun := time.Now()
		for n := range 1000 {
			f.settled("run", schema.Account{Nodes: 1, Objects: 2, Bytes: 3}, 1, 0)
			f.end("run", time.Time{}, &seen{}, true)
			time.Sleep(5 * time.Second)
			require.NoError(t, f.report(t.Context(), board, true))
			h := drawn(t, board).History
			require.LessOrEqual(t, len(h), 20)
			require.Equal(t, int64(n+1), h[len(h)-1].Nodes, "the last is that of now")
		}
		h := drawn(t, board).History
		require.GreaterOrEqual(t, len(h), 10)
		assert.Equal(t, begun.UnixMilli(), h[0].At.UnixMilli())
		assert.Zero(t, h[0].Nodes)
		longest := time.Duration(0)
		for i := 1; i < len(h); i++ {
			longest = max(longest, h[i].At.Sub(h[i-1].At))
			assert.GreaterOrEqual(t, h[i].Nodes, h[i-1].Nodes)
		}
		assert.LessOrEqual(t, longest, 5000*time.Second/10*2)
	})
}

// Sketches are drawn once in a while only, all of them at the end, and again where the
// board did not take one.
func TestSketchesAreDrawnNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, board := newSketcher(), hostile.New(1, hostile.Faults{})
		work := func() { f.end("run", time.Time{}, &seen{}, true) }
		for range 100 {
			work()
			time.Sleep(time.Second)
			require.NoError(t, f.report(t.Context(), board, false))
		}
		calls := board.Calls()
		assert.Equal(t, [2]int{100, 4}, [2]int{calls.Report.Acted, calls.Draw.Acted})
		work()
		require.NoError(t, f.report(t.Context(), board, true))
		assert.Equal(t, 5, board.Calls().Draw.Acted)
		require.NoError(t, f.report(t.Context(), board, true))
		assert.Equal(t, 5, board.Calls().Draw.Acted, "there is nothing new")

		work()
		require.Error(t, f.report(t.Context(), noSketches{board}, true))
		require.NoError(t, f.report(t.Context(), board, false))
		assert.Equal(t, 6, board.Calls().Draw.Acted)
	})
}

type noSketches struct{ ledger.Board }

func (noSketches) Draw(context.Context, ledger.Sketch) error { return errors.New("no") }

// TestSketchIsSmall: what a fleet's tasks draw costs three write units at most.
func TestSketchIsSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, board := newFigures("0123456789abcdef", newSlots(64), FleetSketching), hostile.New(1, hostile.Faults{})
		for n := range 2000 {
			s := &seen{busy: time.Second}
			f.begin("run", time.Now(), s, strings.Repeat("long/", 40)+fmt.Sprint(n), "s3.crawl")
			if n >= 1900 {
				continue
			}
			s.slow(FleetSketching.Slowest, fmt.Sprint(n)+strings.Repeat("/long", 40), "s3.crawl", time.Duration(n)*time.Millisecond, time.Now())
			f.settled("run", schema.Account{Nodes: 1000, Objects: 123456, Bytes: 9876543210}, schema.Whole/2000, 0)
			f.end("run", time.Now(), s, true)
			time.Sleep(5*time.Second + time.Duration(n%7)*time.Millisecond)
			require.NoError(t, f.report(t.Context(), board, false))
		}
		body, err := jsonSize(drawn(t, board))
		require.NoError(t, err)
		assert.Less(t, body, 3*1024-300, "with its keys it is three write units")
	})
}

func jsonSize(s ledger.Sketch) (int, error) {
	b, err := json.Marshal(s)
	return len(b), err
}
