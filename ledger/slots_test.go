package ledger_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// slotSets are sets of slots beside the map that says what they should hold.
var slotSets = rapid.SliceOfN(rapid.IntRange(0, schema.MaxSlots-1), 0, 300)

func slotsOf(list []int) (ledger.Slots, map[int]bool) {
	var s ledger.Slots
	model := map[int]bool{}
	for _, i := range list {
		s.Add(i)
		model[i] = true
	}
	return s, model
}

func requireSlots(t require.TestingT, model map[int]bool, s ledger.Slots) {
	require.Equal(t, len(model), s.Len())
	for i := range schema.MaxSlots {
		require.Equal(t, model[i], s.Has(i), i)
	}
	require.Equal(t, slices.Sorted(maps.Keys(model)), slices.Collect(s.All), "in order")
}

func TestSlotsAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, model := slotsOf(slotSets.Draw(t, "slots"))
		requireSlots(t, model, s)
	})
	requireSlots(t, map[int]bool{}, ledger.Slots{})
}

func TestSlotsMinus(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, in := slotsOf(slotSets.Draw(t, "s"))
		other, out := slotsOf(slotSets.Draw(t, "t"))
		before := s
		want := maps.Clone(in)
		maps.DeleteFunc(want, func(i int, _ bool) bool { return out[i] })
		requireSlots(t, want, s.Minus(other))
		require.Equal(t, before, s, "it is a new set")
		require.Equal(t, ledger.Slots{}, s.Minus(s))
	})
}

func TestFirstSlots(t *testing.T) {
	for n := range schema.MaxSlots + 1 {
		s := ledger.FirstSlots(n)
		want := map[int]bool{}
		for i := range n {
			want[i] = true
		}
		requireSlots(t, want, s)
	}
}

func TestAllStopsWhenTold(t *testing.T) {
	s := ledger.FirstSlots(schema.MaxSlots)
	var seen []int
	for i := range s.All {
		seen = append(seen, i)
		if i == 70 {
			break
		}
	}
	assert.Len(t, seen, 71)
}

// A slot beyond the last would settle another's place if it wrapped round.
func TestSlotsHaveNoRoomForMore(t *testing.T) {
	var s ledger.Slots
	assert.Panics(t, func() { s.Add(schema.MaxSlots) })
	assert.Panics(t, func() { s.Add(-1) })
	assert.Panics(t, func() { s.Has(schema.MaxSlots) })
	assert.Panics(t, func() { ledger.FirstSlots(schema.MaxSlots + 1) })
	assert.Zero(t, s.Len())
}

func TestATallyIsCompleteWhenAllRequiredSlotsHaveSettled(t *testing.T) {
	for _, required := range []int{1, 64, 255, 256} {
		tally := ledger.Tally{Done: ledger.FirstSlots(required - 1)}
		assert.False(t, tally.Complete(), "nobody knows how many there are")
		tally.Header = &schema.Header{Required: required}
		assert.False(t, tally.Complete())
		tally.Done.Add(required - 1)
		assert.True(t, tally.Complete())
	}
}
