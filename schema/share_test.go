package schema_test

import (
	"encoding/json"
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/schema"
)

var (
	shares = rapid.Custom(func(t *rapid.T) schema.Share {
		return schema.Share(rapid.Uint64Max(uint64(schema.Whole)).Draw(t, "share"))
	})
	weights = rapid.SliceOfN(rapid.OneOf(rapid.Uint32(), rapid.Uint32Max(3), rapid.Just(uint32(math.MaxUint32))), 1, schema.MaxSlots)
)

func TestPartsAddUpAndFollowTheWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share, weights := shares.Draw(t, "share"), weights.Draw(t, "weights")
		total := new(big.Int)
		for _, w := range weights {
			total.Add(total, big.NewInt(int64(w)))
		}

		parts := share.Split(weights)
		require.Len(t, parts, len(weights))
		var sum schema.Share
		for i, p := range parts {
			require.LessOrEqual(t, p, share, "no part is above the whole, or below nothing and wrapped round")
			sum += p

			// In exact arithmetic: share × weight ÷ total.
			want, of := big.NewInt(int64(weights[i])), total
			if total.Sign() == 0 {
				want, of = big.NewInt(1), big.NewInt(int64(len(weights)))
			}
			want.Mul(want, new(big.Int).SetUint64(uint64(share))).Div(want, of)
			off := want.Sub(want, new(big.Int).SetUint64(uint64(p)))
			require.LessOrEqual(t, off.CmpAbs(big.NewInt(1)), 0, "part %d is off by %s", i, off)
		}
		require.Equal(t, share, sum)
	})
}

func TestNothingIsSplitIntoNothing(t *testing.T) {
	assert.Empty(t, schema.Whole.Split(nil))
	assert.Equal(t, []schema.Share{0, 0, 0}, schema.Share(0).Split([]uint32{1, 2, 3}))
	assert.Equal(t, []schema.Share{0, schema.Whole, 0}, schema.Whole.Split([]uint32{0, 7, 0}), "a weight of zero has no part where others have")
	assert.Equal(t, []schema.Share{schema.Whole / 2, schema.Whole / 2}, schema.Whole.Split([]uint32{0, 0}), "all zero: equal parts")
}

func TestSharesTenThousandLevelsDeep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Uint32(), 1, 5).Draw(t, "weights")
		down := rapid.IntRange(0, len(weights)-1).Draw(t, "down")

		// All siblings on the way settle, then the last node: it is the whole.
		var settled schema.Share
		share := schema.Whole
		for range schema.MaxDepth {
			parts := share.Split(weights)
			for i, p := range parts {
				if i != down {
					settled += p
				}
			}
			if parts[down] > share || settled+parts[down] > schema.Whole {
				t.Fatalf("part %d of %d, settled %d", parts[down], share, settled)
			}
			share = parts[down]
		}
		require.Equal(t, schema.Whole, settled+share)
	})
}

func TestPartsOfAShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := shares.Draw(t, "share")
		den := rapid.Uint64Min(1).Draw(t, "den")
		num := rapid.Uint64Max(den).Draw(t, "num")
		want := new(big.Int).SetUint64(uint64(share))
		want.Mul(want, new(big.Int).SetUint64(num)).Div(want, new(big.Int).SetUint64(den))
		require.Equal(t, want.Uint64(), uint64(share.Part(num, den)))
	})
}

func TestFractions(t *testing.T) {
	for share, want := range map[schema.Share]float64{0: 0, schema.Whole: 1, schema.Whole / 2: 0.5, schema.Whole / 1024: 1.0 / 1024} {
		assert.InDelta(t, want, share.Fraction(), 0)
	}
	assert.LessOrEqual(t, (schema.Whole - 1).Fraction(), 1.0)
}

func TestSharesComeBackFromText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := shares.Draw(t, "share")
		text, err := json.Marshal(share)
		require.NoError(t, err)
		var got schema.Share
		require.NoError(t, json.Unmarshal(text, &got))
		require.Equal(t, share, got)
	})
	for _, text := range []string{"", "-1", "1.5", "1e3", "4611686018427387905", "18446744073709551616", "0x1", " 1"} {
		var got schema.Share
		require.ErrorContains(t, got.UnmarshalText([]byte(text)), "share is", text)
		assert.Zero(t, got)
	}
}
