package scaling

import "time"

const (
	stands   = time.Minute     // a backlog that stands has stood so long
	measured = 5 * time.Minute // over which the time of a message is measured
	recent   = time.Minute     // over which what is settled is told, where looks are as often
	slack    = 5 * time.Second // looks are not on the second
	late     = 2 * time.Minute // schedules may skip one, and a function starts when it can
	trust    = 4               // times what the backlog asks for, at most, is launched on an expectation
	kept     = measured + Idle + slack
)

// Governor decides on a desired count, look by look. It remembers a few minutes
// of looks. It is used by one goroutine at a time.
type Governor struct {
	knobs   Knobs
	looks   []Sample // as old as kept, the oldest first
	message float64  // seconds; 0: nothing was measured yet
	books   *Ledger  // as it was last read; nil: never
}

// New makes a governor that has seen nothing. The knobs are those that Check
// passes.
func New(k Knobs) *Governor { return &Governor{knobs: k} }

// Look takes in what was seen and says what to publish and what to do. Samples
// come in the order of their times.
func (g *Governor) Look(s Sample) (Metrics, Decision) {
	g.remember(s)
	g.measure()
	d := g.decide(s)
	return g.metrics(s, d), d
}

func (g *Governor) remember(s Sample) {
	if s.Ledger != nil {
		g.books = s.Ledger
	}
	old := 0
	for old < len(g.looks) && s.At.Sub(g.looks[old].At) > kept {
		old++
	}
	g.looks = append(g.looks[old:len(g.looks):len(g.looks)], s)
}

// measure takes the time of a message from the last minutes. Where none has
// settled it stays as it was.
func (g *Governor) measure() {
	if settled, busy, _ := g.grown(measured); settled > 0 && busy > 0 {
		g.message = busy.Seconds() / float64(settled)
	}
}

// grown is by how much the ledger's counters have grown within a time, and in
// what time: since the look before this one, where that is a little longer ago.
func (g *Governor) grown(within time.Duration) (settled int64, busy, over time.Duration) {
	var after *Sample
	now := g.looks[len(g.looks)-1].At
	for i := len(g.looks) - 1; i >= 0; i-- {
		s := &g.looks[i]
		if ago := now.Sub(s.At); ago > within+slack && (over > 0 || ago > within+late) {
			break
		}
		if s.Ledger == nil {
			continue
		}
		if after != nil && after.Ledger.Settled >= s.Ledger.Settled && after.Ledger.Busy >= s.Ledger.Busy {
			settled += after.Ledger.Settled - s.Ledger.Settled
			busy += after.Ledger.Busy - s.Ledger.Busy
			over += after.At.Sub(s.At)
		}
		after = s
	}
	return settled, busy, over
}

// unmeasured is whether the time of a message is not known though the fleet has a ledger
// that could tell it: it is away, and was before it told. Where it is there and tells
// nothing yet, or there is none, Guess is what the fleet starts with.
func (g *Governor) unmeasured(s Sample) bool {
	return g.message == 0 && s.Ledger == nil && !s.Bare
}

// stray is whether no run goes on, by a ledger that says so or last did: what is
// outstanding belongs to no run, and tasks refuse it, however much of it there is.
// Whoever may send to a queue could have all tasks started else. A run's record is
// written before its first message is sent: where it is not yet listed, the next look
// finds it, and one task is there by then.
func (g *Governor) stray(s Sample) bool {
	return !s.Bare && g.books != nil && !g.books.Unsettled
}

// counts is what of the queue is work: nothing where all runs are paused, and no more
// than one task has slots where no run goes on.
func (g *Governor) counts(s Sample) (unread, out int64) {
	switch most := int64(g.knobs.Concurrency); {
	case s.waits():
		return 0, 0
	case g.stray(s):
		return min(s.Queue.Unread, most), min(s.Queue.Outstanding(), most)
	}
	return s.Queue.Unread, s.Queue.Outstanding()
}

// deserted is whether looks have found no run going on for as long as two of an idle
// fleet lie apart: then it is not one that has just begun and is not listed.
func (g *Governor) deserted(s Sample) bool {
	if s.Ledger == nil || !g.stray(s) {
		return false
	}
	for _, before := range g.looks {
		if before.Ledger != nil && before.Ledger.Unsettled && s.At.Sub(before.At) <= Idle+slack {
			return false
		}
	}
	return true
}

// perMessage is t in seconds.
func (g *Governor) perMessage() float64 {
	if g.message > 0 {
		return g.message
	}
	return Guess.Seconds()
}

func (g *Governor) decide(s Sample) Decision {
	if s.Queue == nil || s.Service == nil {
		return Decision{Reason: Unknown}
	}
	k, now := g.knobs, s.Service.Desired
	d := g.want(s)
	d.Desired, d.Reason = now, Enough
	switch {
	case s.waits():
		d.Desired, d.Reason = k.Min, Waits
	case s.Queue.Outstanding() == 0 && s.Ledger != nil && !s.Ledger.Unsettled && g.woken(s):
		d.Reason = Woken
	case s.Queue.Outstanding() == 0 && s.Ledger != nil && !s.Ledger.Unsettled:
		d.Desired, d.Reason = k.Min, Finished
	case s.Queue.Outstanding() == 0 && s.Ledger != nil && now == 0:
		// The queue has lost what was to be done, or it is about to be sent: tasks sweep.
		d.Desired, d.Reason = 1, Stuck
	case s.Queue.Outstanding() == 0 && now > 1 && g.elsewhere(s):
		d.Desired, d.Reason = 1, Elsewhere
	case s.Queue.Outstanding() == 0:
		d.Reason = Unsettled
	case d.Wanted > now:
		d.Desired, d.Reason = d.Wanted, More
		if g.stray(s) {
			d.Reason = Strays
		} else if stand := g.standing(s); stand > 0 && stand >= d.Wanted {
			d.Reason = Stands
		}
	case d.Width < now && s.Service.Pending == 0:
		d.Desired, d.Reason = max(d.Width, d.Wanted), Fewer
	case g.unmeasured(s):
		d.Reason = Unmeasured
	case d.Width < now && 2*d.Wanted < now:
		d.Desired, d.Reason = max(d.Width, d.Wanted), Collapsed
	}
	d.Desired = min(max(d.Desired, k.Min), k.Max)
	if now < k.Min && d.Desired == k.Min || now > k.Max && d.Desired == k.Max {
		d.Reason = OutOfRange
	}
	d.Change = d.Desired != now
	return d
}

// elsewhere is whether all looks of the last minutes have found nothing outstanding
// while runs go on: what these wait for is on another queue (jobs can have queues of
// their own), or the queue has lost it. For either one task is enough.
func (g *Governor) elsewhere(s Sample) bool {
	if s.Ledger == nil || !s.Ledger.Unsettled {
		return false
	}
	for i := len(g.looks) - 1; i >= 0; i-- {
		before := &g.looks[i]
		switch {
		case before.Queue == nil || before.Queue.Outstanding() > 0:
			return false
		case s.At.Sub(before.At) >= measured:
			return true
		}
	}
	return false
}

// woken is whether somebody has asked for tasks of which none runs yet, and no look
// before this one has seen them: it was a seed. Queue and ledger may tell of what was
// posted a little later than the service of who was asked for.
func (g *Governor) woken(s Sample) bool {
	if s.Service.Running > 0 || s.Service.Desired <= g.knobs.Min {
		return false
	}
	for _, before := range g.looks {
		over := s.At.Sub(before.At)
		if over >= Every-slack && over <= Idle+slack && before.Service != nil && before.Service.Desired > g.knobs.Min {
			return false
		}
	}
	return true
}

// want is what the backlog asks for.
func (g *Governor) want(s Sample) (d Decision) {
	_, out := g.counts(s)
	if out == 0 {
		return d
	}
	k := g.knobs
	c := float64(k.Concurrency)
	width := max(1, tasks(float64(out)/c))
	switch {
	case g.stray(s):
		if !g.deserted(s) {
			width = max(1, tasks(float64(s.Queue.Outstanding())/c))
		}
		return Decision{Wanted: 1, Width: min(width, k.Max)}
	case g.unmeasured(s): // one task is right, however long messages take
		return Decision{Wanted: 1, Width: min(width, k.Max)}
	}
	work := float64(out) * g.perMessage() / c
	asked := work / k.Target.Seconds()
	if s.Ledger != nil && k.Rule == Size {
		expected := float64(s.Ledger.Expected) * g.perMessage() / c
		asked = max(asked, min(expected/k.Acceptable.Seconds(), trust*asked))
	}
	wanted := min(max(1, tasks(asked)), width)
	wanted = max(wanted, g.standing(s))
	return Decision{Wanted: min(wanted, k.Max), Width: min(width, k.Max)}
}

// standing is the fleet that a backlog asks for which has stood for a minute
// under a fleet that is all there: twice as many, or as many more as it would
// keep busy. 0: none stands. A deep, narrow tree waits again at each level, and
// its backlog never looks like much work.
func (g *Governor) standing(s Sample) int {
	if s.Service.Pending > 0 || s.Service.Running == 0 {
		return 0
	}
	low, ok := g.lowest()
	if !ok || 2*low < int64(g.knobs.Concurrency) {
		return 0
	}
	out := float64(s.Queue.Outstanding())
	if slope, ok := g.slope(); !ok || slope <= -out/(g.knobs.Launch+g.knobs.Target).Seconds() {
		return 0 // it is worked off before more could help
	}
	running := s.Service.Running
	return min(2*running, running+tasks(float64(low)/float64(g.knobs.Concurrency)))
}

// lowest is the fewest unread messages that looks have seen over stands; not ok
// where there is a gap in them.
func (g *Governor) lowest() (low int64, ok bool) {
	now := &g.looks[len(g.looks)-1]
	last := now
	low = now.Queue.Unread
	for i := len(g.looks) - 2; i >= 0; i-- {
		s := &g.looks[i]
		if s.Queue == nil {
			continue
		}
		if last.At.Sub(s.At) > Idle+slack {
			return 0, false
		}
		last, low = s, min(low, s.Queue.Unread)
		if now.At.Sub(s.At) >= stands-slack {
			return low, true
		}
	}
	return 0, false
}

// slope is messages outstanding that came or went a second, since the look before
// that was at least Every ago.
func (g *Governor) slope() (float64, bool) {
	now := &g.looks[len(g.looks)-1]
	for i := len(g.looks) - 2; i >= 0; i-- {
		s := &g.looks[i]
		over := now.At.Sub(s.At)
		if over > Idle+slack {
			break
		}
		if s.Queue != nil && over >= Every-slack {
			return float64(now.Queue.Outstanding()-s.Queue.Outstanding()) / over.Seconds(), true
		}
	}
	return 0, false
}
