package jobqueue

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ramify/ramify/queue"
)

// several are queues that count what is asked of them.
type several struct {
	fake
	queues        map[string][]Delivery
	finds, depths int
}

func (s *several) Find(_ context.Context, p string) (names []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finds++
	for _, name := range slices.Sorted(maps.Keys(s.queues)) {
		if Matches(p, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

func (s *several) Receive(ctx context.Context, name string, r Request) ([]Delivery, error) {
	s.mu.Lock()
	waiting := s.queues[name]
	n := min(r.Max, len(waiting))
	s.queues[name] = waiting[n:]
	s.mu.Unlock()
	if n == 0 {
		sleep(ctx, r.Wait)
	}
	return waiting[:n], nil
}

func (s *several) Depth(_ context.Context, name string) (queue.Depth, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.depths++
	return queue.Depth{Visible: int64(len(s.queues[name]))}, nil
}

func (s *several) put(name string, d Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues[name] = append(s.queues[name], d)
}

func of(t *testing.T, name, id string) Delivery {
	t.Helper()
	body, _, err := Codec{}.Pack(name, Job{Argv: []string{"run", id}})
	if err != nil {
		t.Fatal(err)
	}
	return Delivery{ID: id, Receipt: id, Body: body, Receives: 1}
}

// What is known of queues is not asked again with each job: of where something was
// received nothing is asked, and of the others as often as they would be listened to.
func TestWhatIsKnownIsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &several{queues: map[string][]Delivery{"q1": nil, "q2": nil}}
		for range 50 {
			s.put("q0", of(t, "q0", "a"))
		}
		w, _ := worker(&s.fake, func(c *Config) {
			c.Queues, c.Patterns, c.ActiveOnly, c.Run = s, []string{"q*"}, true, runFor(time.Second)
		})
		w.Start(t.Context())
		<-w.Done()
		// At the beginning, after 20 and 40 seconds, and before it ends.
		if tally, err := w.Result(); err != nil || tally.Succeeded != 50 || s.finds != 4 || s.depths != 3+2+2+3 {
			t.Errorf("%+v, %v: queues were asked for %d times, and looked into %d times", tally, err, s.finds, s.depths)
		}
	})
}

// A worker that drains runs what its jobs send to queues that were empty, or not there,
// when it last looked.
func TestDrainSeesWhatJobsSend(t *testing.T) {
	for _, activeOnly := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := &several{queues: map[string][]Delivery{"q1": nil}}
			s.put("q0", of(t, "q0", "a"))
			next := map[string]string{"a": "q1", "b": "q2", "c": "q0"}
			w, _ := worker(&s.fake, func(c *Config) {
				c.Queues, c.Patterns, c.ActiveOnly = s, []string{"q*"}, activeOnly
				c.Run = func(_ context.Context, id string, _ Job) Outcome {
					if name, more := next[id]; more {
						s.put(name, of(t, name, string(id[0]+1)))
					}
					return Outcome{}
				}
			})
			w.Start(t.Context())
			<-w.Done()
			if tally, err := w.Result(); err != nil || tally.Succeeded != 4 {
				t.Errorf("active only %v: %+v, %v; %v is left", activeOnly, tally, err, s.queues)
			}
		})
	}
}

// What came of a job is told before it leaves its queue; that it cannot be told is not
// the job's fault. What is lost to another worker is told by that.
func TestTell(t *testing.T) {
	for name, c := range map[string]struct {
		run     Outcome
		fault   error
		extends func(int) error
		want    []string
	}{
		"succeeded": {want: []string{"tell JOB_SUCCEEDED", "delete a"}},
		"failed":    {run: Outcome{Code: 2, Err: errors.New("no")}, want: []string{"tell JOB_FAILED", "extend a by 0s"}},
		"in vain":   {fault: errors.New("away"), want: []string{"tell JOB_SUCCEEDED", "delete a"}},
		"lost":      {extends: func(int) error { return ErrLeaseLost }, want: []string{"extend a by 1m0s"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{waiting: []Delivery{job(t, "a")}, extends: c.extends}
			w, _ := worker(f, func(conf *Config) {
				conf.KillAfter = time.Hour
				conf.Run = func(ctx context.Context, id string, j Job) Outcome {
					if c.extends != nil {
						return runFor(time.Minute)(ctx, id, j)
					}
					return c.run
				}
				conf.Tell = func(_ context.Context, e Event) error { f.note("tell %s", e.Event); return c.fault }
			})
			w.Start(t.Context())
			<-w.Done()
			if !slices.Equal(f.asked, c.want) {
				t.Errorf("%s: asked %q, want %q", name, f.asked, c.want)
			}
		})
	}
}
