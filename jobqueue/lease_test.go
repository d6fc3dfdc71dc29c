package jobqueue

import (
	"testing"
	"time"
)

// qdoneExtensions is how often qdone asks for more time while a job runs so long, by its
// worker's arithmetic.
func qdoneExtensions(runs, killAfter time.Duration) (n int) {
	const maxJobRun = 12 * time.Hour
	timeout := 30 * time.Second
	for at := timeout / 2; at < runs; at += timeout / 2 {
		timeout = min(2*timeout, maxJobRun-at, killAfter-at)
		n++
		if at+timeout >= maxJobRun || at+timeout >= killAfter {
			break
		}
	}
	return n
}

// However long a job runs and may run: it is held all the time, each extension comes at
// half of the one before and is twice as long, none reaches beyond what the job may take,
// and there are no more of them than qdone's.
func TestLease(t *testing.T) {
	for _, killAfter := range []time.Duration{
		time.Second, 29 * time.Second, 30 * time.Second, 31 * time.Second, time.Minute, 10 * time.Minute,
		50 * time.Second, time.Hour + 7*time.Second, 12 * time.Hour,
	} {
		testLease(t, killAfter, 0)
		testLease(t, killAfter, 23*time.Millisecond) // timers are late, answers take time
		testLease(t, killAfter, 900*time.Millisecond)
	}
}

func testLease(t *testing.T, killAfter, late time.Duration) {
	t.Helper()
	var all []time.Duration
	l := newLease(killAfter)
	for {
		at, more := l.next()
		if !more {
			break
		}
		if before := l.ends - l.span; at != before+l.span/2 {
			t.Errorf("%v: extended at %v, held from %v to %v", killAfter, at, before, l.ends)
		}
		begins := at
		at += late
		span := l.ask(at)
		if at+span > killAfter {
			t.Errorf("%v: at %v another %v", killAfter, at, span)
		}
		if span != 2*l.span && at+span < killAfter-time.Second && at+span < longest-time.Second {
			t.Errorf("%v: at %v another %v after %v", killAfter, at, span, l.span)
		}
		all = append(all, begins)
		l.got(at, span)
		if len(all) > 20 {
			t.Fatalf("%v: extended at %v", killAfter, all)
		}
	}
	if l.ends < min(killAfter, longest)-time.Second {
		t.Errorf("%v: held for %v only", killAfter, l.ends)
	}
	for runs := time.Second; runs <= killAfter; runs += max(time.Second, killAfter/997).Truncate(time.Second) {
		n := 0
		for _, at := range all {
			if at < runs {
				n++
			}
		}
		if theirs := qdoneExtensions(runs, killAfter); n > theirs {
			t.Errorf("%v, %v late: a job of %v takes %d extensions, qdone %d", killAfter, late, runs, n, theirs)
		}
	}
}
