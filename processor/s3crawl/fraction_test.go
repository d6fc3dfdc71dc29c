package s3crawl

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/s3serve/sample"
	"github.com/ramify/ramify/schema"
)

// distant takes a time of its own for each page, the same each time, so that pages
// come in an order that does not depend on the machine.
type distant struct{ *bucket }

const distance = 30 * time.Millisecond // to 45

func (d distant) List(ctx context.Context, q Query) (Page, error) {
	h := fnv.New64a()
	h.Write([]byte(q.After))
	select {
	case <-time.After(distance + time.Duration(h.Sum64()%uint64(distance/2))):
		return d.bucket.List(ctx, q)
	case <-ctx.Done():
		return Page{}, ctx.Err()
	}
}

// reading is what is said of a run when a unit has ended.
type reading struct {
	at           time.Duration
	listed, said float64 // parts of all
}

// readings are those of a walk by one task that writes a checkpoint so often.
func readings(ctx context.Context, t testing.TB, keys []string, slots int, every time.Duration) (all []reading) {
	t.Helper()
	b := newBucket(keys...)
	c, idle := New(Options{Lister: distant{b}, Slots: slots}), make(chan struct{}, slots)
	for range slots - 1 {
		idle <- struct{}{}
	}
	type todo struct {
		args  schema.Args
		share schema.Share
	}
	var said schema.Share
	listed, began := int64(0), time.Now()
	for queue := []todo{{Root("b", "", Range).Args, schema.Whole}}; len(queue) > 0; queue = queue[1:] {
		next, start := queue[0], time.Now()
		a := &attempt{slots: idle, due: func(int) processor.Due {
			if time.Since(start) >= every {
				return processor.Checkpoint
			}
			return processor.NotDue
		}}
		if err := c.Process(ctx, &processor.Node{Run: "r", Args: next.args}, a); err != nil {
			t.Fatal(err)
		}
		own := next.share
		if len(a.children) > 0 {
			own = next.share.Keep(a.kept)
		}
		var weights []uint32
		for _, child := range a.children {
			weights = append(weights, child.Weight)
		}
		for i, share := range (next.share - own).Split(weights) {
			queue = append(queue, todo{a.children[i].Args, share})
		}
		said, listed = said+own, listed+a.objects
		all = append(all, reading{time.Since(began), float64(listed) / float64(len(b.keys)), said.Fraction()})
	}
	if listed != int64(len(b.keys)) || said != schema.Whole {
		t.Errorf("%d of %d keys are listed in the end, and %v is said to be done", listed, len(b.keys), said.Fraction())
	}
	return all
}

// judge says how far what was said was from what was listed: too much and too
// little, at most, and on average; the part of the time that more than 95 % was
// said; and the most that was said before four fifths were listed.
func judge(all []reading) (over, under, mean, late, early float64) {
	before := reading{}
	for _, r := range all {
		off := r.said - r.listed
		over, under, mean = max(over, off), max(under, -off), mean+math.Abs(off)/float64(len(all))
		if before.said > 0.95 {
			late += (r.at - before.at).Seconds() / all[len(all)-1].at.Seconds()
		}
		if r.listed < 0.8 {
			early = max(early, r.said)
		}
		before = r
	}
	return over, under, mean, late, early
}

// uneven are buckets whose keys are not where a walk begins.
func uneven(t testing.TB) map[string][]string {
	t.Helper()
	r := rand.New(rand.NewPCG(20261126, 1))
	those, err := sample.Keys()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{"sample": those}
	add := func(name, format string, a ...any) { all[name] = append(all[name], fmt.Sprintf(format, a...)) }
	for i := range 90_000 {
		add("ninety", "data/user=%05d/part-%08d.parquet", i%3000, i)
	}
	for i := range 10_000 {
		add("ninety", "%c%c/other-%06d", 'a'+i%26, 'a'+i/26%26, i)
	}
	first := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for day := range 900 { // ever more
		for range int(3 * math.Exp(float64(day)/180)) {
			add("dates", "logs/%s/%02d/host-%04d-%08x.gz", first.AddDate(0, 0, day).Format("2006/01/02"), r.IntN(24), r.IntN(400), r.Uint32())
		}
	}
	for i := range 8_000 {
		add("late", "archive/%03d/x%06d", i%100, i)
	}
	for i := range 100_000 {
		add("late", "zz/backup/vol-%02d/%04x/%08x", i%20, r.IntN(4096), r.Uint32())
	}
	tenants, names := rand.NewZipf(r, 1.1, 2, 20_000), map[uint64]string{}
	for i := range 100_000 {
		n := tenants.Uint64()
		if names[n] == "" {
			names[n] = fmt.Sprintf("%c%c%c-%05d", 'a'+r.IntN(26), 'a'+r.IntN(26), 'a'+r.IntN(26), n)
		}
		add("tenants", "tenants/%s/objects/%08d", names[n], i)
	}
	for range 100_000 {
		add("hex", "%016x", r.Uint64())
	}
	for i := range 100_000 {
		add("equal", "customer-%04d/%04d/%02d.json", i%1000, i/1000%10, i/10_000)
	}
	for level, prefix := 0, ""; level < 250; level++ {
		prefix += string(rune('a'+level%26)) + "/"
		for i := range 1 + level {
			add("deep", "%sobject-%06d.bin", prefix, i)
		}
	}
	return all
}

// often is a checkpoint at about every fourteenth of a walk that loses no time.
func often(keys, slots int) time.Duration {
	return time.Duration(float64(keys) / pageKeys / float64(slots) / 12 * 1.25 * float64(distance))
}

// However keys are spread: the shares of a walk add up to the whole, what is said to
// be done never falls, is 1 at the end and not before, and while a fifth of the keys
// is yet to be listed nobody is told that all but a twentieth is done. The last line that
// it logs of each walk is a line of console/testdata/crawls.txt.
func TestFraction(t *testing.T) {
	for name, keys := range uneven(t) {
		for _, slots := range []int{1, 4, 16, 64} {
			t.Run(fmt.Sprintf("%s/%d", name, slots), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					all := readings(t.Context(), t, keys, slots, often(len(keys), slots))
					over, under, mean, late, early := judge(all)
					what := fmt.Sprintf("too much %.2f, too little %.2f, mean %.2f, time above 95 %% %.2f:", over, under, mean, late)
					for i, r := range all {
						what += fmt.Sprintf(" %.2f/%.2f", r.said, r.listed)
						if i > 0 && r.said < all[i-1].said {
							t.Errorf("%v is said to be done after %v", r.said, all[i-1].said)
						}
						if i < len(all)-1 && r.said >= 1 {
							t.Errorf("all is said to be done with %v listed", r.listed)
						}
					}
					curve := fmt.Sprintf("%s/%d", name, slots)
					for _, r := range all {
						curve += fmt.Sprintf(" %.3f:%.3f", r.at.Seconds()/all[len(all)-1].at.Seconds(), r.said)
					}
					t.Log(what)
					t.Log(curve)
					if early > 0.95 || over > 0.7 {
						t.Errorf("%.3f is said to be done with less than 0.8 listed: %s", early, what)
					}
					if len(all) < 6 {
						t.Errorf("%d units tell nothing", len(all))
					}
				})
			})
		}
	}
}

// BenchmarkFraction tells how far what is said to be done of a run is from what is
// listed, by bucket and slots; in real time, which is a minute or two.
func BenchmarkFraction(b *testing.B) {
	all := uneven(b)
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, slots := range []int{1, 4, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", name, slots), func(b *testing.B) {
				for range b.N {
					over, under, mean, late, early := judge(readings(b.Context(), b, all[name], slots, often(len(all[name]), slots)))
					b.ReportMetric(over, "over")
					b.ReportMetric(under, "under")
					b.ReportMetric(mean, "mean")
					b.ReportMetric(late, "late")
					b.ReportMetric(early, "early")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
