package bench

import (
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/bench/fleet"
	"github.com/ramify/ramify/bench/keys"
	"github.com/ramify/ramify/internal/emulator/dynamodblocal"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/dynamodb"
)

// BenchmarkFleetCrawl lists a bucket by ranges: four tasks that share nothing but a
// queue and a ledger, beside one of as many slots. LISTS and KEYS choose what.
func BenchmarkFleetCrawl(b *testing.B) {
	o := parseOptions(b, "30ms")
	if variable("LISTS", "") == "" {
		o.lists = []string{"time"}
	}
	o.runs = number(b, "RUNS", "3") * b.N
	s := openShop(b)
	for _, name := range o.lists {
		for _, latency := range o.latencies {
			b.Run(name+"/"+latency.String(), func(b *testing.B) {
				l, truth := find(b, name, o.source)
				srv := s.serve(b, name, o.source)
				crews := []crew{{tasks: 4, slots: inFlight / 4}, {tasks: 1, slots: inFlight}}
				for round := range o.runs + 1 { // the first warms the emulators up
					for i := range crews {
						c := &crews[i]
						got := s.crawl(b, srv, latency, c, truth)
						fmt.Fprintf(os.Stderr, "%s, %d of %d: %d × %d slots: %s\n", b.Name(), round, o.runs, c.tasks, c.slots, got)
						if round > 0 {
							c.crawls = append(c.crawls, got)
						}
					}
				}
				o.publish(b, crawlTable(l, latency, truth, crews)+bullets(crawlGoals(truth.Pages(), crews))+occasion()+"\n\n")
				b.ReportMetric(crews[0].of(func(c crawled) float64 { return c.took.Seconds() }).mid, "wall-s")
				b.ReportMetric(crews[0].of(func(c crawled) float64 { return float64(c.lists) }).mid, "LISTs")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// crew is tasks, and what they achieved.
type crew struct {
	tasks, slots int
	crawls       []crawled
}

func (c *crew) of(f func(crawled) float64) spread {
	all := make([]float64, len(c.crawls))
	for i, got := range c.crawls {
		all[i] = f(got)
	}
	return spreadOf(all)
}

// crawled is one crawl. Every task had been waiting for work before.
type crawled struct {
	took    time.Duration
	lists   int64
	nodes   int64           // and so many messages
	objects []int64         // by task
	busy    []time.Duration // when the second task had work, the third…; fewer where not all had
	peak    int64           // LISTs in flight
}

func (c crawled) String() string {
	return fmt.Sprintf("%.2f s, %d LISTs, at most %d at a time, %d nodes, keys %v, more tasks at work after %v", c.took.Seconds(), c.lists, c.peak, c.nodes, c.objects, c.busy)
}

// least is the part of the keys that the task with the fewest listed.
func (c crawled) least(tasks int) float64 {
	if len(c.objects) < tasks {
		return 0
	}
	return float64(slices.Min(c.objects)) / float64(sum(c.objects))
}

func sum(all []int64) (n int64) {
	for _, k := range all {
		n += k
	}
	return n
}

// all is when the last of the tasks had work: at the end, where it never had.
func (c crawled) all(tasks int) time.Duration {
	if len(c.busy) < tasks-1 {
		return c.took
	}
	if tasks == 1 {
		return 0
	}
	return c.busy[len(c.busy)-1]
}

// flags is the name under which tasks that have nothing to do say so.
const flags = "@idle"

// crawl makes a fleet, waits until its tasks say that they have nothing to do, and
// then seeds a run.
func (s *shop) crawl(b *testing.B, srv *server, latency time.Duration, c *crew, truth *keys.Truth) (got crawled) {
	b.Helper()
	ctx := b.Context()
	f := &fleet.Crew{
		Queue: elasticmq.URL(b), Table: dynamodblocal.URL(b), S3: srv.url,
		Name: "crawl-" + rand.Text(), Program: s.path("ramify"),
	}
	must(b, f.Run(ctx, "setup"))
	must(b, f.Start(ctx, c.tasks, c.slots))
	stopped := false
	defer func() {
		if !stopped {
			b.Log(f.Stop())
		}
	}()
	l := dynamodb.New(fleet.Config(f.Table), f.Name, dynamodb.Options{})
	defer l.Close()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	idle := func() (n int) {
		all, err := l.Workers(ctx, flags)
		must(b, err)
		for _, w := range all {
			if w.Slots > 0 {
				n++
			}
		}
		return n
	}
	// Two may say so on one flag: a hint is all that it is.
	for over := time.Now().Add(20 * time.Second); idle() < c.tasks && time.Now().Before(over); {
		<-look.C
	}
	if idle() == 0 {
		b.Fatal("no task says that it is idle")
	}

	srv.control(b, "reset?latency="+latency.String())
	must(b, f.Run(ctx, "seed", "s3://bench", "--run", "crawl", "--no-check"))
	r := ledger.Run{State: ledger.Running}
	least := c.tasks - 1
	for over := time.Now().Add(patience); !r.State.Over(); <-look.C {
		var err error
		r, err = l.Run(ctx, "crawl")
		must(b, err)
		for now, still := time.Since(r.Created), idle(); least > still; least-- {
			got.busy = append(got.busy, now.Round(10*time.Millisecond))
		}
		if time.Now().After(over) {
			b.Fatalf("the crawl is not over after %v", patience)
		}
	}
	counts := srv.control(b, "counts")
	got.took, got.lists, got.peak = r.Finished.Sub(r.Created), counts.Lists, counts.Peak
	if want := int64(truth.Keys.Count); r.State != ledger.Finished || r.Totals.Objects != want || r.Totals.Failures != 0 {
		b.Fatalf("the crawl is %s with %+v, want %d objects", r.State, r.Totals, want)
	}
	got.nodes = r.Totals.Nodes
	stopped = true
	must(b, f.Stop()) // with its last figures
	all, err := l.Workers(ctx, "crawl")
	must(b, err)
	for _, w := range all {
		got.objects = append(got.objects, w.Done.Objects)
	}
	if n := sum(got.objects); n != r.Totals.Objects {
		must(b, fmt.Errorf("tasks say that they have listed %d objects, the run has %d", n, r.Totals.Objects))
	}
	return got
}

// crawlTable is the crawls of one bucket as Markdown.
func crawlTable(l *keys.List, latency time.Duration, truth *keys.Truth, crews []crew) string {
	var t strings.Builder
	fmt.Fprintf(&t, "### Fleet, ranges: %s at %v: %s; %d keys\n\n", l.Name, latency, l.About, truth.Keys.Count)
	t.WriteString("| tasks × slots | runs | wall s | LISTs | ÷ ⌈keys/1000⌉ | in flight | nodes | all at work after s | fewest keys of a task, % |\n|---|---|---|---|---|---|---|---|---|\n")
	pages := float64(truth.Pages())
	for i := range crews {
		c := &crews[i]
		fmt.Fprintf(&t, "| %d × %d | %d | %s | %s | %s | %s | %s | %s | %s |\n", c.tasks, c.slots, len(c.crawls),
			c.of(func(g crawled) float64 { return g.took.Seconds() }).text(2),
			c.of(func(g crawled) float64 { return float64(g.lists) }).text(0),
			c.of(func(g crawled) float64 { return float64(g.lists) / pages }).text(2),
			c.of(func(g crawled) float64 { return float64(g.peak) }).text(0),
			c.of(func(g crawled) float64 { return float64(g.nodes) }).text(0),
			c.of(func(g crawled) float64 { return g.all(c.tasks).Seconds() }).text(2),
			c.of(func(g crawled) float64 { return 100 * g.least(c.tasks) }).text(0))
	}
	t.WriteByte('\n')
	return t.String()
}

// crawlGoals are met or not.
func crawlGoals(pages int, crews []crew) (lines []string) {
	for i := range crews {
		c := &crews[i]
		most := 1.35*float64(pages) + inFlight
		lists := c.of(func(g crawled) float64 { return float64(g.lists) }).mid
		lines = append(lines, verdict(lists <= most, "%d × %d: %.0f LISTs; at most 1.35 × %d + %d = %.0f", c.tasks, c.slots, lists, pages, inFlight, most))
	}
	return lines
}
