package totals

import (
	"context"
	"iter"
)

// Levels is lines that can be read in part: a Book, or a Live.
type Levels interface {
	// Level yields the lines that are exactly so many levels below a prefix; at level 0
	// its own.
	Level(ctx context.Context, prefix string, level int) iter.Seq2[Line, error]
}

var (
	_ Levels = (*Book)(nil)
	_ Levels = (*Live)(nil)
)

// Part is a prefix and what is directly below it. What children, rest and direct have
// is together what the prefix has.
type Part struct {
	Line
	Known    bool    // there is such a prefix
	Prefixes int64   // directly below, those in Rest included
	Children []Child // the biggest first
	Rest     Extent  // of the children that were not asked for
	Direct   Extent  // of the objects that are in no prefix below, as far as those have lines
}

// Child is a prefix directly below another.
type Child struct {
	Line
	More bool // prefixes below it have lines
}

// Extent is the sums of a set of objects.
type Extent struct{ Objects, Bytes, Micros int64 }

func (e *Extent) add(s *Sums, sign int64) {
	e.Objects += sign * s.Objects
	e.Bytes += sign * s.Bytes
	e.Micros += sign * s.took
}

// ReadPart reads a prefix, which ends in '/' or is the base or the beginning of it, and
// at most so many of what is directly below it, the biggest by a size. It reads the
// lines of one level, and of what is below the biggest the first.
func ReadPart(ctx context.Context, from Levels, prefix string, most int, size func(*Line) int64) (p Part, err error) {
	for l, err := range from.Level(ctx, prefix, 0) {
		if err != nil {
			return p, err
		}
		p.Line, p.Known = l, true
		p.Direct.add(&l.Sums, 1)
	}
	if !p.Known {
		return p, nil
	}
	top := NewTop(most, size)
	for l, err := range from.Level(ctx, prefix, 1) {
		if err != nil {
			return p, err
		}
		top.Add(l)
		p.Prefixes++
		p.Rest.add(&l.Sums, 1)
		p.Direct.add(&l.Sums, -1)
	}
	for _, l := range top.Lines() {
		c := Child{Line: l}
		for _, err := range from.Level(ctx, l.Prefix, 1) {
			if err != nil {
				return p, err
			}
			c.More = true
			break
		}
		p.Rest.add(&l.Sums, -1)
		p.Children = append(p.Children, c)
	}
	return p, nil
}
