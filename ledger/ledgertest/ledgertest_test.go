package ledgertest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/ledger/ledgertest"
	"github.com/ramify/ramify/schema"
)

// mutant is a kind ledger with one thing wrong.
type mutant struct {
	*hostile.Ledger
	create func(context.Context, ledger.Run) error
	run    func(context.Context, string) (ledger.Run, error)
	amend  func(context.Context, string, ledger.Change) (ledger.Run, error)
	plan   func(context.Context, ledger.Plan) (ledger.Plan, bool, error)
	claim  func(context.Context, string, schema.Place, int) (ledger.Tally, ledger.Outcome, error)
	settle func(context.Context, ledger.Settlement) (ledger.Tally, ledger.Outcome, error)
	read   func(context.Context, []ledger.Key) ([]ledger.Record, error)
	report func(context.Context, ledger.Worker) error
	runs   func(context.Context) ([]ledger.Run, error)
	close  func() error

	lease   func(context.Context, ledger.Lease) (ledger.Lease, error)
	release func(context.Context, string, string) error

	visit   func(context.Context, ledger.Claim, []schema.PID) ([]ledger.Visit, error)
	visited func(context.Context, []schema.PID) ([]ledger.Visit, error)

	ticked func(context.Context, string) (time.Time, error)
	tick   func(context.Context, string, time.Time) (time.Time, error)
}

func (m *mutant) Ticked(ctx context.Context, schedule string) (time.Time, error) {
	return m.ticked(ctx, schedule)
}

func (m *mutant) Tick(ctx context.Context, schedule string, to time.Time) (time.Time, error) {
	return m.tick(ctx, schedule, to)
}

func (m *mutant) Create(ctx context.Context, r ledger.Run) error          { return m.create(ctx, r) }
func (m *mutant) Run(ctx context.Context, run string) (ledger.Run, error) { return m.run(ctx, run) }
func (m *mutant) Report(ctx context.Context, w ledger.Worker) error       { return m.report(ctx, w) }
func (m *mutant) Runs(ctx context.Context) ([]ledger.Run, error)          { return m.runs(ctx) }
func (m *mutant) Close() error                                            { return m.close() }
func (m *mutant) Lease(ctx context.Context, want ledger.Lease) (ledger.Lease, error) {
	return m.lease(ctx, want)
}

func (m *mutant) Release(ctx context.Context, name, owner string) error {
	return m.release(ctx, name, owner)
}

func (m *mutant) Amend(ctx context.Context, run string, c ledger.Change) (ledger.Run, error) {
	return m.amend(ctx, run, c)
}

func (m *mutant) Plan(ctx context.Context, p ledger.Plan) (ledger.Plan, bool, error) {
	return m.plan(ctx, p)
}

func (m *mutant) Claim(ctx context.Context, run string, at schema.Place, epoch int) (ledger.Tally, ledger.Outcome, error) {
	return m.claim(ctx, run, at, epoch)
}

func (m *mutant) Settle(ctx context.Context, s ledger.Settlement) (ledger.Tally, ledger.Outcome, error) {
	return m.settle(ctx, s)
}

func (m *mutant) Read(ctx context.Context, keys []ledger.Key) ([]ledger.Record, error) {
	return m.read(ctx, keys)
}

func newMutant() *mutant {
	l := hostile.New(1, hostile.Faults{})
	return &mutant{l, l.Create, l.Run, l.Amend, l.Plan, l.Claim, l.Settle, l.Read, l.Report, l.Runs, l.Close, l.Lease, l.Release, l.Visit, l.Visited, l.Ticked, l.Tick}
}

func (m *mutant) Visit(ctx context.Context, c ledger.Claim, vertices []schema.PID) ([]ledger.Visit, error) {
	return m.visit(ctx, c, vertices)
}

func (m *mutant) Visited(ctx context.Context, vertices []schema.PID) ([]ledger.Visit, error) {
	return m.visited(ctx, vertices)
}

// settles changes every settlement before it is made.
func settles(change func(*ledger.Settlement)) func(*mutant) {
	return func(m *mutant) {
		m.settle = func(ctx context.Context, s ledger.Settlement) (ledger.Tally, ledger.Outcome, error) {
			change(&s)
			return m.Ledger.Settle(ctx, s)
		}
	}
}

// answers changes every answer to a settlement.
func answers(change func(ledger.Settlement, *ledger.Tally, *ledger.Outcome)) func(*mutant) {
	return func(m *mutant) {
		m.settle = func(ctx context.Context, s ledger.Settlement) (ledger.Tally, ledger.Outcome, error) {
			t, o, err := m.Ledger.Settle(ctx, s)
			change(s, &t, &o)
			return t, o, err
		}
	}
}

// plans changes every plan before it is put.
func plans(change func(*ledger.Plan)) func(*mutant) {
	return func(m *mutant) {
		m.plan = func(ctx context.Context, p ledger.Plan) (ledger.Plan, bool, error) {
			change(&p)
			return m.Ledger.Plan(ctx, p)
		}
	}
}

// amends changes every change before it is made.
func amends(change func(*ledger.Change)) func(*mutant) {
	return func(m *mutant) {
		m.amend = func(ctx context.Context, run string, c ledger.Change) (ledger.Run, error) {
			change(&c)
			return m.Ledger.Amend(ctx, run, c)
		}
	}
}

const random = "Any sequence of calls is answered as by the model"

var mutants = map[string]struct {
	caught []string // the sentences that it breaks
	breaks func(*mutant)
}{
	"overwrites runs": {[]string{"Create answers ErrExists for a name that is taken, and changes nothing", "Create lets one of many win"}, func(m *mutant) {
		m.create = func(ctx context.Context, r ledger.Run) error {
			if err := m.Ledger.Create(ctx, r); errors.Is(err, ledger.ErrExists) {
				return nil
			}
			return nil
		}
	}},
	"forgets options": {[]string{"Create puts a run that Run returns whole"}, func(m *mutant) {
		m.create = func(ctx context.Context, r ledger.Run) error {
			r.Options.Inline = 0
			return m.Ledger.Create(ctx, r)
		}
	}},
	"makes up runs": {[]string{"Run answers ErrNoRun for a run that was never created"}, func(m *mutant) {
		m.run = func(ctx context.Context, run string) (ledger.Run, error) {
			r, _ := m.Ledger.Run(ctx, run)
			return r, nil
		}
	}},
	"cannot unpause":       {[]string{"Amend changes what is named and nothing else"}, amends(func(c *ledger.Change) { c.Paused = nil })},
	"has no end":           {[]string{"Amend changes what is named and nothing else"}, amends(func(c *ledger.Change) { c.At = c.At.AddDate(1, 0, 0) })},
	"stays in its epoch":   {[]string{"Amend begins the next epoch of a failed run", random}, amends(func(c *ledger.Change) { c.NextEpoch = false })},
	"ignores amend epochs": {[]string{"Amend answers ErrConflict in another state or epoch, with the record unchanged", random}, ignoresEpochs},
	"conflicts with nothing to show": {[]string{"Amend answers ErrConflict in another state or epoch, with the record unchanged", random}, func(m *mutant) {
		m.amend = func(ctx context.Context, run string, c ledger.Change) (ledger.Run, error) {
			r, err := m.Ledger.Amend(ctx, run, c)
			if err != nil {
				r = ledger.Run{}
			}
			return r, err
		}
	}},
	"cancels what has finished": {[]string{"Amend lets one of finish and cancel win"}, cancelsFinished},

	"drops arguments":       {[]string{"Plan stores all of a plan"}, plans(func(p *ledger.Plan) { p.Kids = without(p.Kids, func(k *ledger.Kid) { k.Args = nil }) })},
	"drops groups of plans": {[]string{"Plan stores all of a plan"}, plans(func(p *ledger.Plan) { p.Kids = without(p.Kids, func(k *ledger.Kid) { k.Group = nil }) })},
	"narrows the message":   {[]string{"Plan stores all of a plan"}, plans(func(p *ledger.Plan) { p.MID &= 1<<63 - 1 })},
	"has one epoch of plans": {[]string{"Plan replaces a tomb in a later epoch only, and nothing else", random}, plans(func(p *ledger.Plan) {
		p.Epoch = 0
	})},
	"knows no earlier try": {[]string{"Plan takes an equal plan for an earlier try of the same call", random}, func(m *mutant) {
		m.plan = func(ctx context.Context, p ledger.Plan) (ledger.Plan, bool, error) {
			rec, err := m.Ledger.Read(ctx, []ledger.Key{{PID: p.PID}})
			if err == nil && rec[0].Plan != nil && p.Type == rec[0].Plan.Type && p.Type != ledger.Group && p.Epoch == rec[0].Plan.Epoch {
				return *rec[0].Plan, false, nil
			}
			return m.Ledger.Plan(ctx, p)
		}
	}},
	"lets every plan win": {[]string{"Plan lets the first writer win", "Plan lets one of twenty win", random}, func(m *mutant) {
		m.plan = func(ctx context.Context, p ledger.Plan) (ledger.Plan, bool, error) {
			stored, _, err := m.Ledger.Plan(ctx, p)
			return stored, true, err
		}
	}},
	"tells losers their own plan": {[]string{"Plan lets the first writer win", "Plan lets one of twenty win", random}, func(m *mutant) {
		m.plan = func(ctx context.Context, p ledger.Plan) (ledger.Plan, bool, error) {
			_, won, err := m.Ledger.Plan(ctx, p)
			return p, won, err
		}
	}},
	"keeps first groups": {[]string{"Plan puts a group unconditionally"}, func(m *mutant) {
		m.plan = func(ctx context.Context, p ledger.Plan) (ledger.Plan, bool, error) {
			rec, _ := m.Ledger.Read(ctx, []ledger.Key{{PID: p.PID}})
			if p.Type == ledger.Group && rec[0].Plan != nil {
				return *rec[0].Plan, false, nil
			}
			return m.Ledger.Plan(ctx, p)
		}
	}},

	"claims nothing": {[]string{"Claim marks a slot, again too, unless it has settled", "Settle refuses an unfenced settlement of a claimed slot", random}, func(m *mutant) {
		m.claim = func(_ context.Context, _ string, at schema.Place, epoch int) (ledger.Tally, ledger.Outcome, error) {
			return ledger.Tally{PID: at.Parent, Epoch: epoch}, ledger.Won, nil
		}
	}},
	"claims the root without a trace": {[]string{
		"Claim at the root marks the run, unless it is over or in another epoch",
		"Settle at the root refuses an unfenced settlement that is claimed in this epoch", random,
	}, func(m *mutant) {
		m.claim = func(ctx context.Context, run string, at schema.Place, epoch int) (ledger.Tally, ledger.Outcome, error) {
			if at.IsRoot() {
				return ledger.Tally{}, ledger.Won, nil
			}
			return m.Ledger.Claim(ctx, run, at, epoch)
		}
	}},

	"has no fence": {[]string{"Settle refuses an unfenced settlement of a claimed slot", random}, settles(func(s *ledger.Settlement) { s.Unfenced = false })},
	"fences all":   {[]string{"Settle refuses an unfenced settlement of a claimed slot", random}, settles(func(s *ledger.Settlement) { s.Unfenced = true })},
	"has one epoch": {[]string{"Settle keeps epochs apart", random}, settles(func(s *ledger.Settlement) {
		if !s.At.IsRoot() {
			s.Epoch = 0
		}
	})},
	"drops failures":       {[]string{"Settle keeps failed slots, and those settled through a plan", "Settle at the root fails the run where it failed", random}, settles(func(s *ledger.Settlement) { s.Failed = false })},
	"drops via":            {[]string{"Settle keeps failed slots, and those settled through a plan", "Settle at the root finishes the run", random}, settles(func(s *ledger.Settlement) { s.Via = false })},
	"drops headers":        {[]string{"Settle sets the header once, when a settler knows it", random}, settles(func(s *ledger.Settlement) { s.Header = nil })},
	"counts no bytes":      {[]string{"Settle adds a slot and its account", "Settle is exact under many goroutines", random}, settles(func(s *ledger.Settlement) { s.Account.Bytes = 0 })},
	"has 255 slots":        {[]string{"Settle takes every slot from 0 to 255", random}, settles(func(s *ledger.Settlement) { s.At.Slot = min(s.At.Slot, 254) })},
	"always won":           {[]string{"Settle answers Already with the tally and changes nothing", "Settle is exact under many goroutines", "Settle at the root lets one of many win", random}, answers(func(_ ledger.Settlement, _ *ledger.Tally, o *ledger.Outcome) { *o = ledger.Won })},
	"is over when claimed": {[]string{"Settle at the root refuses an unfenced settlement that is claimed in this epoch", random}, isOverWhenClaimed},
	"keeps the tally when it refuses": {[]string{"Settle answers Already with the tally and changes nothing", random}, answers(func(_ ledger.Settlement, t *ledger.Tally, o *ledger.Outcome) {
		if *o != ledger.Won {
			*t = ledger.Tally{}
		}
	})},
	"answers the root with a tally": {[]string{"Settle at the root finishes the run", random}, answers(func(s ledger.Settlement, t *ledger.Tally, _ *ledger.Outcome) {
		if s.At.IsRoot() {
			t.Done.Add(0)
		}
	})},
	"settles the root twice": {[]string{"Settle at the root answers Over for a run that is over or in another epoch", "Settle at the root lets one of many win", random}, settlesTwice},
	"ignores root epochs": {[]string{"Settle at the root adds the differences of a redrive to the totals", random}, func(m *mutant) {
		m.settle = func(ctx context.Context, s ledger.Settlement) (ledger.Tally, ledger.Outcome, error) {
			if r, err := m.Ledger.Run(ctx, s.Run); err == nil && s.At.IsRoot() {
				s.Epoch = r.Epoch
			}
			return m.Ledger.Settle(ctx, s)
		}
	}},
	"settles what is not there": {[]string{"Settle at the root of no run makes none"}, func(m *mutant) {
		m.settle = func(ctx context.Context, s ledger.Settlement) (ledger.Tally, ledger.Outcome, error) {
			if s.At.IsRoot() {
				_ = m.Ledger.Create(ctx, ledger.Run{ID: s.Run, State: ledger.Running})
			}
			return m.Ledger.Settle(ctx, s)
		}
	}},

	"reads in another order": {[]string{"Read answers in the order asked, with the zero Record for what is missing", "Read answers hundreds of keys"}, func(m *mutant) {
		m.read = func(ctx context.Context, keys []ledger.Key) ([]ledger.Record, error) {
			rec, err := m.Ledger.Read(ctx, keys)
			slices.Reverse(rec)
			return rec, err
		}
	}},
	"reads a hundred keys": {[]string{"Read answers hundreds of keys"}, func(m *mutant) {
		m.read = func(ctx context.Context, keys []ledger.Key) ([]ledger.Record, error) {
			rec, err := m.Ledger.Read(ctx, keys[:min(len(keys), 100)])
			return append(rec, make([]ledger.Record, len(keys)-len(rec))...), err
		}
	}},
	"keeps children": {[]string{"Values passed in are not kept", "Values passed out are not kept"}, keepsKids},
	"adds reports": {[]string{"Report overwrites the figures of one worker"}, func(m *mutant) {
		done := map[string]schema.Account{}
		m.report = func(ctx context.Context, w ledger.Worker) error {
			w.Done = done[w.ID].Add(w.Done)
			done[w.ID] = w.Done
			return m.Ledger.Report(ctx, w)
		}
	}},
	"has one worker": {[]string{"Workers are all that reported on the run, and no others"}, func(m *mutant) {
		m.report = func(ctx context.Context, w ledger.Worker) error {
			w.ID = "worker"
			return m.Ledger.Report(ctx, w)
		}
	}},
	"lists the oldest first": {[]string{"Runs are all runs, newest first"}, func(m *mutant) {
		m.runs = func(ctx context.Context) ([]ledger.Run, error) {
			all, err := m.Ledger.Runs(ctx)
			slices.Reverse(all)
			return all, err
		}
	}},
	"lends to everyone": {[]string{"Lease is taken by one owner at a time, until it ends", "Lease lets one of many win"}, leases(func(l *ledger.Lease) { l.From = l.From.AddDate(1, 0, 0) })},
	"lends for ever":    {[]string{"Lease is taken by one owner at a time, until it ends"}, leases(func(l *ledger.Lease) { l.From = l.From.AddDate(-1, 0, 0) })},
	"lends one thing":   {[]string{"Lease is taken by one owner at a time, until it ends"}, leases(func(l *ledger.Lease) { l.Name = "sweep" })},
	"renews nothing": {[]string{"Lease renews the lease of its owner"}, func(m *mutant) {
		m.lease = func(ctx context.Context, want ledger.Lease) (ledger.Lease, error) {
			other := want
			other.Owner = "nobody"
			if held, err := m.Ledger.Lease(ctx, other); err != nil || held.Owner != other.Owner {
				return held, err
			}
			if err := m.Ledger.Release(ctx, want.Name, other.Owner); err != nil {
				return ledger.Lease{}, err
			}
			return m.Ledger.Lease(ctx, want)
		}
	}},
	"never gives back": {[]string{"Release gives back what the owner holds, and nothing else"}, func(m *mutant) {
		m.release = func(ctx context.Context, name, _ string) error { return m.Ledger.Release(ctx, name, "nobody") }
	}},
	"gives all back": {[]string{"Release gives back what the owner holds, and nothing else"}, func(m *mutant) {
		m.release = func(ctx context.Context, name, owner string) error {
			return errors.Join(m.Ledger.Release(ctx, name, "a"), m.Ledger.Release(ctx, name, owner))
		}
	}},
	"takes over from all":   {[]string{"Visit claims vertices that nobody has claimed, and no others", "Visit lets nearer claims take over, and keeps all claims"}, claims(func(c *ledger.Claim) { c.Nearer = true })},
	"takes over from none":  {[]string{"Visit finds the claims that its claimant has made before", "Visit lets nearer claims take over, and keeps all claims", "Visit answers hundreds of vertices in the order asked"}, claims(func(c *ledger.Claim) { c.Nearer = false })},
	"knows one claimant":    {[]string{"Visit claims vertices that nobody has claimed, and no others", "Visit is exact under many goroutines"}, claims(func(c *ledger.Claim) { c.By = schema.PID{1} })},
	"takes any depth":       {[]string{"Visit refuses depths that no node has"}, claims(func(c *ledger.Claim) { c.Depth = min(max(c.Depth, 0), ledger.MaxClaimDepth) })},
	"forgets who was first": {[]string{"Visit finds the claims that its claimant has made before", "Visit lets nearer claims take over, and keeps all claims"}, visits(func(v ledger.Visit) ledger.Visit { return v[max(len(v)-1, 0):] })},
	"tells all that they are first": {[]string{"Visit is exact under many goroutines"}, func(m *mutant) {
		m.visit = func(ctx context.Context, c ledger.Claim, vertices []schema.PID) ([]ledger.Visit, error) {
			all, err := m.Ledger.Visit(ctx, c, vertices)
			for i := range all {
				all[i] = ledger.Visit{{By: c.By, Depth: c.Depth}}
			}
			return all, err
		}
	}},
	"claims a hundred": {[]string{"Visit answers hundreds of vertices in the order asked"}, func(m *mutant) {
		m.visit = func(ctx context.Context, c ledger.Claim, vertices []schema.PID) ([]ledger.Visit, error) {
			all, err := m.Ledger.Visit(ctx, c, vertices[:min(len(vertices), 100)])
			return append(all, make([]ledger.Visit, len(vertices)-len(all))...), err
		}
	}},
	"claims what is read": {[]string{"Visited claims nothing"}, func(m *mutant) {
		m.visited = func(ctx context.Context, vertices []schema.PID) ([]ledger.Visit, error) {
			return m.Ledger.Visit(ctx, ledger.Claim{Depth: 9}, vertices)
		}
	}},
	"has one mark": {[]string{"Tick moves the mark of a schedule, and of no other"}, func(m *mutant) {
		m.tick = func(ctx context.Context, _ string, to time.Time) (time.Time, error) {
			return m.Ledger.Tick(ctx, "nightly", to)
		}
		m.ticked = func(ctx context.Context, _ string) (time.Time, error) { return m.Ledger.Ticked(ctx, "nightly") }
	}},
	"moves marks back": {[]string{"Tick moves no mark backward"}, func(m *mutant) {
		var marks sync.Map
		m.tick = func(_ context.Context, schedule string, to time.Time) (time.Time, error) {
			marks.Store(schedule, to)
			return to, nil
		}
		m.ticked = func(_ context.Context, schedule string) (time.Time, error) {
			mark, _ := marks.Load(schedule)
			at, _ := mark.(time.Time)
			return at, nil
		}
	}},
	"ignores contexts": {[]string{"A context that has ended ends its call"}, func(m *mutant) {
		m.report = func(ctx context.Context, w ledger.Worker) error {
			return m.Ledger.Report(context.WithoutCancel(ctx), w)
		}
	}},
	"never closes": {[]string{"Close makes every method return ErrClosed at once"}, func(m *mutant) { m.close = func() error { return nil } }},
}

// leases changes every lease that is asked for.
func leases(change func(*ledger.Lease)) func(*mutant) {
	return func(m *mutant) {
		m.lease = func(ctx context.Context, l ledger.Lease) (ledger.Lease, error) {
			change(&l)
			return m.Ledger.Lease(ctx, l)
		}
	}
}

// claims changes every claim before it is made.
func claims(change func(*ledger.Claim)) func(*mutant) {
	return func(m *mutant) {
		m.visit = func(ctx context.Context, c ledger.Claim, vertices []schema.PID) ([]ledger.Visit, error) {
			change(&c)
			return m.Ledger.Visit(ctx, c, vertices)
		}
	}
}

// visits changes what is told of every vertex.
func visits(change func(ledger.Visit) ledger.Visit) func(*mutant) {
	each := func(all []ledger.Visit, err error) ([]ledger.Visit, error) {
		for i := range all {
			all[i] = change(all[i])
		}
		return all, err
	}
	return func(m *mutant) {
		m.visit = func(ctx context.Context, c ledger.Claim, vertices []schema.PID) ([]ledger.Visit, error) {
			return each(m.Ledger.Visit(ctx, c, vertices))
		}
		m.visited = func(ctx context.Context, vertices []schema.PID) ([]ledger.Visit, error) {
			return each(m.Ledger.Visited(ctx, vertices))
		}
	}
}

func without(kids []ledger.Kid, change func(*ledger.Kid)) []ledger.Kid {
	kids = slices.Clone(kids)
	for i := range kids {
		change(&kids[i])
	}
	return kids
}

func ignoresEpochs(m *mutant) {
	m.amend = func(ctx context.Context, run string, c ledger.Change) (ledger.Run, error) {
		if r, err := m.Ledger.Run(ctx, run); err == nil {
			c.Epoch = r.Epoch
		}
		return m.Ledger.Amend(ctx, run, c)
	}
}

func cancelsFinished(m *mutant) {
	m.amend = func(ctx context.Context, run string, c ledger.Change) (ledger.Run, error) {
		r, err := m.Ledger.Amend(ctx, run, c)
		if errors.Is(err, ledger.ErrConflict) {
			err = nil
		}
		return r, err
	}
}

func isOverWhenClaimed(m *mutant) {
	answers(func(s ledger.Settlement, _ *ledger.Tally, o *ledger.Outcome) {
		if s.At.IsRoot() && *o == ledger.Claimed {
			*o = ledger.Over
		}
	})(m)
}

func settlesTwice(m *mutant) {
	answers(func(s ledger.Settlement, _ *ledger.Tally, o *ledger.Outcome) {
		if s.At.IsRoot() && *o == ledger.Over && s.Epoch == 0 {
			*o = ledger.Won
		}
	})(m)
}

func keepsKids(m *mutant) {
	var mu sync.Mutex
	kept := map[schema.PID][]ledger.Kid{}
	m.plan = func(ctx context.Context, p ledger.Plan) (ledger.Plan, bool, error) {
		stored, won, err := m.Ledger.Plan(ctx, p)
		mu.Lock()
		defer mu.Unlock()
		if _, ok := kept[p.PID]; !ok {
			kept[p.PID] = p.Kids
		}
		stored.Kids = kept[p.PID]
		return stored, won, err
	}
	m.read = func(ctx context.Context, keys []ledger.Key) ([]ledger.Record, error) {
		rec, err := m.Ledger.Read(ctx, keys)
		mu.Lock()
		defer mu.Unlock()
		for i := range rec {
			if rec[i].Plan != nil {
				rec[i].Plan.Kids = kept[rec[i].Plan.PID]
			}
		}
		return rec, err
	}
}

// variable names the mutant that a process of this test runs the suite on.
const variable = "RAMIFY_TEST_MUTANT"

// TestMutant is run by TestSuiteCatches, in a process of its own.
func TestMutant(t *testing.T) {
	name, ok := os.LookupEnv(variable)
	if !ok {
		return // nothing to see: TestSuiteCatches runs it
	}
	want := "*ledgertest_test.mutant"
	if name == "another type" {
		want = "*dynamodb.Ledger"
	}
	ledgertest.Run(t, want, ledgertest.Traits{}, func(*testing.T) ledgertest.Store {
		m := newMutant()
		if breaks := mutants[name].breaks; breaks != nil {
			breaks(m)
		}
		return m
	})
}

// TestSuiteCatches runs the suite on ledgers with one thing wrong each. A suite
// that lets one of them pass does not test what its sentence says.
func TestSuiteCatches(t *testing.T) {
	fails := func(t *testing.T, name string, sentences []string) {
		t.Parallel()
		for i, s := range sentences {
			sentences[i] = strings.ReplaceAll(s, " ", "_")
		}
		pattern := "^TestMutant$/^(" + strings.Join(sentences, "|") + ")$"
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern, "-test.timeout=60s", "-rapid.nofailfile", "-rapid.shrinktime=0s")
		cmd.Env = append(os.Environ(), variable+"="+name)
		out, err := cmd.CombinedOutput()
		require.Error(t, err, "the suite passes a ledger that %s", name)
		for _, s := range sentences {
			require.Contains(t, string(out), "--- FAIL: TestMutant/"+s)
		}
	}
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) { fails(t, name, m.caught) })
	}
	t.Run("another type", func(t *testing.T) {
		fails(t, "another type", []string{"Create puts a run that Run returns whole"})
	})
}
