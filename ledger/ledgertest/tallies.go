package ledgertest

import (
	"sync"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// leafAt settles a slot of a plan with one node and some bytes.
func leafAt(run string, plan schema.PID, slot int) ledger.Settlement {
	return ledger.Settlement{
		Run: run, At: schema.Place{Parent: plan, Slot: slot},
		Account: schema.Account{Nodes: 1, Objects: int64(slot), Bytes: 1 << 40},
	}
}

func header(k int) *schema.Header {
	return &schema.Header{
		Required: k, Own: schema.Account{Nodes: 1, Objects: 2, Bytes: -3, Failures: 4, Reduces: 5},
		Up: schema.Place{Parent: schema.PID{9, 8, 7}, Slot: 200}, Reduce: true,
	}
}

func slots(of ...int) (s ledger.Slots) {
	for _, i := range of {
		s.Add(i)
	}
	return s
}

func claims(s *suite) {
	r := s.newRun()
	plan := node(r.ID, 0)
	at := func(slot int) schema.Place { return schema.Place{Parent: plan, Slot: slot} }

	want := ledger.Tally{PID: plan, Claim: slots(7)}
	require.Equal(s, want, s.claim(r.ID, at(7), 0, ledger.Won), "a claim before anything has settled")
	require.Equal(s, want, *s.tally(plan, 0))
	require.Equal(s, want, s.claim(r.ID, at(7), 0, ledger.Won), "a claim again")
	want.Claim = slots(7, 255)
	require.Equal(s, want, s.claim(r.ID, at(255), 0, ledger.Won))

	settled := s.settle(leafAt(r.ID, plan, 3), ledger.Won)
	require.Equal(s, settled, s.claim(r.ID, at(3), 0, ledger.Already), "a claim of what has settled tells the tally")
	settled = s.settle(leafAt(r.ID, plan, 7), ledger.Won)
	require.Equal(s, settled, s.claim(r.ID, at(7), 0, ledger.Already), "a claim that had been won, of what has settled since")
	require.Equal(s, settled, *s.tally(plan, 0), "and changes nothing")

	require.Equal(s, ledger.Tally{PID: plan, Epoch: 1, Claim: slots(3)}, s.claim(r.ID, at(3), 1, ledger.Won), "another epoch")
	require.Equal(s, settled, *s.tally(plan, 0))
}

func claimsRoot(s *suite) {
	r := s.newRun()
	want := tidyRun(r)
	require.Zero(s, s.claim(r.ID, schema.Place{}, 1, ledger.Over), "the tally of the root")
	require.Equal(s, want, s.run(r.ID), "after a claim in another epoch")
	want.Claim = 1
	for range 2 {
		require.Zero(s, s.claim(r.ID, schema.Place{}, 0, ledger.Won))
		require.Equal(s, want, s.run(r.ID))
	}
	s.settle(ledger.Settlement{Run: r.ID, Failed: true}, ledger.Won)
	over := s.run(r.ID)
	s.claim(r.ID, schema.Place{}, 0, ledger.Over)
	require.Equal(s, over, s.run(r.ID), "after a claim of a run that is over")

	s.amend(r.ID, ledger.Change{From: ledger.Failed, State: ledger.Running, NextEpoch: true})
	s.claim(r.ID, schema.Place{}, 0, ledger.Over)
	s.claim(r.ID, schema.Place{}, 1, ledger.Won)
	require.Equal(s, 2, s.run(r.ID).Claim)
}

func settleAdds(s *suite) {
	r := s.newRun()
	plan, other := node(r.ID, 0), node(r.ID, 1)
	want := ledger.Tally{PID: plan}
	for _, slot := range []int{3, 0, 64} {
		st := leafAt(r.ID, plan, slot)
		st.Account = schema.Account{Nodes: 1, Objects: int64(slot) - 10, Bytes: 1 << 61, Failures: -2, Reduces: 3}
		if slot == 64 {
			st.Account.Bytes = -1 << 62
		}
		want.Done.Add(slot)
		want.Sum = want.Sum.Add(st.Account)
		require.Equal(s, want, s.settle(st, ledger.Won))
		require.Equal(s, want, *s.tally(plan, 0))
	}
	s.missing(ledger.Key{PID: other, Tally: true})
	s.missing(ledger.Key{PID: plan})
	require.Equal(s, tidyRun(r), s.run(r.ID))
}

func settleSets(s *suite) {
	r := s.newRun()
	plan := node(r.ID, 0)
	want := ledger.Tally{PID: plan}
	for slot := range 4 {
		st := leafAt(r.ID, plan, slot)
		st.Account = schema.Account{}
		st.Failed, st.Via = slot&1 != 0, slot&2 != 0
		want.Done.Add(slot)
		if st.Failed {
			want.Fail.Add(slot)
		}
		if st.Via {
			want.Via.Add(slot)
		}
		require.Equal(s, want, s.settle(st, ledger.Won))
	}
	require.Equal(s, want, *s.tally(plan, 0))
}

func settleEvery(s *suite) {
	r := s.newRun()
	plan := node(r.ID, 0)
	for slot := range schema.MaxSlots {
		st := leafAt(r.ID, plan, slot)
		st.Header = header(schema.MaxSlots)
		t := s.settle(st, ledger.Won)
		require.Equal(s, ledger.FirstSlots(slot+1), t.Done)
		require.Equal(s, slot == schema.MaxSlots-1, t.Complete())
	}
	t := s.tally(plan, 0)
	require.True(s, t.Complete())
	require.Equal(s, schema.Account{Nodes: 256, Objects: 255 * 128, Bytes: 256 << 40}, t.Sum)
}

func settleHeader(s *suite) {
	r := s.newRun()
	plan := node(r.ID, 0)
	require.Nil(s, s.settle(leafAt(r.ID, plan, 0), ledger.Won).Header, "nobody knew it")

	known := leafAt(r.ID, plan, 0)
	known.Header = header(4)
	require.Nil(s, s.settle(known, ledger.Already).Header, "a settlement that lost changes nothing")

	known.At.Slot = 1
	require.Equal(s, header(4), s.settle(known, ledger.Won).Header)
	known.At.Slot = 2
	known.Header = header(5)
	require.Equal(s, header(4), s.settle(known, ledger.Won).Header, "it is set once")
	require.Equal(s, header(4), s.settle(leafAt(r.ID, plan, 3), ledger.Won).Header, "it stays")
	require.Equal(s, header(4), s.tally(plan, 0).Header)
	require.True(s, s.tally(plan, 0).Complete())
}

func settleTwice(s *suite) {
	r := s.newRun()
	plan := node(r.ID, 0)
	first := s.settle(leafAt(r.ID, plan, 1), ledger.Won)
	for _, unfenced := range []bool{false, true} {
		again := ledger.Settlement{
			Run: r.ID, At: schema.Place{Parent: plan, Slot: 1}, Account: schema.Account{Nodes: 100, Failures: 1},
			Failed: true, Via: true, Unfenced: unfenced, Header: header(2),
		}
		require.Equal(s, first, s.settle(again, ledger.Already))
		require.Equal(s, first, *s.tally(plan, 0))
	}
}

func settleFence(s *suite) {
	r := s.newRun()
	plan := node(r.ID, 0)
	unfenced := func(slot int) ledger.Settlement {
		st := leafAt(r.ID, plan, slot)
		st.Unfenced, st.Header = true, header(2)
		return st
	}
	s.settle(unfenced(0), ledger.Won)
	claimed := s.claim(r.ID, schema.Place{Parent: plan, Slot: 1}, 0, ledger.Won)
	require.Equal(s, claimed, s.settle(unfenced(1), ledger.Claimed), "refused, with the tally as it is")
	require.Equal(s, claimed, *s.tally(plan, 0))

	fenced := leafAt(r.ID, plan, 1)
	fenced.Via = true
	settled := s.settle(fenced, ledger.Won)
	require.Equal(s, slots(0, 1), settled.Done)
	require.Equal(s, slots(1), settled.Claim, "the claim stays")
	require.Equal(s, settled, s.settle(unfenced(1), ledger.Already), "settled comes before claimed")

	later := unfenced(1)
	later.Epoch = 1
	s.settle(later, ledger.Won) // the claim was of another epoch
}

func settleEpochs(s *suite) {
	r := s.newRun()
	plan := node(r.ID, 0)
	var want []ledger.Tally
	for epoch := range 3 {
		st := leafAt(r.ID, plan, 5)
		st.Epoch, st.Header = epoch, header(epoch+1)
		st.Account = schema.Account{Failures: int64(-epoch)}
		want = append(want, ledger.Tally{PID: plan, Epoch: epoch, Done: slots(5), Sum: st.Account, Header: st.Header})
		require.Equal(s, want[epoch], s.settle(st, ledger.Won))
	}
	for epoch := range 3 {
		require.Equal(s, want[epoch], *s.tally(plan, epoch))
	}
}

// settleRace settles 256 slots, each from eight of 64 goroutines.
func settleRace(s *suite) {
	r := s.newRun()
	plan := node(r.ID, 0)
	var mu sync.Mutex
	var sum schema.Account
	won := map[int]int{}
	complete := 0
	var all sync.WaitGroup
	for g := range 64 {
		all.Go(func() {
			for i := range 32 {
				st := leafAt(r.ID, plan, (4*g+i)%schema.MaxSlots)
				st.Account = schema.Account{Nodes: 1, Objects: int64(g), Bytes: int64(st.At.Slot) << 20}
				st.Header = header(schema.MaxSlots)
				var t ledger.Tally
				var o ledger.Outcome
				err, _ := s.retry(func() (err error) { t, o, err = s.store.Settle(s.Context(), st); return err })
				mu.Lock()
				if assert.NoError(s, err) {
					assert.True(s, t.Done.Has(st.At.Slot), "slot %d of the tally it is answered with", st.At.Slot)
				}
				if o == ledger.Won {
					won[st.At.Slot]++
					sum = sum.Add(st.Account)
					if t.Complete() {
						complete++
					}
				} else {
					assert.Equal(s, show(ledger.Already), show(o))
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	t := s.tally(plan, 0)
	require.Equal(s, ledger.FirstSlots(schema.MaxSlots), t.Done)
	require.True(s, t.Complete())
	require.Equal(s, int64(schema.MaxSlots), t.Sum.Nodes)
	require.Equal(s, int64(schema.MaxSlots*(schema.MaxSlots-1)/2)<<20, t.Sum.Bytes)
	for slot := range schema.MaxSlots {
		require.True(s, won[slot] == 1 || s.Lossy && won[slot] == 0, "slot %d was won %d times", slot, won[slot])
	}
	if !s.Lossy {
		require.Equal(s, sum, t.Sum)
		require.Equal(s, 1, complete, "winners that saw the tally complete")
	}
}
