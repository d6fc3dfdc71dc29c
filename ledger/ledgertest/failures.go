package ledgertest

import (
	"math"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// given is a moment that no more is kept of than milliseconds.
var given = time.Date(2026, 11, 26, 9, 30, 1, 250_999_999, time.FixedZone("", 3600))

// failed is the end of a run whose root has three children: the first was given up as
// versions do that tell how often it was tried, the second as those that did not, the
// third went well.
func failed(s *suite) ledger.Run {
	r := s.newRun()
	root := livePlan(r.ID, 0)
	root.PID, root.Up, root.Depth = schema.PIDOf(r.ID, schema.Place{}), schema.Place{}, 0
	root.Kids = []ledger.Kid{{Kind: "test", ID: "told", Deeper: 1}, {Kind: "test", ID: "older", Deeper: 1}, {Kind: "test", ID: "well", Deeper: 1}}
	s.plan(root, true)
	told := tombPlan(r.ID, 0, 0)
	told.Err, told.Tries, told.At = "no access", math.MaxInt32, given
	s.plan(told, true)
	s.plan(tombPlan(r.ID, 1, 0), true)
	for slot := range 3 {
		st := leafAt(r.ID, root.PID, slot)
		st.Failed, st.Header = slot < 2, header(3)
		s.settle(st, ledger.Won)
	}
	end := rootOf(r.ID)
	end.Failed, end.Via = true, true
	s.settle(end, ledger.Won)
	return s.run(r.ID)
}

// failures are those of a run behind a place; nil: all.
func (s *suite) failures(r ledger.Run, after *schema.Place) (all []ledger.Failure) {
	s.Helper()
	err, _ := s.retry(func() error {
		all = nil
		walk := ledger.Failures(s.Context(), s.store, r)
		if after != nil {
			walk = ledger.FailuresAfter(s.Context(), s.store, r, *after)
		}
		for f, err := range walk {
			if err != nil {
				return err
			}
			all = append(all, f)
		}
		return nil
	})
	require.NoError(s, err, "list failures")
	return all
}

func failuresTold(s *suite) {
	r := failed(s)
	root := schema.PIDOf(r.ID, schema.Place{})
	kid := func(id string) ledger.Kid { return ledger.Kid{Kind: "test", ID: id, Deeper: 1} }
	want := []ledger.Failure{
		{
			Kid: kid("told"), PID: node(r.ID, 0), Place: schema.Place{Parent: root}, Depth: 1, Reason: "no access",
			Attempts: math.MaxInt32, At: given.UTC().Truncate(time.Millisecond),
		},
		{Kid: kid("older"), PID: node(r.ID, 1), Place: schema.Place{Parent: root, Slot: 1}, Depth: 1, Reason: "it would not"},
	}
	require.Equal(s, want, s.failures(r, nil))
	require.Equal(s, want[1:], s.failures(r, &want[0].Place))
	require.Empty(s, s.failures(r, &want[1].Place))
}
