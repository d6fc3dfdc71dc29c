// Package webtest tests the page in a real browser: against runs that are made up, to
// reach what is rare (names that are hostile, a million prefixes, a fleet), and
// against a run that is walked.
package webtest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/emulator/chromium"
)

// patience is how long the page may take to show something, on a machine that is busy.
const patience = 3 * time.Minute

// browser is the one that all tests share, each with a context of its own: no storage
// and no cookie of one is the other's.
var browser struct {
	once sync.Once
	ctx  context.Context
	end  func()
}

func TestMain(m *testing.M) {
	code := m.Run()
	if browser.end != nil {
		browser.end()
	}
	for _, f := range atEnd {
		f()
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// atEnd is done when all tests are.
var atEnd []func()

// tab is a page in the browser, and what went wrong in it.
type tab struct {
	t   testing.TB
	ctx context.Context

	leave sync.Once

	mu       sync.Mutex
	troubles []string // errors of the console, exceptions, violations of the policy
}

// newTab opens an empty page of a window of that size. At the end of the test nothing
// must have gone wrong in it.
func newTab(t testing.TB, width, height int) *tab {
	t.Helper()
	browser.once.Do(func() {
		b := chromium.Find(t)
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(b.Path), chromedp.Env(b.Env...),
			chromedp.WSURLReadTimeout(2*patience), // until it has started
			chromedp.NoSandbox,                    // tests may run as root, and load nothing but our own page
			chromedp.Flag("no-zygote", true), chromedp.Flag("disable-gpu", true),
			chromedp.Flag("font-render-hinting", "none"),
			chromedp.Flag("js-flags", "--expose-gc"), chromedp.Flag("enable-precise-memory-info", true),
		)
		allocated, free := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, cancel := chromedp.NewContext(allocated)
		browser.ctx, browser.end = ctx, func() { cancel(); free() } //nolint:fatcontext // it is made once, for all tests
		require.NoError(t, chromedp.Do(ctx))
	})
	ctx, cancel := chromedp.NewContext(browser.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	require.NoError(t, chromedp.Listen(ctx, b.hear))
	b.do(chromedp.EmulateViewport(int64(width), int64(height)))
	t.Cleanup(func() {
		for _, s := range b.heard() {
			t.Errorf("the page: %s", s)
		}
	})
	return b
}

// hear keeps what a browser complains of.
func (b *tab) hear(event any) {
	var s string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		s = "exception: " + e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			s += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			parts := []string{string(e.Type)}
			for _, a := range e.Args {
				parts = append(parts, string(a.Value)+a.Description)
			}
			s = strings.Join(parts, " ")
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			s = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	}
	if s != "" {
		b.mu.Lock()
		b.troubles = append(b.troubles, s)
		b.mu.Unlock()
	}
}

// heard returns the complaints so far, and forgets them.
func (b *tab) heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	some := b.troubles
	b.troubles = nil
	return some
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*patience)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, steps...))
}

func (b *tab) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
	b.leave.Do(func() {
		// Before its server ends: what a page asks then is refused, which is no trouble of its.
		b.t.Cleanup(func() { b.do(chromedp.Navigate("about:blank")) })
	})
}

// eval is the value of an expression, which may be a promise.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(b.t, err, expression)
	return v
}

// until waits until an expression is true.
func (b *tab) until(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*patience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Poll[bool]("Boolean("+expression+")", chromedp.WithPollingTimeout(patience)))
	if err != nil {
		text := b.text("body")
		b.t.Fatalf("the page never came to %s: %v\n%s\n%v", expression, err, text[:min(len(text), 700)], b.heard())
	}
}

// text is what can be read in an element.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return eval[string](b, "document.querySelector("+quote(selector)+")?.innerText ?? ''")
}

// shows waits until an element has a text.
func (b *tab) shows(selector, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("(document.querySelector(%s)?.innerText ?? '').includes(%s)", quote(selector), quote(text)))
}

// press clicks on an element as a person does, who must see it.
func (b *tab) press(selector string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(selector), chromedp.Click(selector))
}

func (b *tab) key(key string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(key))
}

// dark has the system be dark, or light.
func (b *tab) dark(yes bool) {
	b.t.Helper()
	value := "light"
	if yes {
		value = "dark"
	}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	})
	require.NoError(b.t, err)
}

// picture is a PNG of the window, or of all of the page.
func (b *tab) picture(whole bool) []byte {
	b.t.Helper()
	p := page.CaptureScreenshotParams{Format: "png", CaptureBeyondViewport: &whole}
	shot, err := chromedp.Call(b.ctx, page.CaptureScreenshot, p)
	require.NoError(b.t, err)
	return shot.Data
}

func quote(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

var keys = map[string]string{"Enter": kb.Enter, "Escape": kb.Escape, "Tab": kb.Tab, "Left": kb.ArrowLeft, "Right": kb.ArrowRight, "Up": kb.ArrowUp, "Down": kb.ArrowDown, "Home": kb.Home}
