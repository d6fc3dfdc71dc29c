package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ramify/ramify/console"
)

// Of the treemap, in units of its drawing.
const (
	mapWidth  = 1000
	mapHeight = 560
	strip     = 17  // for a name above what is below a prefix
	letter    = 6.6 // the width of one, about
	least     = 3   // of a side, to be drawn
)

// tile is a prefix in the treemap, or what else is in the one above it.
type tile struct {
	name  string // as it is read on the tile
	title string // as it is read when pointed at
	size  int64
	of    *Prefix // nil: there is nothing below
	other bool    // no prefix, but the rest of one
}

// treemap draws the prefixes, each within the one above it.
func (w *writer) treemap(t *Tree, noun string) {
	by := t.measure()
	whole := t.Of(by)
	if whole <= 0 {
		return
	}
	m := mapper{w: w, by: by, noun: noun, whole: whole}
	w.start("svg", "viewBox", fmt.Sprintf("0 0 %d %d", mapWidth, mapHeight), "role", "img", "class", "map",
		"aria-label", "Treemap of prefixes by "+string(by)+"; the table below has the same in words")
	m.draw(m.tiles(&t.Prefix), rect{0, 0, mapWidth, mapHeight}, 0, 0)
	w.end("svg")
}

// measure is what the tree is drawn by: what it was read by, unless that is nothing.
func (t *Tree) measure() Measure {
	if t.Of(t.By) <= 0 {
		return ByObjects
	}
	return t.By
}

type mapper struct {
	w     *writer
	by    Measure
	noun  string
	whole int64
}

// tiles are the parts of a prefix, the biggest first.
func (m *mapper) tiles(p *Prefix) (all []tile) {
	add := func(t tile, s Sums) {
		if t.size = s.Of(m.by); t.size > 0 {
			t.title += fmt.Sprintf(": %s, %s, %.1f%%", counted(s.Objects, m.noun), measured(ByBytes, s.Bytes, ""), 100*float64(t.size)/float64(m.whole))
			all = append(all, t)
		}
	}
	var names, titles console.Names
	for i := range p.Children {
		c := &p.Children[i]
		add(tile{name: names.Text(strings.TrimPrefix(c.Prefix, p.Prefix)), title: titles.Text(c.Prefix), of: c}, c.Sums)
	}
	if p.Direct != nil {
		add(tile{name: "directly here", title: named(p.Prefix) + " directly", other: true}, *p.Direct)
	}
	if p.Rest != nil && p.Rest.Prefixes > 0 {
		name := counted(p.Rest.Prefixes, "prefix") + " more"
		add(tile{name: name, title: named(p.Prefix) + " " + name, other: true}, p.Rest.Sums)
	}
	for i := 1; i < len(all); i++ { // nearly sorted
		for k := i; k > 0 && all[k].size > all[k-1].size; k-- {
			all[k], all[k-1] = all[k-1], all[k]
		}
	}
	return all
}

// draw draws tiles in a rectangle, those of the first level in colours of their own.
func (m *mapper) draw(tiles []tile, in rect, level, hue int) {
	sizes := make([]float64, len(tiles))
	for i := range tiles {
		sizes[i] = float64(tiles[i].size)
	}
	for i, r := range squarify(sizes, in) {
		t := &tiles[i]
		if r.w < least || r.h < least {
			continue
		}
		if level == 0 {
			hue = i % hues
		}
		class := fmt.Sprintf("t l%d h%d", level, hue)
		if t.other {
			class = fmt.Sprintf("t o l%d", level)
		}
		m.w.start("g")
		m.w.element("title", t.title)
		m.w.empty("rect", "x", number(r.x), "y", number(r.y), "width", number(r.w), "height", number(r.h), "class", class)
		if name := fit(t.name, r.w-8); name != "" && r.h >= strip {
			m.w.element("text", name, "x", number(r.x+4), "y", number(r.y+13), "class", "tn")
		}
		m.w.end("g")
		if t.of == nil {
			continue
		}
		below := r.inset(2, strip)
		if len(t.of.Children) > 0 && below.w > 4*least && below.h > 4*least {
			m.draw(m.tiles(t.of), below, level+1, hue)
		}
	}
}

// hues are how many colours the tiles of the first level have in turn.
const hues = 8

// fit is a name as far as there is room for it, nothing where that says nothing.
func fit(name string, width float64) string {
	room := int(width / letter)
	if utf8.RuneCountInString(name) <= room {
		return name
	}
	if room < 3 {
		return ""
	}
	return string([]rune(name)[:room-1]) + "…"
}
