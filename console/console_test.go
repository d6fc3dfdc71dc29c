package console

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)

// aRun is a run that has been walked for 15 seconds.
func aRun() ledger.Run {
	return ledger.Run{
		ID: "photos", Target: "s3://bucket/photos/", State: ledger.Running,
		Root: ledger.Kid{Kind: "s3.crawl", ID: "s3://bucket/photos/"}, Options: ledger.Options{Out: "out/photos"},
		Created: noon.Add(-15 * time.Second),
	}
}

// aWorker is the one that walks it, as it last reported, a second ago.
func aWorker() ledger.Worker {
	return ledger.Worker{
		Run: "photos", ID: "w1",
		Done:  schema.Account{Nodes: 210, Objects: 1_234_567, Bytes: 3_650_722_201},
		Share: schema.Whole.Part(42, 100) + 1, InFlight: 64, Slots: 64, Retries: 3,
		Requests: map[string]int64{"list": 1240, "head": 60},
		Started:  noon.Add(-15 * time.Second), At: noon.Add(-time.Second),
	}
}

// aReading is what a meter makes of it.
func aReading() Reading {
	return Reading{
		Snapshot: Take(aRun(), []ledger.Worker{aWorker()}, noon),
		Now:      Rates{Nodes: 14.2, Objects: 81_400, Bytes: 220_200_960, Requests: 82},
		ETA:      ETA{Known: true, Left: 14 * time.Second, Low: 11 * time.Second, High: 19 * time.Second},
	}
}

// same compares text line by line, so that what differs can be seen.
func same(t *testing.T, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Errorf("line %d\n got %q\nwant %q", i+1, a, b)
		}
	}
	if !t.Failed() {
		t.Errorf("got %q, want %q", got, want)
	}
}

// hundred is a source of a run of 100 seconds, 20 keys a second, that counts its
// reads. It fails while failing is set.
type hundred struct {
	begun time.Time

	mu      sync.Mutex
	reads   int
	failing error
}

func (h *hundred) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failing = err
}

// text is what was written, so far.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Split(strings.TrimSuffix(t.b.String(), "\n"), "\n")
}

func begin() *hundred { return &hundred{begun: time.Now()} }

func (h *hundred) read(ctx context.Context) (Snapshot, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads++
	if h.failing != nil {
		return Snapshot{}, h.failing
	}
	now := time.Now()
	s := now.Sub(h.begun).Seconds()
	snap := Snapshot{Run: "r", Target: "s3://b/", Kind: "s3.inventory", State: Running, At: now, Fraction: min(s/100, almost), Objects: int64(20 * s), Nodes: int64(s), Seconds: s, Workers: 1, Slots: 8, InFlight: 8, Requests: map[string]int64{"list": int64(s)}}
	if s >= 100 {
		snap.State, snap.Fraction, snap.InFlight = Finished, 1, 0
	}
	return snap, nil
}
