package ledgertest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// model is a ledger of one run, in the plainest form that answers questions: a
// list of what was done, and questions that look through it.
type model struct {
	state   ledger.State
	epoch   int
	claimed int // Run.Claim
	totals  schema.Account
	settled []ledger.Settlement // those that won, in order; not the root's
	claims  []claimOf
	plans   map[schema.PID]ledger.Plan
}

type claimOf struct {
	at    schema.Place
	epoch int
}

// tally counts what was done to a plan in an epoch.
func (m *model) tally(plan schema.PID, epoch int) (t ledger.Tally, there bool) {
	t = ledger.Tally{PID: plan, Epoch: epoch}
	for _, c := range m.claims {
		if c.at.Parent == plan && c.epoch == epoch {
			t.Claim.Add(c.at.Slot)
			there = true
		}
	}
	for _, st := range m.settled {
		if st.At.Parent != plan || st.Epoch != epoch {
			continue
		}
		there = true
		t.Done.Add(st.At.Slot)
		if st.Failed {
			t.Fail.Add(st.At.Slot)
		}
		if st.Via {
			t.Via.Add(st.At.Slot)
		}
		t.Sum = t.Sum.Add(st.Account)
		if t.Header == nil {
			t.Header = st.Header
		}
	}
	return t, there
}

func (m *model) has(at schema.Place, epoch int) (done, claimed bool) {
	t, _ := m.tally(at.Parent, epoch)
	return t.Done.Has(at.Slot), t.Claim.Has(at.Slot)
}

func (m *model) claim(at schema.Place, epoch int) ledger.Outcome {
	if at.IsRoot() {
		if m.state != ledger.Running || m.epoch != epoch {
			return ledger.Over
		}
		m.claimed = epoch + 1
		return ledger.Won
	}
	if done, _ := m.has(at, epoch); done {
		return ledger.Already
	}
	m.claims = append(m.claims, claimOf{at, epoch})
	return ledger.Won
}

func (m *model) settle(st ledger.Settlement) ledger.Outcome {
	if st.At.IsRoot() {
		switch {
		case m.state != ledger.Running || m.epoch != st.Epoch:
			return ledger.Over
		case st.Unfenced && m.claimed == st.Epoch+1:
			return ledger.Claimed
		}
		m.state = ledger.Finished
		if st.Failed {
			m.state = ledger.Failed
		}
		m.totals = m.totals.Add(st.Account)
		return ledger.Won
	}
	done, claimed := m.has(st.At, st.Epoch)
	switch {
	case done:
		return ledger.Already
	case claimed && st.Unfenced:
		return ledger.Claimed
	}
	m.settled = append(m.settled, st)
	return ledger.Won
}

func (m *model) plan(p ledger.Plan) (won bool) {
	old, there := m.plans[p.PID]
	switch {
	case !there, old.Type == ledger.Tomb && p.Epoch > old.Epoch:
		m.plans[p.PID] = p
		return true
	default:
		return old.MID == p.MID && old.Attempt == p.Attempt && old.Type == p.Type && old.Epoch == p.Epoch
	}
}

// change is a redrive or a cancel, and whether it is made.
func (m *model) change(c ledger.Change) bool {
	if m.state != c.From || m.epoch != c.Epoch {
		return false
	}
	m.state = c.State
	if c.NextEpoch {
		m.epoch++
	}
	return true
}

// likeModel makes random calls on few records, so that they meet.
func likeModel(s *suite) {
	hidden := struct{ *testing.T }{s.t} // rapid asks a bare T for its deadline, which a bubble does not have
	rapid.Check(hidden, func(rt *rapid.T) {
		rs := *s
		rs.reporter = rt
		m := &model{state: ledger.Running, plans: map[schema.PID]ledger.Plan{}}
		run := rs.newRun().ID
		nodes := []schema.PID{node(run, 0), node(run, 1)}
		rt.Repeat(map[string]func(*rapid.T){
			"settle": func(rt *rapid.T) {
				st := ledger.Settlement{
					Run: run, At: drawPlace(rt, nodes), Epoch: rapid.IntRange(0, 1).Draw(rt, "epoch"),
					Account: schema.Account{Nodes: rapid.Int64Range(-9, 9).Draw(rt, "nodes"), Bytes: rapid.Int64Range(-1e12, 1e12).Draw(rt, "bytes")},
					Failed:  rapid.Bool().Draw(rt, "failed"), Via: rapid.Bool().Draw(rt, "via"), Unfenced: rapid.Bool().Draw(rt, "unfenced"),
				}
				if k := rapid.IntRange(0, 3).Draw(rt, "header"); k > 0 {
					st.Header = header(k)
				}
				want := m.settle(st)
				got := rs.settle(st, want)
				m.sameTally(&rs, st.At, st.Epoch, got)
			},
			"claim": func(rt *rapid.T) {
				at, epoch := drawPlace(rt, nodes), rapid.IntRange(0, 1).Draw(rt, "epoch")
				want := m.claim(at, epoch)
				got := rs.claim(run, at, epoch, want)
				m.sameTally(&rs, at, epoch, got)
			},
			"plan": func(rt *rapid.T) {
				p := livePlan(run, rapid.IntRange(0, 1).Draw(rt, "node"))
				p.Type = rapid.SampledFrom([]ledger.PlanType{ledger.Live, ledger.Leaf, ledger.Tomb, ledger.Tomb}).Draw(rt, "type")
				p.Epoch = rapid.IntRange(0, 3).Draw(rt, "epoch")
				p.MID = schema.MID(rapid.Uint64Range(0, 1).Draw(rt, "mid"))
				p.Attempt = rapid.Uint64Range(0, 1).Draw(rt, "attempt")
				p.Kids[0].ID = fmt.Sprint(p.Type, p.Epoch, p.MID, p.Attempt)
				want := m.plan(p)
				require.Equal(rt, tidyPlan(m.plans[p.PID]), rs.plan(p, want))
			},
			"amend": func(rt *rapid.T) {
				c := ledger.Change{From: ledger.Failed, State: ledger.Running, NextEpoch: true}
				if rapid.IntRange(0, 5).Draw(rt, "cancel") == 0 {
					c = ledger.Change{From: ledger.Running, State: ledger.Cancelled}
				}
				c.Epoch = rapid.IntRange(0, 1).Draw(rt, "epoch")
				if !m.change(c) {
					rs.conflict(run, c)
					return
				}
				now := rs.amend(run, c)
				require.Equal(rt, m.state, now.State)
				require.Equal(rt, m.epoch, now.Epoch)
			},
			"": func(*rapid.T) { m.same(&rs, run, nodes) },
		})
	})
}

// drawPlace is the root's place or a slot of a node.
func drawPlace(rt *rapid.T, nodes []schema.PID) schema.Place {
	i := rapid.IntRange(-1, len(nodes)-1).Draw(rt, "parent")
	if i < 0 {
		return schema.Place{}
	}
	return schema.Place{Parent: nodes[i], Slot: rapid.SampledFrom([]int{0, 63, 64, 255}).Draw(rt, "slot")}
}

// sameTally compares the tally that a call was answered with.
func (m *model) sameTally(s *suite, at schema.Place, epoch int, got ledger.Tally) {
	s.Helper()
	if at.IsRoot() {
		require.Zero(s, got, "the tally of the root")
		return
	}
	want, _ := m.tally(at.Parent, epoch)
	require.Equal(s, want, got)
}

// same compares all records.
func (m *model) same(s *suite, run string, nodes []schema.PID) {
	s.Helper()
	var keys []ledger.Key
	for _, n := range nodes {
		keys = append(keys, ledger.Key{PID: n}, ledger.Key{PID: n, Tally: true}, ledger.Key{PID: n, Tally: true, Epoch: 1})
	}
	for i, rec := range s.read(keys...) {
		k := keys[i]
		if k.Tally {
			want, there := m.tally(k.PID, k.Epoch)
			require.Equal(s, there, rec.Tally != nil, "the tally exists")
			if there {
				require.Equal(s, want, *rec.Tally)
			}
			continue
		}
		want, there := m.plans[k.PID]
		require.Equal(s, there, rec.Plan != nil, "the plan exists")
		if there {
			require.Equal(s, tidyPlan(want), tidyPlan(*rec.Plan))
		}
	}
	r := s.run(run)
	require.Equal(s, m.state, r.State)
	require.Equal(s, m.epoch, r.Epoch)
	require.Equal(s, m.claimed, r.Claim)
	require.Equal(s, m.totals, r.Totals)
}
