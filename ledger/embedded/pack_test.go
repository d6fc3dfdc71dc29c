package embedded

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

func FuzzUnpackTally(f *testing.F) {
	f.Add(packTally(nil, &ledger.Tally{}))
	f.Add(packTally(nil, &ledger.Tally{
		Done: ledger.FirstSlots(256), Fail: ledger.FirstSlots(9), Claim: ledger.Slots{3: 1 << 63}, Via: ledger.FirstSlots(1),
		Sum:    schema.Account{Nodes: math.MaxInt64, Objects: math.MinInt64, Bytes: -1, Failures: 1, Reduces: 2},
		Header: &schema.Header{Required: 256, Own: schema.Account{Bytes: 7}, Up: schema.Place{Parent: schema.PID{1, 15: 2}, Slot: 255}, Reduce: true},
	}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var one, two ledger.Tally
		if unpackTally(b, &one) != nil {
			return
		}
		require.NoError(t, unpackTally(packTally(nil, &one), &two))
		require.Equal(t, one, two)
	})
}

func TestDamagedTally(t *testing.T) {
	whole := packTally(nil, &ledger.Tally{
		Done: ledger.FirstSlots(100), Fail: ledger.FirstSlots(9), Sum: schema.Account{Bytes: 1 << 40}, Header: &schema.Header{Required: 100},
	})
	for n := range whole {
		require.ErrorIs(t, unpackTally(whole[:n], &ledger.Tally{}), errPacked, "cut after %d bytes", n)
	}
	require.ErrorIs(t, unpackTally(append(whole, 0), &ledger.Tally{}), errPacked)
	assert.Less(t, len(packTally(nil, &ledger.Tally{Done: ledger.FirstSlots(10), Sum: schema.Account{Nodes: 10, Objects: 1e4, Bytes: 1e9}, Header: &schema.Header{Required: 10, Own: schema.Account{Nodes: 1}}})), 64)
}
