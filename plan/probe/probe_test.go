package probe_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/plan/probe"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/s3serve/sample"
)

// bucket lists its keys as S3 does, and counts requests.
type bucket struct {
	keys  []string
	asked int
	fail  error
	clock time.Time
	takes time.Duration
}

func (b *bucket) now() time.Time { return b.clock }

func (b *bucket) List(_ context.Context, q s3crawl.Query) (s3crawl.Page, error) {
	b.asked++
	b.clock = b.clock.Add(b.takes)
	if b.fail != nil {
		return s3crawl.Page{}, b.fail
	}
	i, _ := slices.BinarySearch(b.keys, max(q.After, q.Prefix))
	if i < len(b.keys) && b.keys[i] == q.After {
		i++
	}
	var pg s3crawl.Page
	if q.Delimiter != "" {
		return b.folders(q, i), nil
	}
	for ; i < len(b.keys) && strings.HasPrefix(b.keys[i], q.Prefix); i++ {
		if len(pg.Objects) == 1000 {
			pg.More = true
			break
		}
		pg.Objects = append(pg.Objects, inventory.Object{Key: b.keys[i]})
	}
	return pg, nil
}

// folders is a page with a delimiter.
func (b *bucket) folders(q s3crawl.Query, i int) (pg s3crawl.Page) {
	for i < len(b.keys) && strings.HasPrefix(b.keys[i], q.Prefix) {
		if len(pg.Objects)+len(pg.Prefixes) == 1000 {
			pg.More = true
			break
		}
		end := strings.Index(b.keys[i][len(q.Prefix):], q.Delimiter)
		if end < 0 {
			pg.Objects = append(pg.Objects, inventory.Object{Key: b.keys[i]})
			i++
			continue
		}
		folder := b.keys[i][:len(q.Prefix)+end+len(q.Delimiter)]
		pg.Prefixes = append(pg.Prefixes, folder)
		i += sort.Search(len(b.keys)-i, func(j int) bool { return !strings.HasPrefix(b.keys[i+j], folder) })
	}
	return pg
}

func hash(i int) string { return fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, i)))[:20] }

// lists of keys, of shapes that buckets have.
var lists = map[string]func(i int) string{
	"hashes": func(i int) string { return "data/" + hash(i) },
	"times": func(i int) string {
		return time.Unix(1_700_000_000+int64(i)*37, 0).UTC().Format("logs/2006/01/02/15/04-05.gz")
	},
	"numbers":  func(i int) string { return fmt.Sprintf("frame-%09d.png", i) },
	"prefixes": func(i int) string { return fmt.Sprintf("%s/part-%05d", hash(i / 150)[:6], i%150) },
	"one big, a tail": func(i int) string {
		return fmt.Sprintf("%c/%s", "aaaaaaaaaaaaaaabcdefghijklmnopqrstuvwxyz"[hash(i)[0]%40], hash(i))
	},
}

func TestHowManyKeys(t *testing.T) {
	for name, key := range lists {
		t.Run(name, func(t *testing.T) {
			const n = 100_000
			b := &bucket{takes: 50 * time.Millisecond}
			for i := range n {
				b.keys = append(b.keys, key(i))
			}
			slices.Sort(b.keys)
			b.keys = slices.Compact(b.keys)
			truth := float64(len(b.keys))
			within := 0
			for seed := range uint64(4) {
				b.asked = 0
				f, err := probe.Look(context.Background(), probe.Options{Lister: b, Bucket: "b", Requests: 100, Seed: seed, Now: b.now})
				require.NoError(t, err)
				assert.LessOrEqual(t, b.asked, 100)
				assert.False(t, f.Complete)
				var all []float64
				for s := range uint64(200) {
					all = append(all, f.Keys(s))
				}
				slices.Sort(all)
				t.Logf("%.0f: %.0f to %.0f, median %.0f, seen %.0f", truth, all[10], all[189], all[100], f.Seen)
				if all[10] <= truth && truth <= all[189] {
					within++
				}
				assert.InDelta(t, 0, math.Log(all[100]/truth), math.Log(3), "the median is off by more than 3 times")
			}
			assert.GreaterOrEqual(t, within, 3, "runs of 4 whose interval holds the truth")
		})
	}
}

// files are real ones of a Linux distribution, each several times, in folders of their
// own where apart is set.
func files(t *testing.T, apart bool) (keys []string) {
	t.Helper()
	all, err := sample.Keys()
	require.NoError(t, err)
	for i := range 15 {
		for _, k := range all {
			switch {
			case apart:
				k = fmt.Sprintf("srv/host-%s/%s", hash(i)[:6], k)
			default:
				k = fmt.Sprintf("%s.%x", k, i)
			}
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Of files nothing tells where they lie: folders are looked into, the estimate is within
// a few times of the truth, and said to be rough.
func TestFiles(t *testing.T) {
	within, off := 0, 0.0
	const trees, seeds = 2, 6
	for _, apart := range []bool{false, true} {
		b := &bucket{takes: time.Millisecond, keys: files(t, apart)}
		for seed := range uint64(seeds) {
			b.asked = 0
			f, err := probe.Look(context.Background(), probe.Options{Lister: b, Bucket: "b", Requests: 200, Seed: seed, Now: b.now})
			require.NoError(t, err)
			assert.LessOrEqual(t, b.asked, 200)
			assert.True(t, f.Rough())
			low, mid, high := f.Range()
			truth := float64(len(b.keys))
			t.Logf("%.2f (%.2f to %.2f) of %.0f", mid/truth, low/truth, high/truth, truth)
			if low <= truth && truth <= high {
				within++
			}
			off += math.Abs(math.Log(mid/truth)) / (trees * seeds)
		}
	}
	assert.GreaterOrEqual(t, within, trees*seeds-1, "intervals that hold the truth")
	assert.Less(t, off, math.Log(1.7), "how far medians are off, in the mean")
}

func TestSmallBucketIsCounted(t *testing.T) {
	b := &bucket{takes: 20 * time.Millisecond}
	for i := range 2_500 {
		b.keys = append(b.keys, lists["numbers"](i))
	}
	f, err := probe.Look(context.Background(), probe.Options{Lister: b, Bucket: "b", Requests: 200, Now: b.now})
	require.NoError(t, err)
	assert.True(t, f.Complete)
	assert.InDelta(t, 2_500, f.Keys(1), 0)
	assert.Equal(t, 3, b.asked, "it stops when it knows all")
	assert.Equal(t, 20*time.Millisecond, f.Mean(1))

	b.keys = nil
	f, err = probe.Look(context.Background(), probe.Options{Lister: b, Bucket: "b", Requests: 200, Now: b.now})
	require.NoError(t, err)
	assert.True(t, f.Complete)
	assert.Zero(t, f.Keys(1))
}

func TestWhatCannotBeListed(t *testing.T) {
	denied := errors.New("access denied")
	_, err := probe.Look(context.Background(), probe.Options{Lister: &bucket{fail: denied}, Bucket: "b", Requests: 9})
	assert.ErrorIs(t, err, denied)
}
