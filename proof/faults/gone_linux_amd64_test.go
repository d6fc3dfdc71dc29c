package faults

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ramify/ramify/integration/program"
	"github.com/ramify/ramify/internal/emulator/dynamodblocal"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/processor/synthetic"
	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// away is for how long a server is gone.
func away() time.Duration { return time.Duration(scaled(4, 60)) * time.Second }

var manners = map[string]bool{"refuses": false, "is silent": true}

// S3 is gone for a minute: a crawl waits for it, gives up nothing, and is exact.
func TestS3Gone(t *testing.T) {
	t.Parallel()
	keys, err := sample.Keys()
	if err != nil {
		t.Fatal(err)
	}
	keys = keys[:scaled(6_000, len(keys))]
	objects := make([]s3serve.Object, len(keys))
	for i, k := range keys {
		objects[i] = s3serve.Object{Key: k, Size: 3}
	}
	listing, err := s3serve.FromObjects(objects)
	if err != nil {
		t.Fatal(err)
	}
	for manner, silent := range manners {
		for _, node := range []string{"range", "prefix"} {
			t.Run(node+" "+manner, func(t *testing.T) {
				t.Parallel()
				// What is asked for after the first few waits until the server is gone: the run
				// is in its middle then, however fast it is.
				var asked atomic.Int64
				gone := make(chan struct{})
				server, err := s3serve.Start(s3serve.New(s3serve.Options{
					Buckets: map[string]*s3serve.Listing{"bucket": listing}, Latency: 20 * time.Millisecond,
					Faults: func(r *http.Request) s3serve.Fault {
						if asked.Add(1) > 3 {
							select {
							case <-gone:
							case <-r.Context().Done():
							}
						}
						return s3serve.NoFault
					},
				}))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = server.Close() })
				d := newDoor(t, server.URL())
				d.gone = sync.OnceFunc(func() { close(gone) })
				t.Cleanup(d.gone)
				u := program.NewUser(t, d.url)
				p := u.Start(t, "run", "s3://bucket/", "--run", "r", "--node", node, "--concurrency", "4", "--json")
				p.Stderr.Await(t, "run r\n")
				if !d.away(t, silent, away(), p) {
					t.Errorf("the run ended while S3 was gone: %s", program.Shortened(p.Stderr.String()))
				}
				r := p.WaitFor(t, patience())
				r.RequireCode(t, 0)
				sum := program.ParseSummary(t, r.Stdout)
				if sum.State != "finished" || sum.Failed != 0 || sum.Totals.Objects != int64(len(keys)) || sum.Totals.Bytes != int64(3*len(keys)) {
					t.Errorf("%+v, want %d objects", sum, len(keys))
				}
			})
		}
	}
}

// busy is a tree of messages of their own that take a fleet some seconds.
func busy(nodes int) tree {
	return tree{Spec: synthetic.Spec{Fanout: nodes, Depth: 2, Objects: 1, Bytes: 3, Work: synthetic.Duration(20 * time.Millisecond)}}
}

// The queue or the table is gone for a minute: tasks wait, and so does who watches;
// nothing is given up, and totals are exact.
func TestFleetGone(t *testing.T) {
	t.Parallel()
	for manner, silent := range manners {
		for _, what := range []string{"SQS", "DynamoDB"} {
			t.Run(what+" "+manner, func(t *testing.T) {
				t.Parallel()
				sqs, dynamo := newDoor(t, elasticmq.URL(t)), newDoor(t, dynamodblocal.URL(t))
				f := newFleet(t, "AWS_ENDPOINT_URL_SQS="+sqs.url, "AWS_ENDPOINT_URL_DYNAMODB="+dynamo.url, "RAMIFY_CONCURRENCY=2")
				f.grow(t, 2)
				tr := busy(scaled(14, 60))
				tr.Work = synthetic.Duration(100 * time.Millisecond) // it goes on while the server goes away
				d := map[string]*door{"SQS": sqs, "DynamoDB": dynamo}[what]
				f.whileItRuns(t, tr, func(_ string, end *program.Process) bool { return d.away(t, silent, away(), end) })
				f.drain(t)
			})
		}
	}
}

// whileItRuns walks a tree and has something happen meanwhile, which reports whether it
// found the run under way. Where the run was over before, since all else takes its time on
// a machine that is busy, a larger one follows.
func (f *fleet) whileItRuns(t *testing.T, tr tree, happens func(run string, end *program.Process) bool) {
	t.Helper()
	const most = 5
	for n := range most {
		run := fmt.Sprint("r", n)
		end := f.seed(t, run, tr.target(), "--inline", "0")
		for over := time.Now().Add(patience()); end.Running() && f.state(t, run).Nodes <= 5; {
			if time.Now().After(over) {
				t.Fatalf("no progress in %v: %s", patience(), f.said())
			}
		}
		met := happens(run, end)
		f.whole(t, end, tr)
		if met {
			return
		}
		t.Logf("run %s was over before anything happened", run)
		tr.Fanout *= 2
	}
	t.Fatalf("%d runs were over before anything happened", most)
}

// Processes stand still for longer than their messages are hidden, all at once, and
// go on as if nothing had been.
func TestStandStill(t *testing.T) {
	t.Parallel()
	t.Run("fleet", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, "RAMIFY_VISIBILITY=2s", "RAMIFY_CONCURRENCY=2")
		f.grow(t, 3)
		tr := busy(scaled(16, 60))
		tr.Work = synthetic.Duration(100 * time.Millisecond) // more than they can have done before they are stopped
		f.whileItRuns(t, tr, func(run string, end *program.Process) (met bool) {
			for round := 0; round < scaled(2, 40) && end.Running(); round++ {
				some := f.tasks[:len(f.tasks)-round%len(f.tasks)]
				for _, p := range some {
					p.Signal(t, syscall.SIGSTOP)
				}
				// Who watches hears of the end later: the ledger says whether it was before.
				unfinished := len(some) == len(f.tasks) && f.state(t, run).State == "running"
				met = met || unfinished
				select {
				case <-time.After(3 * time.Second):
				case <-end.Done:
				}
				if unfinished && !end.Running() {
					t.Error("a run has ended on which nobody worked")
				}
				for _, p := range some {
					p.Signal(t, syscall.SIGCONT)
				}
			}
			return met
		})
		f.drain(t)
	})
	t.Run("one machine", func(t *testing.T) {
		t.Parallel()
		u, tr := program.NewUser(t, ""), long(scaled(14, 30))
		p := walk(t, u, tr)
		for range scaled(1, 3) {
			p.Signal(t, syscall.SIGSTOP)
			time.Sleep(time.Duration(scaled(3, 75)) * time.Second) // it stands still; there is nothing to wait for
			p.Signal(t, syscall.SIGCONT)
		}
		r := p.WaitFor(t, patience())
		r.RequireCode(t, 0)
		tr.whole(t, program.ParseSummary(t, r.Stdout))
		tr.listed(t, u.Path("out"))
	})
}

// Clocks are an hour ahead and an hour behind, and are set while they are read: the
// totals are exact, and nobody waits for an hour.
func TestClockSteps(t *testing.T) {
	t.Parallel()
	t.Run("one machine", func(t *testing.T) {
		t.Parallel()
		u, tr := program.NewUser(t, ""), slow(scaled(14, 30))
		tr.Fail = .1 // what failed waits for its next try
		c := newClock(t, time.Hour)
		p := begin(t, u, []string{c.env()}, "run", tr.target(), "--run", "r", "--out", "out", "--concurrency", "4", "--inline", "20", "--retries", "20", "--json")
		p.Stderr.Await(t, "run r\n")
		waitUntil(t, p, "its file to grow", func() bool { return largest(u.State()) > 200<<10 })
		c.set(t, -time.Hour)
		time.Sleep(time.Second / 2) // of its life under this clock
		p.Signal(t, program.Interrupt)
		p.Wait(t).RequireCode(t, 130)
		for _, step := range []time.Duration{0, -time.Hour, time.Hour} {
			c.set(t, step)
			args := []string{"resume", "r", "--json"}
			if step == time.Hour {
				args = append(args, "--concurrency", faster) // to the end
			}
			p = begin(t, u, []string{c.env()}, args...)
			for _, step := range []time.Duration{time.Hour, -time.Hour, 0, step} {
				c.set(t, step)
				select {
				case <-time.After(300 * time.Millisecond):
				case <-p.Done:
				}
			}
			if step != time.Hour {
				p.Signal(t, program.Interrupt)
			}
			if r := p.Wait(t); r.Code == 0 {
				tr.whole(t, program.ParseSummary(t, r.Stdout))
				tr.listed(t, u.Path("out"))
				return
			}
		}
		t.Fatal("the run did not end")
	})
	t.Run("fleet", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t)
		clocks := []clock{newClock(t, time.Hour), newClock(t, -time.Hour), newClock(t, 0)}
		for _, c := range clocks {
			f.tasks = append(f.tasks, begin(t, f.User, []string{c.env()}, "task"))
		}
		tr := busy(scaled(16, 60))
		tr.Fail = .05
		end := f.seed(t, "r", tr.target(), "--inline", "0", "--retries", "20")
		for i := 0; end.Running() && i < scaled(10, 200); i++ {
			clocks[2].set(t, []time.Duration{time.Hour, -time.Hour, 0}[i%3])
			select {
			case <-time.After(300 * time.Millisecond):
			case <-end.Done:
			}
		}
		f.whole(t, end, tr)
		f.drain(t)
	})
	// What a task holds in the table it holds until a time that its own clock says.
	t.Run("a keeper ahead of time dies", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, "RAMIFY_SWEEP=1s")
		ahead := begin(t, f.User, []string{newClock(t, time.Hour).env()}, "task")
		ahead.Stderr.Await(t, "keeper works")
		ahead.Signal(t, program.Kill)
		<-ahead.Done
		f.grow(t, 1)
		f.tasks[0].Stderr.Await(t, "keeper works") // not after an hour
		f.drain(t)
	})
}
