package webtest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/web"
)

func TestButtons(t *testing.T) {
	t.Parallel()
	w := &world{}
	m := newRun(w, name)
	b := shown(t, w, 1280)
	orders := func() (all []web.Order) {
		w.set(func() { all = append(all, w.orders...); w.orders = nil })
		return all
	}
	b.press("#pause")
	b.shows("#state", "Paused")
	b.shows("#said", "The run is paused.")
	b.until("document.activeElement.id === 'resume'") // who pressed stands on what comes in its place
	assert.False(t, visible(b, "#pause"))
	b.press("#resume")
	b.shows("#state", "Running")
	assert.Equal(t, []web.Order{{Kind: web.Pause}, {Kind: web.Resume}}, orders())

	write := func(n string) {
		eval[any](b, "document.querySelector('#slots').select()")
		b.do(chromedp.SendKeys("#slots", n))
	}
	write("128")
	m.tick(5)
	b.shows("#f-objects", grouped(m.view.Objects))
	assert.Equal(t, "128", eval[string](b, "document.querySelector('#slots').value"), "readings do not write over what is typed")
	b.press("#concurrency button")
	b.shows("#said", "Concurrency is 128.")
	assert.Equal(t, []web.Order{{Kind: web.Concurrency, Concurrency: 128}}, orders())
	write("0")
	b.press("#concurrency button")
	assert.True(t, eval[bool](b, "document.querySelector('#slots').matches(':invalid')"))
	assert.Empty(t, orders(), "what cannot be is not sent")

	b.press("#cancel")
	b.press("#sure-no")
	b.until("!document.querySelector('#sure').open")
	b.press("#cancel")
	b.key(keys["Enter"]) // the focus is on what does no harm
	b.until("!document.querySelector('#sure').open")
	assert.Empty(t, orders(), "not without being sure")
	b.press("#cancel")
	b.press("#sure-yes")
	b.shows("#state", "Cancelled")
	assert.Equal(t, []web.Order{{Kind: web.Cancel}}, orders())
	for _, id := range []string{"#pause", "#resume", "#cancel", "#redrive", "#concurrency"} {
		assert.False(t, visible(b, id), id)
	}
}

func TestRedriveIsFollowed(t *testing.T) {
	t.Parallel()
	w := &world{}
	m := newRun(w, name)
	m.fail(2)
	w.set(func() { m.view.State, m.view.Fraction, m.view.May = console.Failed, 1, []web.OrderKind{web.Redrive} })
	b := shown(t, w, 1280)
	b.shows("#state", "Finished with failures")
	b.press("#redrive")
	b.shows("#state", "Running")
	w.set(func() {
		m.view.State, m.view.Fraction, m.view.Epoch, m.view.Failures, m.failures = console.Finished, 1, 1, 0, nil
	})
	b.shows("#state", "Finished")
	b.shows("#facts", "redriven once")
	b.until("!document.querySelector('#failures-rows tr')")
}

func TestRefusalIsTold(t *testing.T) {
	t.Parallel()
	w := &world{}
	m := newRun(w, name)
	b := shown(t, w, 1280)
	w.set(func() { m.view.May = nil })
	eval[any](b, "document.querySelector('#pause').click()")
	b.shows("#notice", "That could not be done: the run does not stand so that this makes sense")
	m.tick(30)
	b.shows("#f-objects", grouped(m.view.Objects))
	b.shows("#notice", "That could not be done") // figures that come in do not wipe it away
	forget(t, b, "409")
}

func TestPagesOfFailures(t *testing.T) {
	t.Parallel()
	w := &world{}
	newRun(w, name).fail(120)
	b := shown(t, w, 1280)
	b.until("document.querySelectorAll('#failures-rows tr').length === 50")
	b.press("#failures-next")
	b.shows("#failures-sum", "page 2")
	b.press("#failures-next")
	b.until("document.querySelectorAll('#failures-rows tr').length === 20")
	assert.True(t, eval[bool](b, "document.querySelector('#failures-next').disabled"))
	b.press("#failures-first")
	b.until("document.querySelectorAll('#failures-rows tr').length === 50")
}

// Failures are counted at once, and found through nodes that are done: who sees more counted
// than listed is told why, and the list is read again though no more fail.
func TestFailuresThatCannotBeListedYet(t *testing.T) {
	t.Parallel()
	w := &world{}
	m := newRun(w, name)
	m.fail(3)
	w.set(func() { m.view.Failures = 9 })
	b := shown(t, w, 390)
	b.until("document.querySelectorAll('#failures-rows tr').length === 3")
	b.shows("#failures-sum", "9 nodes given up, 6 of them below nodes that are not done yet, listed when those are")
	sideways(t, b)
	m.fail(4)
	w.set(func() { m.view.Failures = 9 })
	b.until("document.querySelectorAll('#failures-rows tr').length === 7")
	b.shows("#failures-sum", "9 nodes given up, 2 of them below")
	m.fail(2)
	b.until("document.querySelector('#failures-sum').innerText === '9 nodes given up'")
	w.set(func() { m.view.Failures = 11 })
	b.shows("#failures-sum", "11 nodes given up, 2 of them below")
	w.set(func() { m.view.State, m.view.May = console.Cancelled, nil })
	b.shows("#failures-sum", "2 of them below nodes that were not done when the run was cancelled, so they cannot be listed")
}

func TestTokenIsAskedFor(t *testing.T) {
	t.Parallel()
	w := &world{}
	newRun(w, name)
	url := w.serve(t, fast)
	b := newTab(t, 800, 600)
	b.open(url[:len(url)-len("#token="+token)])
	b.until("document.querySelector('#ask').open")
	b.do(chromedp.SendKeys("#ask-token", "not the token of it"))
	b.press("#ask button")
	b.until("document.querySelector('#ask').open && document.querySelector('#ask-token').value === ''")
	b.do(chromedp.SendKeys("#ask-token", token))
	b.press("#ask button")
	b.shows("#where", name)
	forget(t, b, "401")
}

func TestLostConnection(t *testing.T) {
	t.Parallel()
	w := &world{}
	m := newRun(w, name)
	b := shown(t, w, 1280)
	eval[any](b, "(() => { const f = window.fetch; window.lost = true; window.fetch = (...a) => lost ? Promise.reject(new TypeError('no network')) : f(...a); })()")
	w.set(func() { m.view.State, m.view.Fraction, m.view.May = console.Failed, 1, []web.OrderKind{web.Redrive} }) // ends the stream
	b.shows("#state", "Finished with failures")
	eval[any](b, "document.querySelector('#redrive').click()")
	b.shows("#notice", "the server does not answer")
	eval[any](b, "window.lost = false")
	b.press("#redrive")
	b.shows("#state", "Running")
	b.until("document.querySelector('#notice').hidden")

	// What cannot be read is told of, and shown again as soon as it can be.
	w.set(func() { w.fails = errors.New("the disk is gone") })
	b.press(".brand")
	b.shows("#notice", "The runs could not be listed: the run could not be read")
	w.set(func() { w.fails = nil })
	b.until("document.querySelector('#runs-list tr') && document.querySelector('#notice').hidden")
	forget(t, b, "502")
}

// TestHiddenPage looks at a run in a tab that is not seen: it holds no connection, of
// which a browser has six for all its tabs, and goes on when it is seen again. However
// readings come, there is one stream.
func TestHiddenPage(t *testing.T) {
	t.Parallel()
	w := &world{}
	m := newRun(w, name)
	b := shown(t, w, 1280)
	streams := func(n int32) {
		t.Helper()
		require.Eventually(t, func() bool { return w.streams.Load() == n }, patience, 10*time.Millisecond)
	}
	streams(1)
	see := func(hidden bool) {
		eval[any](b, fmt.Sprintf("Object.defineProperty(document, 'hidden', { configurable: true, get: () => %t }), document.dispatchEvent(new Event('visibilitychange'))", hidden))
	}
	see(true)
	streams(0)
	m.tick(100)
	see(false)
	b.shows("#f-nodes", grouped(m.view.Nodes))
	streams(1)

	// Who presses a button at the end has the stream at once, and not again when the page
	// would have looked for itself.
	w.set(func() { m.view.State, m.view.Fraction, m.view.May = console.Failed, 1, []web.OrderKind{web.Redrive} })
	b.shows("#state", "Finished with failures")
	streams(0)
	b.press("#redrive")
	b.shows("#state", "Running")
	streams(1)
	see(false)
	m.tick(100)
	b.shows("#f-nodes", grouped(m.view.Nodes))
	assert.Equal(t, int32(1), w.streams.Load())
}

func visible(b *tab, selector string) bool {
	return eval[bool](b, "document.querySelector("+quote(selector)+").checkVisibility()")
}

// forget takes the complaints of the browser about answers with a status (a regular
// expression), of which there must be some, and no others.
func forget(t *testing.T, b *tab, status string) {
	t.Helper()
	all := b.heard()
	require.NotEmpty(t, all)
	for _, s := range all {
		assert.Regexp(t, status, s)
	}
}
