package model

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/embedded"
	"github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/schema"
)

// TestLedgersFollow walks through the worlds and makes every write of the ledger on a
// real one, too: it must come to the same, and leave the same records. So the ledger of
// the model is that of the seam.
func TestLedgersFollow(t *testing.T) {
	ledgers := map[string]func(*testing.T) ledger.Ledger{
		"hostile": func(*testing.T) ledger.Ledger { return hostile.New(1, hostile.Faults{}) },
		"embedded": func(t *testing.T) ledger.Ledger {
			s, err := store.Open(filepath.Join(t.TempDir(), "run.db"), store.Options{Create: true, Owner: true})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			l, err := embedded.Open(t.Context(), s)
			require.NoError(t, err)
			return l
		},
	}
	for name, open := range ledgers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t)
			defer func() { require.NoError(t, l.Close()) }()
			var writes int
			for _, w := range Worlds() {
				w.build()
				for seed := range uint64(8) {
					f := follower{t: t, l: l, c: &checker{w: w}, run: w.Name + "-" + string(rune('a'+seed))}
					require.NoError(t, l.Create(t.Context(), ledger.Run{ID: f.run, State: ledger.Running, Root: ledger.Kid{Kind: "k", ID: "r"}}))
					walk(w, seed, 150, f.follow)
					writes += f.writes
				}
			}
			require.Greater(t, writes, 1000)
			t.Log(writes, "writes")
		})
	}
}

// follower makes the writes of one walk on a real ledger.
type follower struct {
	t       *testing.T
	l       ledger.Ledger
	c       *checker
	run     string
	attempt uint64
	said    []string
	writes  int
	kins    [maxKins]int // how often the name of a sweep was used: the model uses one again
}

var (
	kinds    = [...]ledger.PlanType{live: ledger.Live, leafPlan: ledger.Leaf, tomb: ledger.Tomb}
	outcomes = [...]ledger.Outcome{won: ledger.Won, already: ledger.Already, claimed: ledger.Claimed, over: ledger.Over}
	states   = [...]ledger.State{running: ledger.Running, finished: ledger.Finished, failed: ledger.Failed, cancelled: ledger.Cancelled}
)

func (f *follower) follow(l label, k call, now *State) {
	f.said = append(f.said, f.c.labelText(l))
	defer f.forget(now)
	if k.op == "" {
		return
	}
	f.writes++
	ctx := f.t.Context()
	var got ledger.Outcome
	var err error
	switch k.op {
	case "plan", "step", "sweep":
		if !k.again {
			f.attempt++
		}
		p := f.plan(k)
		if k.op == "step" {
			p.PID, p.Type = schema.StepPID(f.pid(k.at), int(k.epoch)), ledger.Live
		}
		if k.op == "sweep" {
			p.PID, p.Type = schema.StepPID(schema.StepPID(f.pid(k.at), int(k.epoch)), int(k.kin)<<16|f.kins[k.kin]), ledger.Live
		}
		var ok bool
		_, ok, err = f.l.Plan(ctx, p)
		got = outcomes[outcomeOf(ok)]
	case "claim":
		_, got, err = f.l.Claim(ctx, f.run, f.place(k.at), int(k.epoch))
	case "settle":
		_, got, err = f.l.Settle(ctx, ledger.Settlement{
			Run: f.run, At: f.place(k.at), Epoch: int(k.epoch), Account: schemaAccount(k.acc), Failed: k.failed, Via: k.via, Unfenced: !k.fenced,
		})
	default:
		got, err = f.amend(k.op)
	}
	require.NoError(f.t, err)
	require.Equal(f.t, outcomes[k.outcome], got, "%s %s: %v", k.op, f.c.placeName(k.at), f.said)
	f.compare(now)
}

func (f *follower) amend(op string) (ledger.Outcome, error) {
	r, err := f.l.Run(f.t.Context(), f.run)
	if err != nil {
		return 0, err
	}
	yes, no := true, false
	c := ledger.Change{From: ledger.Running, Epoch: r.Epoch}
	switch op {
	case "redrive":
		c = ledger.Change{From: ledger.Failed, Epoch: r.Epoch, State: ledger.Running, NextEpoch: true, Paused: &no}
	case "cancel":
		c.State = ledger.Cancelled
	case "pause":
		c.Paused = &yes
	case "resume":
		c.Paused = &no
	}
	_, err = f.l.Amend(f.t.Context(), f.run, c)
	if errors.Is(err, ledger.ErrConflict) {
		return ledger.Already, nil
	}
	return ledger.Won, err
}

// compare reads all records.
func (f *follower) compare(s *State) {
	r, err := f.l.Run(f.t.Context(), f.run)
	require.NoError(f.t, err)
	require.Equal(f.t, []any{states[s.run.state], int(s.run.epoch), int(s.run.claim), s.run.paused, s.run.via, schemaAccount(s.run.totals)},
		[]any{r.State, r.Epoch, r.Claim, r.Paused, r.Via, r.Totals})
	for p := range f.c.w.places {
		keys := []ledger.Key{{PID: f.pid(pid(p))}}
		for e := range f.c.w.Epochs {
			keys = append(keys, ledger.Key{PID: f.pid(pid(p)), Tally: true, Epoch: int(e)})
		}
		rec, err := f.l.Read(f.t.Context(), keys)
		require.NoError(f.t, err)
		if x := s.plans[p]; !f.c.group(pid(p), s) {
			require.Equal(f.t, x.kind != noPlan, rec[0].Plan != nil)
			if got := rec[0].Plan; got != nil {
				require.Equal(f.t, []any{kinds[x.kind], int(x.epoch), schema.MID(x.mid), schemaAccount(x.own)}, []any{got.Type, got.Epoch, got.MID, got.Own})
			}
		}
		for e := range f.c.w.Epochs {
			x, got := s.tallies[p][e], rec[1+e].Tally
			if !x.set() {
				require.True(f.t, got == nil || got.Done.Len() == 0 && got.Claim.Len() == 0)
				continue
			}
			require.NotNil(f.t, got, "tally of %s: %v", f.c.placeName(pid(p)), f.said)
			require.Equal(f.t, []any{set(x.done), set(x.fail), set(x.claim), set(x.via), schemaAccount(x.sum)}, []any{got.Done, got.Fail, got.Claim, got.Via, got.Sum})
		}
	}
}

// forget notes which sweeps nobody knows any more.
func (f *follower) forget(now *State) {
	for k, kins := 1, now.kins(); k < maxKins; k++ {
		if kins>>k&1 == 0 {
			f.kins[k]++
		}
	}
}

// group reports whether a place holds a page: it is written ahead, not as a plan is.
func (c *checker) group(p pid, s *State) bool {
	return s.plans[p].kind == live && c.w.nodes[s.plans[p].name].group
}

func (f *follower) plan(k call) ledger.Plan {
	p := ledger.Plan{
		PID: f.pid(k.at), Run: f.run, Type: kinds[max(k.plan.kind, live)], Epoch: int(k.epoch), Own: schemaAccount(k.plan.own), Up: f.place(k.at),
		Attempt: f.attempt, MID: schema.MID(k.plan.mid),
	}
	for _, kid := range f.c.w.outcomes[k.plan.out].kids {
		p.Kids = append(p.Kids, ledger.Kid{Kind: "k", ID: f.c.w.nodes[kid].name})
	}
	return p
}

func (f *follower) place(p pid) schema.Place {
	x := f.c.w.places[p]
	if x.up == none {
		return schema.Place{}
	}
	return schema.Place{Parent: f.pid(x.up), Slot: int(x.slot)}
}

func (f *follower) pid(p pid) schema.PID {
	if of := f.c.w.places[p].of; of != none {
		return schema.ReducePID(f.pid(of))
	}
	return schema.PIDOf(f.run, f.place(p))
}

func schemaAccount(a account) schema.Account {
	return schema.Account{Nodes: int64(a.nodes), Failures: int64(a.failures), Reduces: int64(a.reduces)}
}

func set(s slots) (out ledger.Slots) {
	for i := range 8 {
		if s>>i&1 != 0 {
			out.Add(i)
		}
	}
	return out
}
