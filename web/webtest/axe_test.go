package webtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/emulator"
	"github.com/ramify/ramify/web"
)

const axeVersion = "4.14.1"

// rules has axe-core look at the page as it is, and tells what it finds against WCAG 2.2
// A and AA, contrast among it, and that what stands on a control is in its name, which axe
// counts among experiments. The browser runs it as it does a debugger's words: the page's
// own policy would not let it in. Two things on tiles that rule takes for their names, and
// nobody says: what is within a tile, and a name of which the middle is left out. There what
// is left is asked for here.
//
// Source: axe-core, "API Documentation", axe.run.
func (b *tab) rules() []string {
	b.t.Helper()
	dir, err := emulator.Installed("npm-axe-core-"+axeVersion, func(dir string) error {
		return emulator.Run(dir, "Node.js with npm", "sh", "-ec", "npm pack --silent axe-core@"+axeVersion+" >/dev/null; tar xzf *.tgz; rm -f *.tgz")
	})
	require.NoError(b.t, err)
	program, err := os.ReadFile(filepath.Join(dir, "package", "axe.min.js"))
	require.NoError(b.t, err)
	eval[bool](b, "(() => {"+string(program)+"; return true; })()")
	return eval[[]string](b, `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], resultTypes: ["violations"],
		rules: { "label-content-name-mismatch": { enabled: true } } }).then((r) => {
		if (!r.passes.some((p) => p.id === "color-contrast")) return ["contrast was not looked at"];
		const part = (e, what) => e.querySelector(what)?.textContent ?? "";
		const named = (e) => {
			const name = part(e, ".name"), label = e.getAttribute("aria-label");
			return (e.matches(".open") || name.includes("…")) &&
				label.startsWith(name.includes("…") ? name.split("…")[0] : name) && label.includes(" " + part(e, ".value"));
		};
		return r.violations.flatMap((v) => v.nodes
			.filter((n) => v.id !== "label-content-name-mismatch" || !named(document.querySelector(n.target[0])))
			.map((n) => v.id + ": " + n.target.join(" ") + ": " + document.querySelector(n.target[0]).outerHTML.slice(0, 300) + n.failureSummary));
	})`)
}

// What there is to see keeps to the rules, in both schemes, on a wide window and a phone:
// text can be told from what is behind it (4.5:1), all that can be pressed has a name, and
// nothing has to be scrolled sideways.
func TestThePageKeepsToTheRules(t *testing.T) {
	t.Parallel()
	w, m := crowded()
	w.set(func() { m.view.May = []web.OrderKind{web.Pause, web.Resume, web.Cancel, web.Redrive, web.Concurrency} })
	for _, width := range []int{1280, 360} {
		for _, dark := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d/dark=%v", width, dark), func(t *testing.T) {
				b := newTab(t, width, 800)
				b.dark(dark)
				b.open(w.serve(t, fast) + "&run=" + name)
				b.until("document.querySelector('#figures.ready')")
				b.until("document.querySelectorAll('.tile').length > 10 && document.querySelectorAll('#sizes .bin').length && document.querySelector('#failures-rows tr')")
				look := func(what string) {
					t.Helper()
					for _, s := range b.rules() {
						t.Errorf("%s: %s", what, s)
					}
					assert.LessOrEqual(t, eval[int](b, "document.documentElement.scrollWidth"), width, "%s scrolls sideways", what)
				}
				look("a run")
				b.press("#tree-as [data-as=table]")
				b.until("document.querySelectorAll('#tree-rows tr').length > 10")
				look("the table of prefixes")
				w.set(func() { w.fails = assert.AnError })
				b.shows("#live", "Not up to date")
				b.shows("#notice", "cannot read this run")
				look("a run that cannot be read")
				w.set(func() { w.fails = nil })
				b.shows("#live", "Live")
				b.until("!document.querySelector('#notice').innerText.includes('cannot read')")
				b.press("#cancel")
				b.until("document.querySelector('#sure').open")
				look("a question")
				b.key(keys["Escape"])
				b.press(".brand")
				b.shows("#runs-list", name)
				look("the list of runs")
				b.open("about:blank")
				b.mu.Lock() // what was asked for while it could not be read
				b.troubles = nil
				b.mu.Unlock()
			})
		}
	}
}

// Whatever a mouse can press, the keyboard comes to: by Tab, or by the arrows within
// what Tab comes to; and Enter does there what a click does.
func TestTheKeyboardReachesAll(t *testing.T) {
	t.Parallel()
	w := &world{}
	m := newRun(w, name)
	m.fail(120)
	w.set(func() { m.view.May = []web.OrderKind{web.Pause, web.Cancel, web.Redrive, web.Concurrency} })
	b := shown(t, w, 360)
	b.until("document.querySelectorAll('.tile').length > 50 && document.querySelector('#failures-rows tr')")

	const mine = "(document.activeElement.dataset.mine ??= String(window.count = (window.count ?? 0) + 1))"
	first := ""
	for range 200 {
		b.key(keys["Tab"])
		if eval[bool](b, "document.activeElement === document.body") {
			continue // beyond the last, before the first
		}
		if id := eval[string](b, mine); first == "" {
			first = id
		} else if id == first {
			break
		}
	}
	missed := eval[[]string](b, `[...document.querySelectorAll("button, a[href], input, select, summary, [role=button]")]
		.filter((e) => !e.disabled && e.checkVisibility({ visibilityProperty: true }) && !e.dataset.mine && !e.closest("#tree-map") && !e.closest("dialog"))
		.map((e) => e.outerHTML.slice(0, 120))`)
	assert.Empty(t, missed, "Tab does not come to them")

	// The tiles of the level that is shown.
	b.do(chromedp.Focus(".tile[tabindex='0']"))
	tiles := "[...document.querySelectorAll('#tree-map .tile[data-prefix]')].filter((e) => e.tabIndex >= -1 && e.getAttribute('role') !== 'presentation')"
	all := eval[[]string](b, tiles+".map((e) => e.dataset.prefix)")
	reached := map[string]bool{}
	var walk func(string)
	walk = func(from string) {
		reached[from] = true
		for _, k := range []string{"Left", "Right", "Up", "Down"} {
			eval[bool](b, tiles+".find((e) => e.dataset.prefix === "+quote(from)+").focus() ?? true")
			b.key(keys[k])
			if to := eval[string](b, "document.activeElement.dataset.prefix ?? ''"); to != "" && !reached[to] {
				walk(to)
			}
		}
	}
	walk(eval[string](b, "document.activeElement.dataset.prefix"))
	for _, p := range all {
		assert.True(t, reached[p], "the arrows never come to %s", p)
	}
	assert.Greater(t, len(reached), 10)
	b.key(keys["Enter"])
	b.until("document.querySelector('#tree-map').dataset.shown !== ''")
	assert.True(t, strings.HasPrefix(eval[string](b, "document.querySelector('#tree-map').dataset.shown"), "year-"))
}
