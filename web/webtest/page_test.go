package webtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/web"
)

const (
	fast = 100 * time.Millisecond // between readings
	name = "20261126-071450-pjhe"
)

// shown opens the page of one run, of a window that wide, and waits for its figures.
func shown(t testing.TB, w *world, width int) *tab {
	t.Helper()
	b := newTab(t, width, 800)
	b.dark(false)
	b.open(w.serve(t, fast) + "&run=" + name)
	b.until("document.querySelector('#figures.ready')")
	return b
}

func TestFiguresAreThoseOfTheRun(t *testing.T) {
	t.Parallel()
	w := &world{}
	m := newRun(w, name)
	m.fail(3)
	m.w.set(func() { m.view.Retries = 17 })
	b := shown(t, w, 1280)
	b.shows("#target", "s3://photos-archive/")
	for id, want := range map[string]int64{
		"nodes": m.view.Nodes, "objects": m.view.Objects, "bytes": m.view.Bytes, "requests": m.view.Requests["LIST"] + 12, "failures": 3,
	} {
		assert.Equal(t, grouped(want), eval[string](b, "document.querySelector('#f-"+id+"').dataset.exact"), id)
	}
	assert.Equal(t, grouped(m.view.Objects), b.text("#f-objects"))
	b.shows("#r-failures", "17 retries")
	b.shows("#noun", "Keys")
	b.shows("#details", "LIST requests")
	assert.Empty(t, eval[string](b, "location.hash.includes('token') ? location.hash : ''"), "the token stays in no address")
	assert.Equal(t, token, eval[string](b, "sessionStorage.getItem('ramify.token')"))

	m.tick(30)
	b.shows("#f-objects", grouped(m.view.Objects))
	m.walk(t)
	b.shows("#eta", "left, between")

	w.set(func() {
		m.view.State, m.view.Fraction, m.view.May = console.Failed, 1, []web.OrderKind{web.Redrive}
		m.view.Objects = 123_456_789
	})
	b.shows("#state", "Finished with failures")
	b.shows("#f-objects", "123,456,789")
	b.shows("#percent", "100")
	b.shows("#failures-rows", "AccessDenied")
	assert.Contains(t, b.text("#slowest"), "16s")
	assert.Equal(t, 31, eval[int](b, "document.querySelectorAll('#sizes .bin').length"))
	assert.Equal(t, 9, eval[int](b, "document.querySelectorAll('#depths .bin').length"))
	b.until("performance.getEntriesByType('resource').every((e) => e.name.startsWith(location.origin))")
}

// grouped is a count as the page has it.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// The same cases as those of console/number.go.
func TestFiguresAreWrittenAsOnATerminal(t *testing.T) {
	t.Parallel()
	b := newTab(t, 800, 600)
	b.open((&world{}).serve(t, fast))
	b.shows("#runs-none", "There is no run yet")
	for call, want := range map[string]string{
		"exact(1234567)": "1,234,567", "exact(-1234)": "-1,234", "short(950)": "950", "short(1234)": "1.2k", "short(81234)": "81k", "short(999600)": "1.0M",
		"size(512)": "512 B", "size(1024)": "1.0 KiB", "size(3650722201)": "3.4 GiB", "size(1048575)": "1.0 MiB",
		"perSecond(3.5)": "3.5/s", "perSecond(81234)": "81k/s", "percent(0.99999)": "99.9", "percent(1)": "100.0", "percent(0.29)": "29.0",
		"span(99.4)": "99s", "span(130)": "2m10s", "span(3600)": "1h", "span(12000)": "3h20m", "span(446400)": "5d04h", "dollars(0.8312)": "$0.8312", "dollars(1234.5)": "$1234.50", "dollars(3)": "$3",
		"took(0.003)": "3 ms", "took(0.42)": "0.42s", "fitted('abcdefghij', 5)": "a…hij",
	} {
		assert.Equal(t, want, eval[string](b, "import('/page/format.js').then((f) => f."+call+")"), call)
	}
	for _, v := range []float64{0.8312, 1234.5, 3, 0.0000001} {
		assert.Equal(t, console.Dollars(v), eval[string](b, fmt.Sprintf("import('/page/format.js').then((f) => f.dollars(%v))", v)))
	}
}

func TestListOfRuns(t *testing.T) {
	t.Parallel()
	w := &world{}
	newRun(w, name)
	old := newRun(w, "20261125-101010-abcd")
	old.fail(2)
	w.set(func() { old.view.State, old.view.Fraction = console.Failed, 1 })
	b := newTab(t, 1280, 800)
	b.open(w.serve(t, fast))
	b.shows("#runs-list", name)
	b.shows("#runs-list", "Finished with failures")
	assert.Equal(t, 2, eval[int](b, "document.querySelectorAll('#runs-list tr').length"))
	b.press("#runs-list tr:nth-child(2) a")
	b.shows("#where", "20261125-101010-abcd")
	b.shows("#percent", "100")
	b.press("#all")
	b.shows("#runs-list", name)
	w.set(func() { w.runs = nil })
	b.shows("#runs-none", "There is no run yet")
}

func TestTheOneRunIsOpened(t *testing.T) {
	t.Parallel()
	w := &world{}
	newRun(w, name)
	b := newTab(t, 1280, 800)
	b.open(w.serve(t, fast))
	b.shows("#where", name)
}

// Of a fleet all that is known is shown, what is not known is named, and how many tasks there
// are is drawn also while nobody works yet.
func TestFleetIsShown(t *testing.T) {
	t.Parallel()
	w := &world{}
	m := newRun(w, name)
	m.fleet()
	w.set(func() {
		f := m.view.Fleet
		f.Events[0].Message = "desired count set to 8, from 7: <b>backlog</b>\u202e"
		f.Missing = []web.Missing{{Part: "scaling activities", Reason: "AccessDenied: <i>no</i>"}}
	})
	b := shown(t, w, 1280)
	for _, want := range []string{"Tasks\n6 of 8, 2 starting", "Their bounds\n0 to 200", "Backlog per task\n92s, 2,058 messages", "Its target\n60s", "Unread\n12,345", "In flight\n384", "Delayed\n7", "Oldest message\n41s"} {
		b.shows("#fleet-figures", want)
	}
	b.shows("#fleet-cost", "$0.8312 so far, about $2.07 in all")
	b.shows("#fleet-missing", "Not known: scaling activities (AccessDenied: <i>no</i>)")
	b.shows("#fleet-events li", `desired count set to 8, from 7: <b>backlog</b>\u202e`)
	assert.Equal(t, 12, eval[int](b, "document.querySelectorAll('#fleet-events li').length"))
	assert.True(t, eval[bool](b, "document.querySelectorAll('#fleet-figures .bad').length === 1"), "a backlog above its target is marked")
	// The run's own time stands still, and yet there is a line: all else in a chart is grey.
	b.until(`(() => {
		const c = document.querySelector('#fleet-charts canvas');
		const copy = new OffscreenCanvas(c.width, c.height).getContext('2d', {willReadFrequently: true});
		copy.drawImage(c, 0, 0);
		const d = copy.getImageData(0, 0, c.width, c.height).data;
		let coloured = 0;
		for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 40 && Math.max(d[i], d[i + 1], d[i + 2]) - Math.min(d[i], d[i + 1], d[i + 2]) > 40) coloured++;
		return coloured > 200;
	})()`)
	for _, chart := range []string{"Tasks over the time since the run was begun: 6 now", "Backlog per task over the time since the run was begun: 92s now, the target is 60s"} {
		assert.True(t, eval[bool](b, "Boolean(document.querySelector('#fleet-charts [aria-label='+CSS.escape("+quote(chart)+")+']'))"), chart)
	}
	w.set(func() {
		m.view.Fleet = &web.Fleet{Running: 1}
		m.view.Cost = nil
	})
	for _, want := range []string{"Tasks\n1\n", "Their bounds\n–", "Backlog per task\n–", "Its target\n–", "Oldest message\n–"} {
		b.shows("#fleet-figures", want)
	}
	b.until("document.querySelector('#fleet-missing').hidden")
	assert.Empty(t, b.text("#fleet-cost"))
}

// hostile are names that somebody else chose.
var hostile = []string{
	"<img src=x onerror=alert(1)>/", "</script><script>alert(1)</script>/", "\x1b[31mred\x07/", "line\nbreak\ttab\r/",
	"\u202egpj.exe/", "\u2066hidden\u2069/", "zero\u200bwidth/", "a\u2028b/", "\u0085nel/", "emoji-\U0001F333/", "%2e%2e/", "'\"`$&;/", "__proto__/", "constructor/",
	"two  spaces/", "two spaces/", "two\u00a0spaces/", "caf\u00e9/", "cafe\u0301/", "\u212a/", "K/", "a\u200b/", `a\u200b/`, "fill\u3164er/", "heart-❤\ufe0f/", "heart-❤/",
	strings.Repeat("long-", 180) + "/", strings.Repeat("\u0301", 40) + "/", " /", "//", "\u00a0/",
}

func TestHostileNamesAreOnlyText(t *testing.T) {
	t.Parallel()
	w := &world{}
	m := newRun(w, name)
	w.set(func() {
		m.view.Target = "s3://bucket/" + hostile[0]
		m.view.Reason = hostile[2]
		m.view.Crew[0].ID = hostile[0] + hostile[4]
		for _, h := range hostile {
			m.failures = append(m.failures, console.Failure{Node: h, Kind: h, Reason: "reason " + h})
			m.slowest = append(m.slowest, console.Slow{Node: h, Kind: h, Seconds: 1})
		}
		m.view.Failures = int64(len(hostile))
		m.view.Requests[hostile[1]] = 7
		m.tree = func(a web.Ask) (web.Tree, error) {
			t := web.Tree{Prefix: a.Prefix, Prefixes: int64(len(hostile))}
			if a.Prefix != "" && strings.HasPrefix(a.Prefix, hostile[len(hostile)-1]) {
				return t, web.ErrUnknown
			}
			for i, h := range hostile {
				t.Children = append(t.Children, web.Child{Prefix: a.Prefix + h, Sums: web.Sums{Objects: int64(100 - i), Bytes: 5}, More: len(a.Prefix) < 2000})
				t.Objects += int64(100 - i)
			}
			return t, nil
		}
	})
	b := shown(t, w, 360)
	b.until("document.querySelectorAll('.tile').length === " + fmt.Sprint(len(hostile)))
	b.shows("#failures-rows", console.Clean(hostile[2]))
	for _, h := range hostile {
		assert.Equal(t, console.Clean(h), eval[string](b, "import('/page/format.js').then((f) => f.visible("+quote(h)+"))"), "as the terminal has it")
	}
	for _, selector := range []string{"#target", "#failures-rows", "#slowest", "#workers", "#tree-map", "#details"} {
		assert.Zero(t, eval[int](b, "document.querySelectorAll('"+selector+" :is(img, script)').length"), selector)
		assert.Equal(t, -1, eval[int](b, `document.querySelector('`+selector+`').textContent.search(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)`), "%s shows what cannot be printed", selector)
	}
	sideways(t, b)

	// Who chooses among them sees what each is.
	eval[any](b, "document.querySelector('#tree-as [data-as=table]').click()")
	b.until("document.querySelectorAll('#tree-rows tr').length === " + fmt.Sprint(len(hostile)))
	rows := eval[[]string](b, "[...document.querySelectorAll('#tree-rows tr')].map((r) => r.firstChild.innerText.normalize('NFC'))")
	slices.Sort(rows)
	assert.Len(t, slices.Compact(slices.Clone(rows)), len(hostile), "two look alike among %q", rows)
	for _, want := range []string{`two\u00a0spaces/`, `a\u200b/`, `a\\u200b/`, `caf\u00e9/`, `cafe\u0301/`, `\u212a/`, `fill\u3164er/`, `heart-❤\ufe0f/`, "two  spaces/"} {
		assert.Contains(t, rows, want)
	}
	eval[any](b, "document.querySelector('#tree-as [data-as=map]').click()")
	b.until("document.querySelectorAll('.tile').length === " + fmt.Sprint(len(hostile)))
	assert.Len(t, eval[[]string](b, "[...new Set([...document.querySelectorAll('.tile')].map((e) => e.ariaLabel.normalize('NFC').replace(/ \\d.*/, '')))]"), len(hostile), "two tiles are called alike")

	// Each can be opened, named in the address, and left again.
	for _, h := range []string{hostile[0], hostile[4], hostile[10], hostile[11], hostile[12]} {
		eval[any](b, "document.querySelector('.tile[data-prefix='+CSS.escape("+quote(h)+")+']').click()")
		b.until("document.querySelector('#tree-map').dataset.shown === " + quote(h))
		b.press("#tree-crumbs button")
		b.until("document.querySelector('#tree-map').dataset.shown === ''")
	}
}

// sideways fails if the page is wider than its window.
func sideways(t *testing.T, b *tab) {
	t.Helper()
	over := eval[[]string](b, `[...document.querySelectorAll("body *")].filter((e) => {
		const r = e.getBoundingClientRect();
		if (!r.width || r.right <= innerWidth + 0.5) return false;
		for (let p = e.parentElement; p; p = p.parentElement) if (getComputedStyle(p).overflowX !== "visible") return false;
		return true;
	}).map((e) => e.tagName + "#" + e.id + "." + e.className)`)
	assert.Empty(t, over, "what is out of the window")
	assert.LessOrEqual(t, eval[int](b, "document.documentElement.scrollWidth"), eval[int](b, "innerWidth"))
}

func TestPhone(t *testing.T) {
	t.Parallel()
	w, _ := crowded()
	b := shown(t, w, 360)
	b.until("document.querySelectorAll('.tile').length > 10")
	b.until("document.querySelectorAll('#charts canvas').length === 4")
	sideways(t, b)
	assert.LessOrEqual(t, eval[float64](b, "Math.max(...[...document.querySelectorAll('canvas')].map((c) => c.getBoundingClientRect().width))"), 360.0)
	for _, id := range []string{"pause", "cancel"} {
		assert.GreaterOrEqual(t, eval[float64](b, "document.getElementById('"+id+"').getBoundingClientRect().height"), 32.0, "a finger finds it")
	}
	b.press("#tree-as [data-as=table]")
	b.until("document.querySelectorAll('#tree-rows tr').length > 10")
	sideways(t, b)
	b.press(".brand")
	b.shows("#runs-list", "20261125-101010-abcd")
	sideways(t, b)
}

func TestLightAndDark(t *testing.T) {
	t.Parallel()
	w := &world{}
	newRun(w, name)
	b := shown(t, w, 1280)
	ground := func() string { return eval[string](b, "getComputedStyle(document.documentElement).backgroundColor") }
	light := ground()
	b.dark(true)
	dark := ground()
	require.NotEqual(t, light, dark, "it is as the system is")
	assert.GreaterOrEqual(t, contrast(b, "--ink", "--panel"), 7.0)
	assert.GreaterOrEqual(t, contrast(b, "--muted", "--bg"), 4.5)
	assert.GreaterOrEqual(t, contrast(b, "--accent", "--panel"), 4.5)
	assert.GreaterOrEqual(t, contrast(b, "--bad", "--panel"), 4.5)
	b.press("#theme")
	assert.Equal(t, light, ground(), "chosen")
	b.do(chromedp.Reload())
	b.until("document.querySelector('#figures.ready')")
	assert.Equal(t, light, ground(), "and kept")
	for _, pair := range [][2]string{{"--ink", "--panel"}, {"--muted", "--bg"}, {"--accent", "--panel"}, {"--bad", "--panel"}, {"--on-accent", "--accent"}} {
		assert.GreaterOrEqual(t, contrast(b, pair[0], pair[1]), 4.5, pair)
	}
	drawn(b)
	b.press("#theme")
	assert.Equal(t, dark, ground())
	drawn(b)
	b.press("#theme")
	assert.Equal(t, dark, ground(), "as the system is")
	assert.Equal(t, "Colours: as the system has them", eval[string](b, "document.querySelector('#theme').ariaLabel"))
}

// drawn waits until the charts are drawn in the accent as it now is: a canvas does not
// follow a theme by itself.
func drawn(b *tab) {
	b.t.Helper()
	b.until(`(() => {
		const e = document.createElement("i");
		e.style.color = "var(--accent)";
		document.body.append(e);
		const want = getComputedStyle(e).color.match(/\d+/g).map(Number);
		e.remove();
		return [...document.querySelectorAll("#charts canvas")].every((c) => {
			const probe = new OffscreenCanvas(c.width, c.height).getContext("2d", { willReadFrequently: true });
			probe.drawImage(c, 0, 0);
			const d = probe.getImageData(0, 0, c.width, c.height).data;
			for (let i = 0; i < d.length; i += 4) if (d[i + 3] === 255 && want.every((v, n) => Math.abs(v - d[i + n]) < 3)) return true;
			return false;
		});
	})()`)
}

// contrast of two colours of the page.
//
// Source: W3C, "Web Content Accessibility Guidelines 2.2", "Contrast ratio".
func contrast(b *tab, one, other string) float64 {
	return eval[float64](b, `(() => {
		const luminance = (name) => {
			const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
			const e = document.createElement("i");
			e.style.color = "var(" + name + ")";
			document.body.append(e);
			probe.fillStyle = getComputedStyle(e).color;
			e.remove();
			probe.fillRect(0, 0, 1, 1);
			const [r, g, b] = [...probe.getImageData(0, 0, 1, 1).data].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
			return 0.2126 * r + 0.7152 * g + 0.0722 * b;
		};
		const [low, high] = [luminance(`+quote(one)+`), luminance(`+quote(other)+`)].sort((a, b) => a - b);
		return (high + 0.05) / (low + 0.05);
	})()`)
}
