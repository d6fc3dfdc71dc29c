package task

import (
	"context"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// maxPages is how many groups one plan refers to: each takes about 30 bytes, and
// they too must fit into ledger.MaxBytes.
const maxPages = 100

// maxArgs is the longest args of a child, in bytes: a plan with one such child is
// still one DynamoDB item, of at most 400 KB.
const maxArgs = 256 << 10

// envelope is more than what a message has beside id and args, with its signature.
const envelope = 4 << 10

// collector gathers the children of one unit into the kids of one plan. What
// does not fit into one plan goes to groups: pages of children that are written
// ahead, under the attempt, and that the plan then refers to. Memory stays
// constant: per level at most one page of groups that wait to be told their
// parent.
type collector struct {
	ctx     context.Context
	ledger  ledger.Ledger
	run     string
	node    schema.PID
	attempt uint64
	depth   int
	epoch   int

	// hold keeps children together, as many as an inlined node may have, however long
	// they are packed: they may all be done inline, and are paged only if not.
	hold bool
	size int // bytes of the children that are held

	packer  ledger.Packer
	kids    []ledger.Kid
	weights uint64  // of kids
	count   uint64  // children below kids
	levels  []level // levels[i] holds the groups of height i
}

type level struct {
	made  int           // groups of this height so far
	pages []ledger.Plan // groups whose parent is not full yet
}

// check refuses a child that could not be posted to a queue that takes so many
// bytes; the error names the field. Once it is planned it is too late.
func check(parent *processor.Node, c *processor.Child, most int) (ledger.Kid, error) {
	deeper := 1
	if c.Rest {
		deeper = 0
	}
	depth := parent.Depth + deeper
	kind := c.Kind
	if kind == "" {
		kind = parent.Kind
	} else if err := schema.CheckKind(kind); err != nil {
		return ledger.Kid{}, processor.Permanent(fmt.Errorf("reveal child %q: %w", c.ID, err))
	}
	bad := func(field, value, want string) error {
		return processor.Permanent(fmt.Errorf("reveal child: %w", &schema.FieldError{Field: field, Value: value, Want: want}))
	}
	switch {
	case len(c.ID) > schema.MaxID || !utf8.ValidString(c.ID):
		return ledger.Kid{}, bad("id", c.ID, "UTF-8 of at most 4096 bytes")
	case depth > schema.MaxDepth:
		return ledger.Kid{}, bad("depth", strconv.Itoa(depth), "at most 10000 levels; does the tree have a cycle?")
	case len(c.Args) > maxArgs:
		return ledger.Kid{}, bad("args", strconv.Itoa(len(c.Args))+" bytes", "at most 262144 bytes")
	case len(c.Args)+escaped(c.ID)+envelope > most:
		return ledger.Kid{}, bad("args", strconv.Itoa(len(c.Args))+" bytes", "less: with its id, the queue's messages have at most "+strconv.Itoa(most)+" bytes")
	case !same(c.Args, parent.Args) && len(c.Args) > 0 && !schema.IsObject(c.Args):
		return ledger.Kid{}, bad("args", string(c.Args), "a JSON object")
	}
	return ledger.Kid{Kind: kind, ID: c.ID, Args: c.Args, Weight: c.Weight, Deeper: deeper}, nil
}

// escaped is the bytes that a text takes in JSON, at most.
func escaped(text string) int { return 6 * len(text) }

// same reports whether two args are one: most trees hand theirs down.
func same(a, b schema.Args) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// add appends a child.
func (c *collector) add(k ledger.Kid) error {
	if c.hold {
		if c.size += len(k.ID) + len(k.Args); len(c.kids) < inlineKids && c.size <= inlineBytes {
			c.kids = append(c.kids, k)
			c.count++
			return nil
		}
		if err := c.release(); err != nil {
			return err
		}
	}
	if !c.packer.Add(k) {
		if err := c.page(); err != nil {
			return err
		}
		c.packer.Add(k)
	}
	c.kids = append(c.kids, k)
	c.weights += uint64(max(k.Weight, 1))
	c.count++
	return nil
}

// release has the children that were held packed as any.
func (c *collector) release() error {
	held := c.kids
	c.hold, c.size, c.kids, c.count = false, 0, nil, 0
	for _, k := range held {
		if err := c.add(k); err != nil {
			return err
		}
	}
	return nil
}

// page turns the kids gathered so far into a group.
func (c *collector) page() error {
	kids, weights, count := c.kids, c.weights, c.count
	c.packer, c.kids, c.weights, c.count = ledger.Packer{}, nil, 0, 0
	return c.push(0, kids, weights, count)
}

// push adds a group of the given height; a full page of groups becomes a group
// one level higher, and only then do its members know their place.
func (c *collector) push(height int, kids []ledger.Kid, weights, count uint64) error {
	if height == len(c.levels) {
		c.levels = append(c.levels, level{})
	}
	l := &c.levels[height]
	if len(l.pages) == maxPages {
		if err := c.close(height); err != nil {
			return err
		}
		l = &c.levels[height]
	}
	l.pages = append(l.pages, ledger.Plan{
		PID: schema.GroupPID(c.node, c.attempt, height, l.made), Run: c.run, Type: ledger.Group,
		Epoch: c.epoch, Kids: kids, Attempt: c.attempt, Depth: c.depth,
		// Until it is written, a page keeps here what its parent must know of it.
		Own: schema.Account{Nodes: int64(count), Objects: int64(weights)},
	})
	l.made++
	return nil
}

// close makes one group of the pages that wait at a height and writes them.
func (c *collector) close(height int) error {
	if height+1 == len(c.levels) {
		c.levels = append(c.levels, level{})
	}
	pid := schema.GroupPID(c.node, c.attempt, height+1, c.levels[height+1].made)
	kids, weights, count, err := c.write(height, pid)
	if err != nil {
		return err
	}
	return c.push(height+1, kids, weights, count)
}

// write stores the pages that wait at a height as the children of a parent.
func (c *collector) write(height int, parent schema.PID) (kids []ledger.Kid, weights, count uint64, err error) {
	l := &c.levels[height]
	var most uint64 = 1
	for i := range l.pages {
		most = max(most, uint64(l.pages[i].Own.Objects))
	}
	for i := range l.pages {
		p := &l.pages[i]
		below, weight := uint64(p.Own.Nodes), uint64(p.Own.Objects)
		p.Own = schema.Account{}
		p.Up = schema.Place{Parent: parent, Slot: i}
		if _, _, err := c.ledger.Plan(c.ctx, *p); err != nil {
			return nil, 0, 0, trouble{fmt.Errorf("write group: %w", err)}
		}
		pid := p.PID
		kids = append(kids, ledger.Kid{ID: strconv.FormatUint(count, 10), Weight: scale(weight, most), Group: &pid, Count: below})
		weights += weight
		count += below
	}
	l.pages = nil
	return kids, weights, count, nil
}

// plan ends the collection: the kids of the node's plan, which are the children
// or, where they did not fit, groups of them.
func (c *collector) plan() ([]ledger.Kid, error) {
	if c.hold { // none of them could be done inline
		if err := c.release(); err != nil {
			return nil, err
		}
	}
	if len(c.levels) == 0 {
		return c.kids, nil
	}
	if len(c.kids) > 0 {
		if err := c.page(); err != nil {
			return nil, err
		}
	}
	for h := 0; h < len(c.levels)-1; h++ { //nolint:intrange // closing a level may add one
		if len(c.levels[h].pages) > 0 {
			if err := c.close(h); err != nil {
				return nil, err
			}
		}
	}
	kids, _, _, err := c.write(len(c.levels)-1, c.node)
	return kids, err
}

// wide reports whether the children no longer fit into one plan.
func (c *collector) wide() bool { return len(c.levels) > 0 }

// scale brings a weight into 32 bits, most becoming the largest.
func scale(weight, most uint64) uint32 {
	for most > 1<<31 {
		most >>= 1
		weight >>= 1
	}
	return uint32(max(weight, 1))
}
