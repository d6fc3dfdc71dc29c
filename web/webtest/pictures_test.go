package webtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/web"
)

// largest is how many bytes a picture of the documentation may have.
const largest = 300_000

// archive is the objects of a bucket such as people have, made up: so many about.
func archive(most int) (objects []s3serve.Object) {
	chance := rand.New(rand.NewPCG(1, 2))
	add := func(share, typical float64, key func() string) {
		for range int(share * float64(most)) {
			objects = append(objects, s3serve.Object{Key: key(), Size: int64(typical * math.Exp(1.3*chance.NormFloat64()))})
		}
	}
	few := func(n int) int { return int(float64(n) * math.Pow(chance.Float64(), 1.8)) } // the first of n more often
	for _, of := range []struct {
		prefix string
		share  float64
	}{{"photos/originals/", 0.24}, {"photos/previews/", 0.19}, {"photos/edited/", 0.04}} {
		add(of.share, 60_000+2_400_000*float64(len(of.prefix)%2), func() string {
			month := few(140)
			return fmt.Sprintf("%s%d/%02d/event-%04d/IMG_%06d.jpg", of.prefix, 2025-month/12, 12-month%12, few(16), chance.IntN(999_999))
		})
	}
	services := []string{"api", "web", "auth", "billing", "search", "mailer", "edge", "jobs", "gateway"}
	add(0.27, 9_000, func() string {
		day := few(420)
		return fmt.Sprintf("logs/%s/2025/%02d/%02d/%012x.log.gz", services[few(len(services))], 12-day/35, 1+day%28, chance.Int64N(1<<48))
	})
	add(0.1, 900_000, func() string {
		return fmt.Sprintf("events/topic=%s/hour=%05d/part-%05d.parquet", services[few(len(services))], 90_000-few(240), chance.IntN(200))
	})
	add(0.07, 40_000, func() string {
		return fmt.Sprintf("avatars/%02x/%016x.png", few(256), chance.Uint64())
	})
	add(0.05, 6_000_000, func() string {
		return fmt.Sprintf("backups/db-%d/2025-%02d/base-%06d.tar", few(7), 12-few(12), chance.IntN(999_999))
	})
	add(0.04, 3_000, func() string {
		return fmt.Sprintf("datasets/v%d/train/class-%03d/%09d.json", 9-few(9), few(300), chance.IntN(1e9))
	})
	return objects
}

// TestPictures takes the pictures of docs/pictures, of a run that is walked: a large
// one, as `make screenshots` wants it, or a small one whose pictures nobody looks at.
func TestPictures(t *testing.T) {
	t.Parallel()
	dir, objects, latency := os.Getenv("RAMIFY_PICTURES"), 800, 50*time.Millisecond
	if dir == "" {
		dir = t.TempDir()
	} else {
		objects, latency = 1_200_000, 150*time.Millisecond
	}
	bucket, err := s3serve.FromObjects(archive(objects))
	require.NoError(t, err)
	// The page of a run at which nobody looks ends with it: the server waits for who does.
	var asked atomic.Int64
	seen := make(chan struct{})
	u := newUser(t, s3serve.New(s3serve.Options{
		Buckets: map[string]*s3serve.Listing{"acme-archive": bucket}, Latency: latency,
		Faults: func(r *http.Request) s3serve.Fault {
			if asked.Add(1) > 2 { // that there is access, and the root
				select {
				case <-seen:
				case <-r.Context().Done():
				}
			}
			return s3serve.NoFault
		},
	}))
	b := newTab(t, 1280, 1000)
	b.dark(false)
	url, _ := u.walks("run", "s3://acme-archive/", "--run", "live", "--web", "--node", "prefix", "--inline", "50", "--concurrency", "48", "--out", "out")
	b.open(url)
	b.shows("#state", "Running")
	close(seen)
	b.until(fmt.Sprintf("Number((document.querySelector('#f-objects').dataset.exact ?? '').replaceAll(',', '')) >= %d", objects*6/10))
	b.until("document.querySelectorAll('.tile.open').length > 0")
	take := func(name string) { b.take(dir, name) }
	take("run-light")
	b.dark(true)
	take("run-dark")
	b.dark(false)
	b.until("document.querySelector('.tile[data-prefix=\"photos/\"]')")
	eval[any](b, "document.querySelector('.tile[data-prefix=\"photos/\"]').click()")
	b.until("document.querySelector('#tree-map').dataset.shown === 'photos/'")
	b.until("document.querySelectorAll('.tile.open').length > 0")
	eval[any](b, "document.querySelector('#tree').scrollIntoView()")
	take("tree-light")
	b.dark(true)
	take("tree-dark")
}

// take takes a picture of the documentation.
func (b *tab) take(dir, name string) {
	b.t.Helper()
	// What is drawn next is drawn, and what grows has grown.
	eval[any](b, "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
	png := b.picture(false)
	assert.LessOrEqual(b.t, len(png), largest, name)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
}

// TestPicturesOfAFleet takes those of a fleet's panel. No fleet is there to be looked at:
// its figures are made up, as the page of the documentation says.
func TestPicturesOfAFleet(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("RAMIFY_PICTURES")
	if dir == "" {
		dir = t.TempDir()
	}
	w := &world{}
	m := newRun(w, name)
	m.fleet()
	target := 60.0
	begun := time.Now().Add(-8 * time.Minute).Truncate(time.Second)
	// The governor sees the backlog grow, and asks for more tasks, which take a while to start.
	wants := []struct{ at, from, to int }{{15, 0, 1}, {75, 1, 4}, {135, 4, 8}, {195, 8, 12}}
	look := func(at int) (running int) {
		f := &web.Fleet{Target: &target, Min: new(0), Max: new(200), Events: []web.Event{}}
		for _, want := range wants {
			if at >= want.at {
				f.Desired = want.to
				f.Events = append([]web.Event{{At: begun.Add(time.Duration(want.at) * time.Second), By: "governor", Message: fmt.Sprintf("desired count set to %d, from %d: the backlog wants more tasks", want.to, want.from)}}, f.Events...)
			}
			if at >= want.at+35 {
				f.Running = want.to
				f.Events = append([]web.Event{{At: begun.Add(time.Duration(want.at+35) * time.Second), By: "ecs", Message: fmt.Sprintf("(service ramify) has started %d tasks.", want.to-want.from)}}, f.Events...)
			}
		}
		slices.SortStableFunc(f.Events, func(a, b web.Event) int { return b.At.Compare(a.At) })
		f.Pending = f.Desired - f.Running
		tasks := float64(max(f.Running, 1))
		seconds := min(390*(1-math.Exp(-float64(at)/30))/math.Pow(tasks, 0.9), 240)
		each := seconds * 22
		oldest := math.Round(seconds / 2)
		f.BacklogSeconds, f.BacklogPerTask, f.Oldest = &seconds, &each, &oldest
		f.Unread, f.InFlight, f.Delayed = int64(each*tasks), int64(f.Running*64), int64(at%9)
		m.view.Fleet, m.view.Cost = f, &web.Cost{SoFar: 0.0021 * float64(at), Total: 2.07}
		m.view.Created, m.view.At = begun, begun.Add(time.Duration(at)*time.Second)
		return f.Running
	}
	w.set(func() { look(0) })
	b := newTab(t, 1280, 336)
	b.dark(false)
	b.open(w.serve(t, fast) + "&run=" + name)
	for at := 0; at <= 480; at += 15 {
		running := 0
		w.set(func() { running = look(at) })
		b.shows("#fleet-cost", console.Dollars(m.view.Cost.SoFar)+" so far")
		b.shows("#fleet-figures", fmt.Sprintf("Tasks\n%d", running))
	}
	eval[any](b, "document.querySelector('#fleet').scrollIntoView({block: 'center'})")
	b.take(dir, "fleet-light")
	b.dark(true)
	b.take(dir, "fleet-dark")
}
