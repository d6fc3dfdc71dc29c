// Package ledgertest is the contract of package ledger as tests: each subtest is
// a sentence of it. Every implementation runs the suite.
package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// Store is what an implementation gives: the ledger, its board, its leases, its
// visits and its ticks.
type Store interface {
	ledger.Ledger
	ledger.Board
	ledger.Leaser
	ledger.Visits
	ledger.Ticks
}

// Traits are what an implementation may relax, and how to test it. The zero
// value is a ledger whose calls do not fail.
type Traits struct {
	// Lossy: any call may fail for a while, before or after it has acted, and a
	// settlement may have been made twice by the time it answers. The suite then
	// repeats what fails, takes Already (at the root Over) for Won, and asserts all
	// the rest as ever.
	Lossy bool

	// Synctest: the ledger works in a bubble of testing/synctest.
	Synctest bool
}

// Run tests that the ledger which open makes keeps the contract. want is its type
// as %T prints it, such as "*embedded.Ledger": a suite that was handed another
// ledger than the one its name promises has tested nothing, and fails.
//
// open makes an empty ledger for each subtest, and leaves it to the suite to
// close it; what else there is to clean up open registers with t.Cleanup.
// Outside a bubble the subtests run in parallel.
func Run(t *testing.T, want string, traits Traits, open func(t *testing.T) Store) {
	t.Helper()
	for _, c := range contract {
		t.Run(c.sentence, func(t *testing.T) {
			test := func(t *testing.T) {
				c.test(&suite{reporter: t, Traits: traits, t: t, store: opened(t, want, open)})
			}
			if traits.Synctest {
				synctest.Test(t, test)
				return
			}
			t.Parallel()
			test(t)
		})
	}
}

// contract is the sentences and their tests.
var contract = []struct {
	sentence string
	test     func(*suite)
}{
	{"Create puts a run that Run returns whole", createWhole},
	{"Create answers ErrExists for a name that is taken, and changes nothing", createTaken},
	{"Create lets one of many win", createRace},
	{"Run answers ErrNoRun for a run that was never created", noRun},

	{"Amend changes what is named and nothing else", amendNamed},
	{"Amend answers ErrConflict in another state or epoch, with the record unchanged", amendConflict},
	{"Amend begins the next epoch of a failed run", amendRedrive},
	{"Amend lets one of finish and cancel win", finishOrCancel},

	{"Plan stores all of a plan", planWhole},
	{"Plan lets the first writer win", planFirst},
	{"Plan takes an equal plan for an earlier try of the same call", planTry},
	{"Plan replaces a tomb in a later epoch only, and nothing else", planTomb},
	{"Plan puts a group unconditionally", planGroup},
	{"Plan lets one of twenty win", planRace},
	{"Failures are told with their reason, attempts and time, where these are known", failuresTold},

	{"Claim marks a slot, again too, unless it has settled", claims},
	{"Claim at the root marks the run, unless it is over or in another epoch", claimsRoot},

	{"Settle adds a slot and its account", settleAdds},
	{"Settle keeps failed slots, and those settled through a plan", settleSets},
	{"Settle takes every slot from 0 to 255", settleEvery},
	{"Settle sets the header once, when a settler knows it", settleHeader},
	{"Settle answers Already with the tally and changes nothing", settleTwice},
	{"Settle refuses an unfenced settlement of a claimed slot", settleFence},
	{"Settle keeps epochs apart", settleEpochs},
	{"Settle is exact under many goroutines", settleRace},

	{"Settle at the root finishes the run", rootFinishes},
	{"Settle at the root fails the run where it failed", rootFails},
	{"Settle at the root answers Over for a run that is over or in another epoch", rootOver},
	{"Settle at the root refuses an unfenced settlement that is claimed in this epoch", rootFence},
	{"Settle at the root adds the differences of a redrive to the totals", rootRedriven},
	{"Settle at the root lets one of many win", rootRace},
	{"Settle at the root of no run makes none", rootOfNothing},

	{"Read answers in the order asked, with the zero Record for what is missing", readOrder},
	{"Read answers hundreds of keys", readMany},
	{"Values passed in are not kept", passedNotKept},
	{"Values passed out are not kept", returnedNotKept},
	{"Any sequence of calls is answered as by the model", likeModel},

	{"Report overwrites the figures of one worker", reports},
	{"Workers are all that reported on the run, and no others", workers},
	{"Sketches are those drawn of the run, the last of each worker", sketches},
	{"Runs are all runs, newest first", runsNewestFirst},

	{"Lease is taken by one owner at a time, until it ends", leaseTaken},
	{"Lease renews the lease of its owner", leaseRenewed},
	{"Lease lets one of many win", leaseRace},
	{"Release gives back what the owner holds, and nothing else", leaseReleased},

	{"Visit claims vertices that nobody has claimed, and no others", visitFirst},
	{"Visit finds the claims that its claimant has made before", visitAgain},
	{"Visit lets nearer claims take over, and keeps all claims", visitNearer},
	{"Visit answers hundreds of vertices in the order asked", visitMany},
	{"Visit refuses depths that no node has", visitDepths},
	{"Visit is exact under many goroutines", visitRace},
	{"Visited claims nothing", visitedNothing},

	{"Tick moves the mark of a schedule, and of no other", tickMoves},
	{"Tick moves no mark backward", tickForward},
	{"Tick is exact under many goroutines", tickRace},

	{"A context that has ended ends its call", endedContext},
	{"Close makes every method return ErrClosed at once", closed},
}

// reporter is a testing.T or a rapid.T.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	FailNow()
	Context() context.Context
}

// suite is one subtest: a ledger and what is known about it.
type suite struct {
	reporter
	Traits
	t     *testing.T
	store Store
}

func opened(t *testing.T, want string, open func(*testing.T) Store) Store {
	t.Helper()
	l := open(t)
	require.NotNil(t, l, "open returned no ledger")
	t.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("close ledger: %v", err)
		}
	})
	require.Equal(t, want, fmt.Sprintf("%T", l), "this is not the ledger that was selected")
	return l
}

// named are the errors that have a meaning: a call is not repeated after them.
var named = []error{ledger.ErrExists, ledger.ErrNoRun, ledger.ErrConflict, ledger.ErrClosed}

// retry repeats a call that fails where the ledger may, and says whether it did.
func (s *suite) retry(call func() error) (err error, again bool) { //nolint:revive // the error is the result here, not how it went
	s.Helper()
	for try := range 1000 {
		err := call()
		if !s.Lossy || err == nil {
			return err, try > 0
		}
		for _, n := range named {
			if errors.Is(err, n) {
				return err, try > 0
			}
		}
	}
	s.Errorf("a call failed a thousand times")
	s.FailNow()
	return nil, true
}

// create puts a run that must be new.
func (s *suite) create(r ledger.Run) {
	s.Helper()
	err, again := s.retry(func() error { return s.store.Create(s.Context(), r) })
	if again && errors.Is(err, ledger.ErrExists) {
		return
	}
	require.NoError(s, err, "create run")
}

var runs atomic.Int64

// newRun creates a running run with a name of its own.
func (s *suite) newRun() ledger.Run {
	s.Helper()
	r := ledger.Run{
		ID:      fmt.Sprintf("run-%d", runs.Add(1)),
		Target:  "s3://bucket/prefix/",
		State:   ledger.Running,
		Root:    ledger.Kid{Kind: "test", ID: "root"},
		Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	s.create(r)
	return r
}

// run is a run's record.
func (s *suite) run(id string) ledger.Run {
	s.Helper()
	var r ledger.Run
	err, _ := s.retry(func() (err error) { r, err = s.store.Run(s.Context(), id); return err })
	require.NoError(s, err, "read run")
	return tidyRun(r)
}

// amend makes a change whose condition holds.
func (s *suite) amend(id string, c ledger.Change) ledger.Run {
	s.Helper()
	var r ledger.Run
	err, again := s.retry(func() (err error) { r, err = s.store.Amend(s.Context(), id, c); return err })
	if !again || !errors.Is(err, ledger.ErrConflict) {
		require.NoError(s, err, "amend run")
	}
	return tidyRun(r)
}

// conflict makes a change whose condition does not hold.
func (s *suite) conflict(id string, c ledger.Change) {
	s.Helper()
	before := s.run(id)
	var r ledger.Run
	err, _ := s.retry(func() (err error) { r, err = s.store.Amend(s.Context(), id, c); return err })
	require.ErrorIs(s, err, ledger.ErrConflict)
	require.Equal(s, before, tidyRun(r), "the record that comes with ErrConflict")
	require.Equal(s, before, s.run(id), "the record after ErrConflict")
}

// plan puts a plan that must win, or must not.
func (s *suite) plan(p ledger.Plan, wins bool) ledger.Plan {
	s.Helper()
	var stored ledger.Plan
	var won bool
	err, _ := s.retry(func() (err error) { stored, won, err = s.store.Plan(s.Context(), p); return err })
	require.NoError(s, err, "put plan")
	require.Equal(s, wins, won, "the plan is now the stored one")
	if wins {
		require.Equal(s, tidyPlan(p), tidyPlan(stored))
	}
	return tidyPlan(stored)
}

// claim claims a slot with the outcome that is wanted.
func (s *suite) claim(run string, at schema.Place, epoch int, want ledger.Outcome) ledger.Tally {
	s.Helper()
	var t ledger.Tally
	var got ledger.Outcome
	err, _ := s.retry(func() (err error) { t, got, err = s.store.Claim(s.Context(), run, at, epoch); return err })
	require.NoError(s, err, "claim slot")
	require.Equal(s, show(want), show(got), "the outcome of the claim")
	return t
}

// settle settles a slot with the outcome that is wanted.
func (s *suite) settle(st ledger.Settlement, want ledger.Outcome) ledger.Tally {
	s.Helper()
	var t ledger.Tally
	var got ledger.Outcome
	err, _ := s.retry(func() (err error) { t, got, err = s.store.Settle(s.Context(), st); return err })
	require.NoError(s, err, "settle slot")
	if s.Lossy && want == ledger.Won && (got == ledger.Already || got == ledger.Over && st.At.IsRoot()) {
		got = ledger.Won // by an earlier try
	}
	require.Equal(s, show(want), show(got), "the outcome of the settlement")
	return t
}

// read reads records.
func (s *suite) read(keys ...ledger.Key) []ledger.Record {
	s.Helper()
	var records []ledger.Record
	err, _ := s.retry(func() (err error) { records, err = s.store.Read(s.Context(), keys); return err })
	require.NoError(s, err, "read records")
	require.Len(s, records, len(keys))
	for _, r := range records {
		require.False(s, r.Plan != nil && r.Tally != nil, "a record is a plan or a tally")
	}
	return records
}

// stored is the plan of a node, which must be there.
func (s *suite) stored(node schema.PID) ledger.Plan {
	s.Helper()
	p := s.read(ledger.Key{PID: node})[0].Plan
	require.NotNil(s, p, "the plan of the node")
	return tidyPlan(*p)
}

// tally is the tally of a plan in an epoch, which must be there.
func (s *suite) tally(plan schema.PID, epoch int) *ledger.Tally {
	s.Helper()
	t := s.read(ledger.Key{PID: plan, Tally: true, Epoch: epoch})[0].Tally
	require.NotNil(s, t, "the tally of the plan")
	return t
}

// missing checks that there is no such record.
func (s *suite) missing(k ledger.Key) {
	s.Helper()
	require.Equal(s, ledger.Record{}, s.read(k)[0], "what nobody has written")
}

// node is the identity of the child in a slot of the root.
func node(run string, slot int) schema.PID {
	root := schema.PIDOf(run, schema.Place{})
	return schema.PIDOf(run, schema.Place{Parent: root, Slot: slot})
}

// show names an outcome.
func show(o ledger.Outcome) string {
	switch o {
	case ledger.Won:
		return "Won"
	case ledger.Already:
		return "Already"
	case ledger.Claimed:
		return "Claimed"
	case ledger.Over:
		return "Over"
	}
	return fmt.Sprintf("Outcome(%d)", int(o))
}

// tidyRun is a run in the form that runs are compared in: nothing is told from
// empty, and times are in UTC.
func tidyRun(r ledger.Run) ledger.Run {
	r.Created = r.Created.Round(0).UTC()
	r.Finished = r.Finished.Round(0).UTC()
	r.Root = tidyKid(r.Root)
	if len(r.Options.Params) == 0 {
		r.Options.Params = nil
	}
	return r
}

func tidyPlan(p ledger.Plan) ledger.Plan {
	var kids []ledger.Kid
	for _, k := range p.Kids {
		kids = append(kids, tidyKid(k))
	}
	p.Kids = kids
	p.At = p.At.UTC().Truncate(time.Millisecond)
	return p
}

func tidyKid(k ledger.Kid) ledger.Kid {
	if len(k.Args) == 0 {
		k.Args = nil
	}
	return k
}
