package ledgertest

import (
	"fmt"
	"sync"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// graph is the vertices of a walk of its own.
type graph schema.PID

func (s *suite) newGraph() graph {
	return graph(schema.PIDOf(fmt.Sprintf("run-%d", runs.Add(1)), schema.Place{}))
}

func (g graph) vertices(names ...string) []schema.PID {
	pids := make([]schema.PID, len(names))
	for i, n := range names {
		pids[i] = schema.VertexPID(schema.PID(g), n)
	}
	return pids
}

func (g graph) claim(by string, depth int, nearer bool) ledger.Claim {
	return ledger.Claim{By: g.vertices(by)[0], Depth: depth, Nearer: nearer}
}

// bare is a claim as it is kept.
func bare(c ledger.Claim) ledger.Claim {
	c.Nearer = false
	return c
}

// visit makes claims and compares what is then kept, vertex by vertex.
func (s *suite) visit(c ledger.Claim, vertices []schema.PID, want ...ledger.Visit) {
	s.Helper()
	requireVisits(s, want, s.visits(c, vertices))
}

func (s *suite) visits(c ledger.Claim, vertices []schema.PID) []ledger.Visit {
	s.Helper()
	var got []ledger.Visit
	err, _ := s.retry(func() (err error) { got, err = s.store.Visit(s.Context(), c, vertices); return err })
	require.NoError(s, err, "claim visits")
	return got
}

// visited compares what is kept.
func (s *suite) visited(vertices []schema.PID, want ...ledger.Visit) {
	s.Helper()
	var got []ledger.Visit
	err, _ := s.retry(func() (err error) { got, err = s.store.Visited(s.Context(), vertices); return err })
	require.NoError(s, err, "read visits")
	requireVisits(s, want, got)
}

func requireVisits(s *suite, want, got []ledger.Visit) {
	s.Helper()
	require.Len(s, got, len(want))
	for i := range want {
		require.Equal(s, append(ledger.Visit{}, want[i]...), append(ledger.Visit{}, got[i]...), "vertex %d", i)
	}
}

func visitFirst(s *suite) {
	g := s.newGraph()
	a, b := g.claim("a", 3, false), g.claim("b", 2, false)
	s.visit(a, g.vertices("x", "y"), ledger.Visit{a}, ledger.Visit{a})
	s.visit(b, g.vertices("y", "z"), ledger.Visit{a}, ledger.Visit{b})
	s.visit(g.claim("c", 0, false), g.vertices("x", "z"), ledger.Visit{a}, ledger.Visit{b})
	other := s.newGraph()
	s.visit(b, other.vertices("x"), ledger.Visit{b})
	s.visited(g.vertices("x", "y", "z"), ledger.Visit{a}, ledger.Visit{a}, ledger.Visit{b})
}

func visitAgain(s *suite) {
	g := s.newGraph()
	a, b := g.claim("a", 3, true), g.claim("b", 2, true)
	s.visit(a, g.vertices("x"), ledger.Visit{bare(a)})
	s.visit(a, g.vertices("x", "y", "x", "y"), ledger.Visit{bare(a)}, ledger.Visit{bare(a)}, ledger.Visit{bare(a)}, ledger.Visit{bare(a)})
	s.visit(b, g.vertices("x"), ledger.Visit{bare(a), bare(b)})
	s.visit(a, g.vertices("x"), ledger.Visit{bare(a), bare(b)})
}

func visitNearer(s *suite) {
	g := s.newGraph()
	far, near, root := g.claim("far", ledger.MaxClaimDepth, true), g.claim("near", 7, true), g.claim("root", 0, true)
	x := g.vertices("x")
	s.visit(far, x, ledger.Visit{bare(far)})
	s.visit(g.claim("near", 7, false), x, ledger.Visit{bare(far)}) // which does not ask for it
	s.visit(near, x, ledger.Visit{bare(far), bare(near)})
	s.visit(g.claim("as near", 7, true), x, ledger.Visit{bare(far), bare(near)})
	s.visit(g.claim("farther", 8, true), x, ledger.Visit{bare(far), bare(near)})
	// The same vertex, having been reached in a shorter way itself.
	again := g.claim("near", 5, true)
	s.visit(again, x, ledger.Visit{bare(far), bare(near), bare(again)})
	s.visit(root, x, ledger.Visit{bare(far), bare(near), bare(again), bare(root)})
	s.visit(g.claim("root", 0, true), x, ledger.Visit{bare(far), bare(near), bare(again), bare(root)})
	s.visited(x, ledger.Visit{bare(far), bare(near), bare(again), bare(root)})
}

func visitMany(s *suite) {
	g := s.newGraph()
	var names, second []string
	for i := range 731 {
		n := fmt.Sprint("vertex ", i)
		names = append(names, n)
		if i%2 == 1 {
			second = append(second, n)
		}
	}
	a, b := g.claim("a", 2, true), g.claim("b", 1, true)
	s.visits(a, g.vertices(second...))
	want := make([]ledger.Visit, len(names))
	for i := range want {
		if want[i] = (ledger.Visit{bare(b)}); i%2 == 1 {
			want[i] = ledger.Visit{bare(a), bare(b)}
		}
	}
	s.visit(b, g.vertices(names...), want...)
	s.visited(g.vertices(names...), want...)
	require.Empty(s, s.visits(a, nil), "no vertices")
}

func visitedNothing(s *suite) {
	g := s.newGraph()
	a := g.claim("a", 1, true)
	s.visited(g.vertices("x", "y"), nil, nil)
	s.visit(a, g.vertices("y"), ledger.Visit{bare(a)})
	s.visited(g.vertices("x", "y", "x", "y"), nil, ledger.Visit{bare(a)}, nil, ledger.Visit{bare(a)})
	s.visit(a, g.vertices("x"), ledger.Visit{bare(a)})
}

func visitDepths(s *suite) {
	g := s.newGraph()
	for _, depth := range []int{-1, ledger.MaxClaimDepth + 1} {
		_, err := s.store.Visit(s.Context(), g.claim("a", depth, true), g.vertices("x"))
		require.ErrorContains(s, err, fmt.Sprintf("depth is %d", depth))
	}
	s.visited(g.vertices("x"), nil)
}

// visitRace has many vertices claim the same ones, each with a depth of its own, some
// twice: of each vertex all agree on who was first and who is nearest.
func visitRace(s *suite) {
	for _, nearer := range []bool{false, true} {
		g := s.newGraph()
		x := g.vertices("a", "b", "c", "d", "e", "f")
		var mu sync.Mutex
		told := map[ledger.Claim][]ledger.Visit{}
		var all sync.WaitGroup
		for i := range 40 {
			c := g.claim(fmt.Sprint("by ", i%20), 20-i%20, nearer)
			all.Go(func() {
				var got []ledger.Visit
				err, _ := s.retry(func() (err error) { got, err = s.store.Visit(s.Context(), c, x); return err })
				mu.Lock()
				defer mu.Unlock()
				if assert.NoError(s, err) {
					told[bare(c)] = got
				}
			})
		}
		all.Wait()
		var end []ledger.Visit
		err, _ := s.retry(func() (err error) { end, err = s.store.Visited(s.Context(), x); return err })
		require.NoError(s, err)
		for i, v := range end {
			require.NotEmpty(s, v)
			require.Contains(s, told, v[0], "whoever was first has claimed")
			for n := 1; n < len(v); n++ {
				require.Less(s, v[n].Depth, v[n-1].Depth, "each claim is nearer than the one before it")
			}
			if nearer {
				require.Equal(s, 1, v[len(v)-1].Depth, "the nearest holds")
			} else {
				require.Len(s, v, 1, "claims that take over from none")
			}
			for c, got := range told {
				require.Equal(s, v.Has(c), got[i].Has(c), "what a claimant was told of its own claim")
				require.Equal(s, v.First(c), got[i].First(c), "what a claimant was told of being first")
			}
		}
	}
}
