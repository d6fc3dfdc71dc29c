package progress

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/ledger"
	ledgermemory "github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/s3crawl"
	queuememory "github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/task"
)

// slow is a bucket in memory, each page of which takes the same time.
type slow struct {
	keys    []string
	latency time.Duration
	asked   atomic.Int64
}

func (s *slow) List(ctx context.Context, q s3crawl.Query) (pg s3crawl.Page, err error) {
	q.Count("list", 1)
	select {
	case <-ctx.Done():
		return pg, ctx.Err()
	case <-time.After(s.latency):
	}
	s.asked.Add(1)
	after := max(q.After, q.Token)
	i := sort.Search(len(s.keys), func(i int) bool { return s.keys[i] > after && s.keys[i] >= q.Prefix })
	for n := 0; i < len(s.keys) && strings.HasPrefix(s.keys[i], q.Prefix); n++ {
		if n == 1000 {
			pg.More = true
			break
		}
		k := s.keys[i]
		if at := strings.Index(k[len(q.Prefix):], "/"); q.Delimiter != "" && at >= 0 {
			common := k[:len(q.Prefix)+at+1]
			pg.Prefixes = append(pg.Prefixes, common)
			pg.Token = common + "\U0010ffff"
			i = sort.SearchStrings(s.keys, pg.Token)
			continue
		}
		pg.Objects = append(pg.Objects, inventory.Object{Key: k, Size: 1})
		pg.Token = k
		i++
	}
	if q.Delimiter == "" || !pg.More {
		pg.Token = ""
	}
	return pg, nil
}

// told is what was said of a run at a moment.
type told struct {
	at       time.Duration
	asked    int64 // requests that were answered
	keys     int64
	fraction float64
	eta      console.ETA
}

// tell walks a bucket with the whole engine, and reads every half second what the page says.
func tell(t *testing.T, keys []string, mode s3crawl.Mode, slots int, latency time.Duration) (all []told, requests int64) {
	s := &slow{keys: keys, latency: latency}
	l, main, dead := ledgermemory.New(1, ledgermemory.Faults{}), queuememory.New(2, queuememory.Faults{}), queuememory.New(3, queuememory.Faults{})
	over := make(chan struct{}, 1)
	work, err := task.New(task.Config{
		Queue: main, Dead: dead, Ledger: l, Board: l, Concurrency: slots,
		Processors: processor.Set{s3crawl.Kind: s3crawl.New(s3crawl.Options{Lister: s, Slots: slots})},
		Sink:       func(context.Context, ledger.Run) (sink.Sink, error) { return sink.Discard{}, nil },
		Over: func(string) {
			select {
			case over <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	root := s3crawl.Root("b", "", mode)
	if err := seed.Run(t.Context(), l, &post.Poster{Queue: main}, ledger.Run{
		ID: "run", Root: ledger.Kid{Kind: s3crawl.Kind, ID: root.ID, Args: root.Args}, Options: ledger.Options{Inline: 1000},
	}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	source := console.Read(l, l, "run", work.Figures)
	var meter console.Meter
	work.Start(t.Context())
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-over:
			ended = true
		case <-tick.C:
		}
		s0, err := source(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r := meter.Observe(s0)
		all = append(all, told{time.Since(began), s.asked.Load(), r.Objects, r.Fraction, r.ETA})
	}
	work.Stop(t.Context())
	return all, s.asked.Load()
}

// verdict is how true what was said was.
type verdict struct {
	over, under, mean    float64 // of the fraction against the requests: too much, too little, at most; on average
	late                 float64 // part of the time at which more than 95 % was said
	known                float64 // part of the readings with an ETA
	inside, early, tardy float64 // of those: the end was within the band, later, sooner
	wide, off            float64 // high ÷ low, and guess ÷ truth or truth ÷ guess, in the geometric mean
}

func judge(all []told, requests int64) (v verdict) {
	end := all[len(all)-1].at
	known := 0.0
	for _, r := range all[:len(all)-1] {
		off := r.fraction - float64(r.asked)/float64(requests)
		v.over, v.under, v.mean = max(v.over, off), max(v.under, -off), v.mean+math.Abs(off)
		if r.fraction > 0.95 {
			v.late++
		}
		if !r.eta.Known {
			continue
		}
		known++
		truth := end - r.at
		switch {
		case truth > r.eta.High:
			v.early++
		case truth < r.eta.Low:
			v.tardy++
		default:
			v.inside++
		}
		v.wide += math.Log(max(r.eta.High.Seconds(), 1) / max(r.eta.Low.Seconds(), 1))
		v.off += math.Abs(math.Log(max(r.eta.Left.Seconds(), 1) / max(truth.Seconds(), 1)))
	}
	n := float64(max(len(all)-1, 1))
	v.mean, v.late, v.known = v.mean/n, v.late/n, known/n
	known = max(known, 1)
	v.inside, v.early, v.tardy = v.inside/known, v.early/known, v.tardy/known
	v.wide, v.off = math.Exp(v.wide/known), math.Exp(v.off/known)
	return v
}

func (v verdict) String() string {
	return fmt.Sprintf("over %.2f under %.2f mean %.2f late %.2f | eta known %.2f inside %.2f early %.2f tardy %.2f wide %.1f off %.2f",
		v.over, v.under, v.mean, v.late, v.known, v.inside, v.early, v.tardy, v.wide, v.off)
}

// TestProgress is what people are told of a crawl while it goes on.
func TestProgress(t *testing.T) {
	names := slices.Sorted(maps.Keys(buckets))
	if only := os.Getenv("BUCKETS"); only != "" {
		names = strings.Fields(only)
	}
	n := 600_000
	for _, name := range names {
		keys := buckets[name](t, n)
		for _, mode := range []s3crawl.Mode{s3crawl.Range, s3crawl.Prefix} {
			nodes := len(keys) / 1000
			if mode == s3crawl.Prefix {
				if nodes = dirs(keys); nodes < 100 {
					continue // one node is one listing: nothing is said of it until it ends
				}
			}
			for _, slots := range []int{1, 4, 16, 64} {
				t.Run(fmt.Sprintf("%s/%s/%d", name, mode, slots), func(t *testing.T) {
					began := time.Now()
					defer func() { t.Log(time.Since(began)) }()
					synctest.Test(t, func(t *testing.T) {
						latency := min(max(time.Duration(slots)*60*time.Second/time.Duration(nodes), time.Millisecond), 500*time.Millisecond)
						all, requests := tell(t, keys, mode, slots, latency)
						t.Logf("%s/%s/%d of %d keys, %d requests of %v, %v: %v", name, mode, slots, len(keys), requests, latency, all[len(all)-1].at, judge(all, requests))
						curve := ""
						for i, r := range all {
							if i%max(len(all)/15, 1) == 0 {
								curve += fmt.Sprintf(" %.2f/%.2f", r.fraction, float64(r.asked)/float64(requests))
								if os.Getenv("ETA") != "" {
									curve += fmt.Sprintf("(%.0f:%.0f–%.0f–%.0f)", (all[len(all)-1].at - r.at).Seconds(), r.eta.Low.Seconds(), r.eta.Left.Seconds(), r.eta.High.Seconds())
								}
							}
						}
						t.Log(curve)
						if all[len(all)-1].keys != int64(len(keys)) || all[len(all)-1].fraction != 1 {
							t.Errorf("in the end: %+v", all[len(all)-1])
						}
					})
				})
			}
		}
	}
}

func dirs(keys []string) (n int) {
	before := ""
	for _, k := range keys {
		dir := k[:strings.LastIndex(k, "/")+1]
		same := 0
		for same < min(len(dir), len(before)) && dir[same] == before[same] {
			same++
		}
		n += strings.Count(dir[same:], "/")
		before = dir
	}
	return n + 1
}
