package console

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

func TestTakeSumsWorkersAndCountsTheLiving(t *testing.T) {
	one, two, dead := aWorker(), aWorker(), aWorker()
	two.ID, two.Share = "w2", schema.Whole/4
	dead.ID, dead.Share, dead.At = "w3", 0, noon.Add(-Fresh-time.Second)
	s := Take(aRun(), []ledger.Worker{one, two, dead}, noon)

	if s.Nodes != 630 || s.Objects != 3_703_701 || s.Bytes != 3*3_650_722_201 || s.Retries != 9 {
		t.Errorf("sums are %+v", s)
	}
	if want := map[string]int64{"list": 3720, "head": 180}; !maps.Equal(s.Requests, want) {
		t.Errorf("requests are %v, want %v", s.Requests, want)
	}
	if s.Workers != 2 || s.InFlight != 128 || s.Slots != 128 {
		t.Errorf("%d workers, %d of %d slots; the dead one counts only in the sums", s.Workers, s.InFlight, s.Slots)
	}
	if s.Fraction < 0.67 || s.Fraction > 0.6701 {
		t.Errorf("fraction is %v, want 0.67", s.Fraction)
	}
}

func TestFractionIsOneOnlyWhenFinished(t *testing.T) {
	twice := []ledger.Worker{aWorker(), aWorker(), aWorker(), aWorker(), aWorker()}
	for i := range twice {
		twice[i].Share = schema.Whole // counted again by retries: their sum does not fit 64 bits
	}
	for _, c := range []struct {
		state ledger.State
		one   bool
	}{{ledger.Running, false}, {ledger.Cancelled, false}, {ledger.Finished, true}, {ledger.Failed, true}} {
		r := aRun()
		r.State = c.state
		s := Take(r, twice, noon)
		if (s.Fraction == 1) != c.one || s.Fraction > 1 || s.Fraction < 0.99 {
			t.Errorf("%s: fraction is %v", c.state, s.Fraction)
		}
		if got := percent(s.Fraction, 1); (got == "100.0%") != c.one {
			t.Errorf("%s: shown as %s", c.state, got)
		}
	}
	r := aRun()
	r.State = ledger.Finished
	if s := Take(r, nil, noon); s.Fraction != 1 {
		t.Errorf("finished without reports: fraction is %v", s.Fraction)
	}
}

func TestFailuresAreNeverFewerThanNone(t *testing.T) {
	w := aWorker()
	w.Done.Failures = -1 // healed by a redrive, and counted by one who died before its report
	if s := Take(aRun(), []ledger.Worker{w}, noon); s.Failures != 0 {
		t.Errorf("%d failures", s.Failures)
	}
}

func TestTotalsAreTheLedgersOnceFinished(t *testing.T) {
	r := aRun()
	r.State, r.Finished = ledger.Failed, noon
	r.Totals = schema.Account{Nodes: 211, Objects: 1_300_000, Bytes: 4_000_000_000, Failures: 2}
	s := Take(r, []ledger.Worker{aWorker()}, noon)
	if s.Nodes != 211 || s.Objects != 1_300_000 || s.Bytes != 4_000_000_000 || s.Failures != 2 || s.InFlight != 0 {
		t.Errorf("got %+v", s)
	}
	r.State, r.Totals = ledger.Cancelled, schema.Account{} // the root never settled
	if s := Take(r, []ledger.Worker{aWorker()}, noon); s.Objects != 1_234_567 {
		t.Errorf("cancelled: %d objects, want those the workers reported", s.Objects)
	}
}

func TestStateWords(t *testing.T) {
	r := aRun()
	r.Paused = true
	if s := Take(r, nil, noon); s.State != Paused || s.State.Over() {
		t.Errorf("state is %q", s.State)
	}
	r.State = ledger.Cancelled
	if s := Take(r, nil, noon); s.State != Cancelled || !s.State.Over() {
		t.Errorf("state is %q", s.State)
	}
}

func TestSecondsAreThoseWorked(t *testing.T) {
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	worker := func(from, to int) ledger.Worker { return ledger.Worker{Started: at(from), At: at(to)} }
	for _, c := range []struct {
		name     string
		now, end int // end 0: running
		workers  []ledger.Worker
		want     float64
	}{
		{"no report yet", 3, 0, nil, 3},
		{"nobody ever came", 300, 0, nil, 0},
		{"one, alive", 63, 0, []ledger.Worker{worker(1, 60)}, 63 - 1},
		{"older than the run, and reports after its end", 500, 100, []ledger.Worker{worker(-900, 499)}, 100},
		{"two at a time", 100, 0, []ledger.Worker{worker(0, 60), worker(20, 80)}, 80},
		{"interrupted and resumed a day later", 86400 + 20, 0, []ledger.Worker{worker(86400, 86419), worker(0, 60)}, 60 + 20},
		{"finished just after the last report", 9000, 62, []ledger.Worker{worker(0, 60)}, 62},
	} {
		r := ledger.Run{State: ledger.Running, Created: at(0)}
		if c.end > 0 {
			r.State, r.Finished = ledger.Finished, at(c.end)
		}
		if got := Take(r, c.workers, at(c.now)).Seconds; got != c.want {
			t.Errorf("%s: %v s, want %v s", c.name, got, c.want)
		}
	}
}

// board is a ledger of one run.
type board struct {
	ledger.Ledger
	ledger.Board
	run     ledger.Run
	workers []ledger.Worker
	err     error
}

func (b *board) Run(context.Context, string) (ledger.Run, error) { return b.run, b.err }
func (b *board) Workers(context.Context, string) ([]ledger.Worker, error) {
	return append([]ledger.Worker(nil), b.workers...), b.err
}

func TestReadPrefersTheFiguresOfThisProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other, stale := aWorker(), aWorker()
		other.ID = "w2"
		b := &board{run: aRun(), workers: []ledger.Worker{stale, other}}
		fresh := stale
		fresh.Done.Objects += 1000
		elsewhere := fresh
		elsewhere.Run = "another"
		s, err := Read(b, b, "photos", func() []ledger.Worker { return []ledger.Worker{fresh, elsewhere} })(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(2*1_234_567 + 1000); s.Objects != want {
			t.Errorf("%d objects, want %d", s.Objects, want)
		}
		if !s.At.Equal(time.Now()) {
			t.Errorf("taken at %v, want now", s.At)
		}
		b.err = ledger.ErrNoRun
		if _, err := Read(b, b, "photos", nil)(t.Context()); !errors.Is(err, ledger.ErrNoRun) {
			t.Errorf("error is %v", err)
		}
	})
}

// Where it is known that nobody works on a run, what its last worker said a
// moment ago is no sign of life.
func TestNobodyWorks(t *testing.T) {
	s := take(aRun(), []ledger.Worker{aWorker()}, noon, noneFresh)
	if s.Workers != 0 || s.Slots != 0 || s.InFlight != 0 {
		t.Errorf("got %+v", s)
	}
	if h := hints(s, ""); len(h) == 0 || h[len(h)-2] != "Nobody works on it. To go on:" {
		t.Errorf("hints %q", h)
	}
	if s := Take(aRun(), []ledger.Worker{aWorker()}, noon); s.Workers != 1 {
		t.Errorf("got %+v", s)
	}
}
