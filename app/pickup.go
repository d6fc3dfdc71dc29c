package app

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
)

// paramStarter names, among a run's params, the command that began it by itself: on one
// machine it also sees to it that the run comes to its end.
const paramStarter = "starter"

const (
	pickUpEvery = time.Minute // between two looks for runs that nobody works on
	keptFor     = 90 * 24 * time.Hour
)

// pickUp goes on with runs of this machine that a starter of the same kind has begun and
// that nobody works on, since their process was killed or told to stop; and removes those
// that are over for long. It does so until stop is called. On a fleet its tasks do.
func (s *starter) pickUp(ctx context.Context, mine func(run string, r ledger.Run) bool) (stop func()) {
	if s.fleet != nil {
		return func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		settled := map[string]standing{} // of runs that nothing is to be done about any more
		look := time.NewTicker(pickUpEvery)
		defer look.Stop()
		for {
			s.pickUpOnce(ctx, settled, mine)
			select {
			case <-ctx.Done():
				return
			case <-look.C:
			}
		}
	}()
	return func() {
		cancel(errStopping)
		<-done
	}
}

func (s *starter) pickUpOnce(ctx context.Context, settled map[string]standing, mine func(string, ledger.Run) bool) {
	entries, err := os.ReadDir(s.g.State)
	if err != nil { // there are no runs yet
		return
	}
	for _, e := range entries {
		run, is := strings.CutSuffix(e.Name(), ".db")
		if !is || ctx.Err() != nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue
		}
		old := time.Since(info.ModTime()) > keptFor
		if was, is := settled[run]; is && (was == notMine || !old) {
			continue
		}
		switch found := s.find(ctx, run, mine); {
		case found == leftAlone:
			s.again(run)
		case found == over && old:
			s.forget(ctx, run)
		case found != underWay:
			settled[run] = found
		}
	}
}

// standing is how a run of this machine stands, for who looks after it.
type standing int

const (
	notMine standing = iota
	underWay
	leftAlone // it is not over, or its results are not made, and nobody works on it
	over
)

func (s *starter) find(ctx context.Context, run string, mine func(string, ledger.Run) bool) standing {
	st, r, err := glance(ctx, s.g, run)
	if err != nil {
		return underWay // it is being made, or removed
	}
	defer st.close()
	if r.Options.Params[paramStarter] != s.kind || !mine(run, r) {
		return notMine
	}
	if st.store.Owned() || r.Paused && r.State == ledger.Running {
		return underWay
	}
	if _, made, err := st.loadSummary(ctx, r.Epoch); r.State == ledger.Cancelled || r.State.Over() && (made || err != nil) {
		return over
	}
	return leftAlone
}

// again goes on with a run of this machine, unless somebody does, when there is room
// for it.
func (s *starter) again(run string) {
	if _, is := s.onward.LoadOrStore(run, true); is {
		return
	}
	s.runs.Go(func() {
		defer s.onward.Delete(run)
		select {
		case s.slots <- struct{}{}:
		case <-s.ctx.Done():
			return
		}
		defer func() { <-s.slots }()
		if is, err := s.finish(run); is {
			if err != nil {
				s.failed.Store(true)
			}
			s.ended(run, err)
		} else if err != nil && !errors.Is(err, store.ErrLocked) {
			s.log.Warn("a run that was interrupted does not go on", "run", run, "error", err)
		}
	})
}

// finish works on a run to its end, unless somebody has paused or cancelled it, or it has
// come to one; is reports whether it did. Nobody has asked for it, unlike proceed: the jobs
// are those of the file that it began with.
func (s *starter) finish(run string) (is bool, err error) {
	c := &onFlags{Name: run, JSON: true, webhookFlags: s.flags.webhookFlags}
	st, r, err := c.open(s.ctx, s.g)
	if err != nil {
		return false, err
	}
	defer st.close()
	_, made, err := st.loadSummary(s.ctx, r.Epoch)
	if err != nil || r.State == ledger.Cancelled || r.State.Over() && made || r.Paused && !r.State.Over() {
		return false, err
	}
	w, done, err := s.work()
	if err != nil {
		return false, err
	}
	defer done()
	if !r.State.Over() {
		stop, err := c.ready(s.ctx, w, r)
		if err != nil {
			return false, err
		}
		defer stop()
	}
	s.log.Info("run goes on", "run", run, "target", r.Target)
	return true, c.proceed(s.ctx, w, st, r, nil)
}

// forget removes the file of a run that is over.
func (s *starter) forget(ctx context.Context, run string) {
	c := &onFlags{Name: run}
	st, r, err := c.open(ctx, s.g)
	if err != nil {
		return // somebody works on it, or has removed it
	}
	if !r.State.Over() {
		st.close()
		return
	}
	st.discard()
	s.log.Info("run is forgotten", "run", run, "begun", r.Created)
}
