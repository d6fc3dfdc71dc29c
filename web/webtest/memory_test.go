package webtest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/console"
)

// held is what the page holds after garbage was collected.
type held struct{ heap, nodes, listeners float64 }

func (b *tab) held() (h held) {
	b.t.Helper()
	for range 3 { // what finalizers let go of is collected the next time
		_, err := chromedp.Call(b.ctx, heapprofiler.CollectGarbage, cdp.Empty{})
		require.NoError(b.t, err)
	}
	got, err := chromedp.Call(b.ctx, performance.GetMetrics, cdp.Empty{})
	require.NoError(b.t, err)
	for _, m := range got.Metrics {
		switch m.Name {
		case "JSHeapUsedSize":
			h.heap = m.Value
		case "Nodes":
			h.nodes = m.Value
		case "JSEventListeners":
			h.listeners = m.Value
		}
	}
	return h
}

// TestMemoryIsFlat updates the page as often as ten minutes do, as fast as it follows;
// with RAMIFY_SOAK for ten minutes indeed. Workers come and go, prefixes fill up,
// failures are added and somebody goes through the tree meanwhile.
func TestMemoryIsFlat(t *testing.T) {
	const updates = 600
	every := 20 * time.Millisecond
	if os.Getenv("RAMIFY_SOAK") != "" {
		every = time.Second
	}
	w := &world{}
	m := newRun(w, name)
	m.fail(30)
	m.fleet()
	b := newTab(t, 1280, 900)
	_, err := chromedp.Call(b.ctx, performance.Enable, performance.EnableParams{})
	require.NoError(t, err)
	b.open(w.serve(t, every) + "&run=" + name)
	b.until("document.querySelectorAll('.tile.open').length > 3")
	eval[any](b, "window.updates = 0, new MutationObserver(() => updates++).observe(document.querySelector('#f-objects'), { childList: true, characterData: true, subtree: true })")
	beat := time.NewTicker(every)
	defer beat.Stop()
	step := func(i int) {
		<-beat.C
		m.tick(1)
		w.set(func() {
			crew := m.view.Crew[:0:0]
			for n := range 3 + i%40 {
				crew = append(crew, console.Member{ID: fmt.Sprintf("worker-%d-%d", i, n), Alive: n%3 > 0, Slots: 64, InFlight: n, Units: int64(i * n), At: time.Now()})
			}
			m.view.Crew = crew
			m.view.Fleet.Events[0].Message = fmt.Sprintf("desired count set to %d", i)
		})
		if i%50 == 49 { // into a prefix and out again, and to another measure
			eval[any](b, "document.querySelector('.tile')?.click()")
			eval[any](b, fmt.Sprintf("document.querySelectorAll('#tree-by button')[%d].click()", i/50%3))
		}
		if i%50 == 24 {
			eval[any](b, "document.querySelector('#tree-crumbs button')?.click()")
		}
	}
	for i := range updates / 4 { // until all that is bounded is full
		step(i)
	}
	began := b.held()
	before := eval[int](b, "updates")
	followed := func() bool { return eval[int](b, "updates")-before > updates/4 }
	for i := range 20 * updates {
		if i >= updates && i%50 == 0 && followed() { // a slow machine shows few of them
			break
		}
		step(i)
	}
	eval[any](b, "document.querySelector('#tree-crumbs button')?.click()")
	b.shows("#f-objects", grouped(m.view.Objects))
	ended := b.held()
	t.Logf("%d updates seen: heap %.2f → %.2f MB, %.0f → %.0f nodes, %.0f → %.0f listeners", eval[int](b, "updates")-before,
		began.heap/1e6, ended.heap/1e6, began.nodes, ended.nodes, began.listeners, ended.listeners)
	assert.True(t, followed(), "it followed")
	assert.Less(t, ended.heap, began.heap+2e6, "heap")
	assert.Less(t, ended.nodes, 1.5*began.nodes+500, "nodes")
	assert.LessOrEqual(t, ended.listeners, began.listeners+20, "listeners")

	// A page that is left leaves nothing behind.
	for range 5 {
		b.press(".brand")
		b.shows("#runs-list", name)
		b.press("#runs-list a")
		b.until("document.querySelector('#figures.ready') && document.querySelectorAll('#charts canvas').length === 4")
	}
	left := b.held()
	assert.Less(t, left.heap, began.heap+2e6, "heap after coming and going")
	assert.LessOrEqual(t, left.listeners, began.listeners+20, "listeners after coming and going")
	t.Logf("after coming and going: heap %.2f MB, %.0f nodes, %.0f listeners", left.heap/1e6, left.nodes, left.listeners)
}
