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

// tell walks a bucket with the whole engine, and reads every quarter of a second what the page says.
func tell(t *testing.T, keys []string, mode s3crawl.Mode, slots int, latency time.Duration) (all []told, requests int64) {
	s := &slow{keys: keys, latency: latency}
	l := ledgermemory.New(1, ledgermemory.Faults{})
	main, dead := queuememory.New(2, queuememory.Faults{}), queuememory.New(3, queuememory.Faults{})
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
		now, err := source(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// The meter's fraction cannot fall: it is the one that was read that must not.
		all = append(all, told{time.Since(began), s.asked.Load(), now.Objects, now.Fraction, meter.Observe(now).ETA})
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

// walk is a bucket that is walked in a way.
type walk struct {
	bucket string
	mode   s3crawl.Mode
	slots  int
}

// walks are those that a test walks each time, or those of the buckets that RAMIFY_BENCH_BUCKETS names,
// or all.
func walks() (all []walk) {
	which := os.Getenv("RAMIFY_BENCH_BUCKETS")
	if which == "" {
		return []walk{{"hive", s3crawl.Range, 1}, {"hive", s3crawl.Range, 4}, {"hive", s3crawl.Prefix, 1}, {"wide", s3crawl.Range, 4}}
	}
	names := strings.Fields(which)
	if which == "all" {
		names = slices.Sorted(maps.Keys(buckets))
	}
	for _, name := range names {
		for _, mode := range []s3crawl.Mode{s3crawl.Range, s3crawl.Prefix} {
			for _, slots := range []int{1, 4, 16, 64} {
				all = append(all, walk{name, mode, slots})
			}
		}
	}
	return all
}

const most = 600_000 // keys of a bucket, about

// TestProgress is what people are told of a crawl while it goes on, by the whole engine in
// simulated time: the fraction is never taken back and is 1 at the end alone, and of tables
// side by side the first is not taken for all there is. It logs how true all of that was.
func TestProgress(t *testing.T) {
	for _, w := range walks() {
		keys := buckets[w.bucket](t, most)
		requests := len(keys) / 1000
		if w.mode == s3crawl.Prefix {
			if requests = folders(keys); requests < 100 {
				continue // one node is one listing: nothing is said of it until it ends
			}
		}
		// About a minute, as a run of a size that people watch, without pages that take longer
		// than pages do.
		latency := min(max(time.Duration(w.slots)*time.Minute/time.Duration(requests), time.Millisecond), 500*time.Millisecond)
		t.Run(fmt.Sprintf("%s/%s/%d", w.bucket, w.mode, w.slots), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all, requests := tell(t, keys, w.mode, w.slots, latency)
				v, end := judge(all, requests), all[len(all)-1]
				t.Logf("%s/%s/%d of %d keys, %d requests of %v, %v: %v", w.bucket, w.mode, w.slots, len(keys), requests, latency, end.at, v)
				curve := ""
				for i := 0; i < len(all); i += max(len(all)/12, 1) {
					curve += all[i].beside(end.at, requests)
				}
				t.Log("said/true (left: low guess high):" + curve)
				for i, r := range all[1:] {
					if r.fraction < all[i].fraction || r.fraction >= 1 && r.at < end.at {
						t.Errorf("after %v %v is said to be done, after %v of %v %v", all[i].at, all[i].fraction, r.at, end.at, r.fraction)
					}
				}
				if end.keys != int64(len(keys)) || end.fraction != 1 {
					t.Errorf("in the end %d of %d keys are counted, and %v is done", end.keys, len(keys), end.fraction)
				}
				if os.Getenv("RAMIFY_BENCH_BUCKETS") == "" && (v.over > 0.5 || w.slots == 1 && (v.known < 0.5 || v.inside < 0.9)) { // of more, the order of pages varies
					t.Errorf("%v: too much is said, or the ETA is wrong", v)
				}
			})
		})
	}
}

// beside is a reading beside the truth: the fraction and the part of the requests, the
// seconds left, and those by the ETA.
func (r *told) beside(end time.Duration, requests int64) string {
	return fmt.Sprintf(" %.2f/%.2f (%.0f: %.0f %.0f %.0f)", r.fraction, float64(r.asked)/float64(requests),
		(end - r.at).Seconds(), r.eta.Low.Seconds(), r.eta.Left.Seconds(), r.eta.High.Seconds())
}

// folders is how many prefixes there are that end in '/', and the bucket.
func folders(keys []string) (n int) {
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
