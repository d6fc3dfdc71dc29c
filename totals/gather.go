package totals

import (
	"bytes"
	"container/heap"
)

// gatherer sums up the equal lines of open blocks, in order.
type gatherer struct {
	pile    pile
	sum     cursor // stands on the line that is being summed up, or was last
	summing bool
	give    func(*cursor) error // takes a line that is summed up
	free    []*cursor
}

// drain gives the lines before that of c, or all. Lines equal to it are summed
// up too: of many blocks that begin alike no more than one is open at a time.
func (g *gatherer) drain(c *cursor) error {
	for len(g.pile) > 0 && (c == nil || !c.before(g.pile[0])) {
		least := g.pile[0]
		if g.summing && (least.depth != g.sum.depth || !bytes.Equal(least.prefix, g.sum.prefix)) {
			if err := g.end(); err != nil {
				return err
			}
		}
		if !g.summing {
			g.summing = true
			g.sum.depth, g.sum.prefix = least.depth, append(g.sum.prefix[:0], least.prefix...)
			g.sum.sums.reset()
		}
		g.sum.sums.Merge(&least.sums)
		if err := g.advance(); err != nil {
			return err
		}
	}
	if g.summing && (c == nil || g.sum.before(c)) {
		return g.end()
	}
	return nil
}

func (g *gatherer) end() error {
	g.summing = false
	return g.give(&g.sum)
}

// advance moves the first cursor on, or drops it after its last line.
func (g *gatherer) advance() error {
	more, err := g.pile[0].next()
	if err != nil {
		return err
	}
	if more {
		heap.Fix(&g.pile, 0)
	} else {
		g.free = append(g.free, heap.Pop(&g.pile).(*cursor))
	}
	return nil
}

// cursor is one to open, used before where possible.
func (g *gatherer) cursor() *cursor {
	n := len(g.free)
	if n == 0 {
		return &cursor{}
	}
	c := g.free[n-1]
	g.free = g.free[:n-1]
	c.more, c.rank = nil, 0
	return c
}

// pile is cursors as a heap: the first stands on the least line.
type pile []*cursor

func (p pile) Len() int           { return len(p) }
func (p pile) Less(i, j int) bool { return p[i].before(p[j]) }
func (p pile) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pile) Push(c any)        { *p = append(*p, c.(*cursor)) }

func (p *pile) Pop() any {
	n := len(*p) - 1
	c := (*p)[n]
	*p = (*p)[:n]
	return c
}
