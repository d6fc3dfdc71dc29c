package webtest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/web"
)

// named are the roles of what must have a name, since who hears it has nothing else.
var named = []string{
	"button", "link", "textbox", "spinbutton", "checkbox", "progressbar", "meter", "image", "img", "table", "dialog", "navigation", "region", "form", "heading", "columnheader", "RootWebArea",
}

// names are what assistive technology is told of the page: "role name".
func (b *tab) names() (all []string) {
	b.t.Helper()
	tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	require.NoError(b.t, err)
	for _, n := range tree.Nodes {
		if n.Ignored || n.Role == nil {
			continue
		}
		role, name := spoken(n.Role), strings.TrimSpace(spoken(n.Name))
		if slices.Contains(named, role) {
			assert.NotEmpty(b.t, name, "a %s has no name: %v", role, n.BackendDOMNodeID)
		}
		all = append(all, role+" "+name)
	}
	return all
}

func spoken(v *accessibility.Value) (s string) {
	if v != nil {
		_ = json.Unmarshal(v.Value, &s) // what is no text is not spoken
	}
	return s
}

func TestAllControlsHaveNames(t *testing.T) {
	t.Parallel()
	w, m := crowded()
	w.set(func() { m.view.May = []web.OrderKind{web.Pause, web.Resume, web.Cancel, web.Redrive, web.Concurrency} })
	b := shown(t, w, 1280)
	b.shows("#charts", "peak")
	b.until("document.querySelectorAll('.tile.open').length > 0 && document.querySelectorAll('#sizes .bin').length && document.querySelector('#failures-rows tr')")
	all := b.names()
	for _, want := range []string{
		"button Pause", "button Resume", "button Cancel…", "button Redrive failures", "spinbutton Concurrency", "button Set", "progressbar Fraction done",
		"button Objects", "button Bytes", "button Time", "button Map", "button Table", "button Next", "table Workers", "table Slowest nodes", "table Failures", "link Ramify, all runs",
	} {
		assert.Contains(t, all, want)
	}
	some := func(start string) bool {
		return slices.ContainsFunc(all, func(s string) bool { return strings.HasPrefix(s, start) })
	}
	assert.True(t, slices.ContainsFunc(all, regexp.MustCompile(`^button year-46/ [0-9.]+[kM]?: [0-9,]+ objects, `).MatchString), "a tile says what it is")
	assert.True(t, some("image Keys a second over the run's time: ") || some("img Keys a second over the run's time: "), "a chart says what it shows")
	assert.True(t, some("image Object sizes: ") || some("img Object sizes: "), "bars say what they show")

	// All of them can be had by the Tab key, in order, and are seen to be.
	stops := map[string]bool{}
	for range 40 {
		b.key(keys["Tab"])
		stops[eval[string](b, "document.activeElement.id || document.activeElement.dataset.by || document.activeElement.dataset.key?.slice(0, 1) || ''")] = true
		if s := eval[string](b, "document.activeElement === document.body ? 'solid' : getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).boxShadow"); s == "nonenone" {
			t.Errorf("the focus is not seen on %s", eval[string](b, "document.activeElement.outerHTML.slice(0, 200)"))
		}
	}
	for _, id := range []string{"theme", "slots", "pause", "resume", "redrive", "cancel", "objects", "bytes", "time", "p", "failures-next"} {
		assert.True(t, stops[id], "the Tab key never comes to %s", id)
	}

	b.press("#cancel")
	b.until("document.querySelector('#sure').open")
	assert.Contains(t, b.names(), "dialog Cancel this run?")
	b.key(keys["Escape"])
	b.until("!document.querySelector('#sure').open")
	b.press(".brand")
	b.shows("#runs-list", name)
	assert.Contains(t, b.names(), "table Runs, the newest first")
}

func TestTreeByKeyboard(t *testing.T) {
	t.Parallel()
	w := &world{}
	newRun(w, name)
	b := shown(t, w, 1280)
	b.until("document.querySelectorAll('.tile').length > 50")
	focused := func() string { return eval[string](b, "document.activeElement.dataset.prefix ?? ''") }
	level := func(prefix string) {
		t.Helper()
		b.until("document.querySelector('#tree-map').dataset.shown === " + quote(prefix))
	}
	b.do(chromedp.Focus(".tile[tabindex='0']"))
	first := focused()
	require.Equal(t, "year-46/", first, "the biggest")
	assert.Equal(t, 1, eval[int](b, "document.querySelectorAll('.tile[tabindex=\"0\"]').length"), "one stop of the Tab key")
	b.shows("#tree-told", "year-46/ — ")

	seen := map[string]bool{first: true}
	for _, k := range []string{"Down", "Down", "Right", "Right", "Up", "Left"} {
		b.key(keys[k])
		assert.NotEmpty(t, focused())
		seen[focused()] = true
	}
	assert.GreaterOrEqual(t, len(seen), 5, "the arrows go from one to the next")

	into := focused()
	b.key(keys["Enter"])
	level(into)
	assert.True(t, strings.HasPrefix(focused(), into+"album-"), "the focus is on what is below: %s", focused())
	b.shows("#tree-crumbs", into)
	second := focused()
	b.key(keys["Enter"])
	level(second)
	b.key(keys["Enter"]) // a leaf
	level(second)
	b.shows("#said", "nothing below")
	b.key(keys["Escape"])
	level(into)
	assert.Equal(t, second, focused(), "back to where it came from")
	b.key(keys["Escape"])
	level("")
	assert.Equal(t, into, focused())
	b.key(keys["Enter"])
	level(into)
	b.key(keys["Home"])
	level("")

	// The browser's own way back, and an address that says all.
	b.do(chromedp.NavigateBack())
	level(into)
	b.press("#tree-by [data-by=bytes]")
	b.until("location.hash.includes('by=bytes')")
	b.press("#tree-as [data-as=table]")
	b.until("document.querySelectorAll('#tree-rows tr').length === 100")
	assert.Contains(t, b.text("#tree-rows tr:first-child"), "album-")
	b.do(chromedp.Reload())
	b.until("document.querySelectorAll('#tree-rows tr').length === 100")
	b.shows("#tree-crumbs", into)
	b.do(chromedp.Focus("#tree-rows button"), chromedp.KeyEvent(keys["Enter"]))
	b.until("document.querySelector('#tree-crumbs').innerText.includes('album-')")
}

func TestPrefixThatIsNot(t *testing.T) {
	t.Parallel()
	w := &world{}
	m := newRun(w, name)
	b := newTab(t, 1280, 800)
	url := w.serve(t, fast) + "&run=" + name
	b.open(url + "&prefix=no/such/prefix/that/is/")
	b.shows("#tree-told", "Nothing here has objects, so far.")
	forget(t, b, "404")
	b.press("#tree-crumbs button")
	b.until("document.querySelectorAll('.tile').length > 50")

	// Objects without a size.
	w.set(func() {
		m.tree = func(a web.Ask) (web.Tree, error) {
			return web.Tree{Sums: web.Sums{Objects: 7}, Direct: web.Sums{Objects: 7}}, nil
		}
	})
	b.press("#tree-by [data-by=bytes]")
	b.shows("#tree-told", "Nothing here has bytes, so far.")
	b.press("#tree-by [data-by=objects]")
	b.until("document.querySelectorAll('.tile.plain').length === 1")
}

func TestTreeAsksForNoMoreThanIsLookedAt(t *testing.T) {
	t.Parallel()
	w := &world{}
	m := newRun(w, name)
	w.set(func() { m.view.State, m.view.Fraction = "finished", 1; m.tree = over })
	b := shown(t, w, 1280)
	b.until("document.querySelectorAll('.tile.open').length >= 4")
	w.set(func() {
		levels := 0
		for what, n := range w.asked {
			if strings.HasPrefix(what, "tree ") {
				levels++
				assert.LessOrEqual(t, n, 2, what)
			}
		}
		assert.LessOrEqual(t, levels, 11, "a level, and what is in its ten biggest tiles")
	})
	assert.LessOrEqual(t, eval[int](b, "document.querySelectorAll('#tree *').length"), 2500)
}

// over is the tree of a run that is over.
func over(a web.Ask) (web.Tree, error) {
	t, err := hundreds(a)
	t.Complete = true
	return t, err
}
