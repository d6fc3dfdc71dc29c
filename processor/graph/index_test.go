package graph

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An index of many runs, far larger than what is read of it at a time, has exactly
// the edges that were added, in order and once.
func TestTheIndexHasWhatWasAdded(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for _, most := range []int{300, 20_000, sortable} {
		s := &sorter{most: most}
		want := map[string]map[string]bool{}
		for range 20_000 {
			a := fmt.Sprint("vertex ", dice.IntN(700), strings.Repeat("x", dice.IntN(3)*dice.IntN(200)))
			b := fmt.Sprint(dice.IntN(900))
			if dice.IntN(50) == 0 {
				a, b = strings.Repeat("hub", maxName/3), strings.Repeat("y", maxName-5)+b
			}
			require.NoError(t, s.add(a, b))
			if want[a] == nil {
				want[a] = map[string]bool{}
			}
			want[a][b] = true
		}
		x, err := s.finish()
		require.NoError(t, err)
		for a, to := range want {
			var got []string
			for after, more := "", true; more; {
				var part []string
				part, more, err = x.neighbours(a, after, 7)
				require.NoError(t, err)
				require.NotEmpty(t, part)
				got = append(got, part...)
				after = part[len(part)-1]
			}
			require.Equal(t, slices.Sorted(maps.Keys(to)), got)
			found, err := x.has(a)
			require.NoError(t, err)
			require.True(t, found)
			for _, other := range []string{a + "x", a[:len(a)-1], "", "\xff"} {
				found, err := x.has(other)
				require.NoError(t, err)
				require.Equal(t, want[other] != nil, found, "vertex %q", other)
			}
		}
		require.NoError(t, x.close())
	}
}
