package s3crawl

import (
	"fmt"
	"sort"

	"github.com/ramify/ramify/processor"
)

// shares is how many children a unit ends with when somebody is idle, at most:
// how many are idle it is not told.
const shares = 8

// sharePieces is in how many pieces they are then, if that is worth it: this task
// knows better than those that go on where to cut.
const sharePieces = 16

// handOn ends the unit: what is not listed becomes children. No lister runs any
// more.
func (u *unit) handOn() error {
	if u.due == processor.Share {
		for open := u.openPieces(); open < sharePieces && u.cut() != nil; open++ {
		}
	}
	var rest, failed []*piece
	left := 1.0 // not nothing: there is a range
	for _, p := range u.pieces {
		if err := u.account(p.tally); err != nil {
			return err
		}
		left += p.guess.left
		if p.failed != nil {
			failed = append(failed, p)
		} else {
			rest = append(rest, p)
		}
	}
	if len(u.pieces) > 0 {
		hidden := 0.0
		for _, p := range u.pieces {
			hidden += u.split.hidden(p)
		}
		keep, now := u.Past.goOn(float64(u.listed), left+hidden)
		u.out.Keep(keep)
		u.past = now
	}
	groups := [][]*piece{rest}
	if u.due == processor.Share {
		groups = deal(rest, shares)
	}
	for _, p := range failed {
		groups = append(groups, []*piece{p})
	}
	for _, g := range groups {
		if err := u.reveal(g, left); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) openPieces() (n int) {
	for _, p := range u.pieces {
		if p.failed == nil {
			n++
		}
	}
	return n
}

// deal shares pieces out over at most n groups of about the same weight: the
// biggest first, each to the lightest group.
func deal(pieces []*piece, n int) [][]*piece {
	sort.SliceStable(pieces, func(i, j int) bool { return pieces[i].guess.left > pieces[j].guess.left })
	groups := make([][]*piece, min(n, len(pieces)))
	weights := make([]float64, len(groups))
	for _, p := range pieces {
		lightest := 0
		for i := range weights {
			if weights[i] < weights[lightest] {
				lightest = i
			}
		}
		groups[lightest] = append(groups[lightest], p)
		weights[lightest] += p.guess.left
	}
	return groups
}

// reveal makes a child of pieces, or several where they do not fit into one; all
// that is left of the node is left keys.
func (u *unit) reveal(pieces []*piece, left float64) error {
	sort.Slice(pieces, func(i, j int) bool { return pieces[i].after < pieces[j].after })
	spans := make([]span, len(pieces))
	for i, p := range pieces {
		spans[i] = span{After: p.after, Until: p.until, Mark: p.mark, Left: int64(p.guess.left)}
	}
	for _, set := range pack(spans) {
		a := u.args
		a.Ranges = set
		weight := 0.0
		for _, s := range set {
			weight += float64(s.Left)
		}
		a.Past = u.past.part(weight / left)
		if err := u.out.Child(a.child(weight)); err != nil {
			return fmt.Errorf("hand on ranges: %w", err)
		}
	}
	return nil
}
