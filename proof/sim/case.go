package sim

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/ramify/ramify/proof/tree"
)

// Case is one run, whole: all that happens in it follows from it. A seed draws what is
// not said, each thing by itself, so that to leave one out changes nothing of the
// others.
type Case struct {
	Seed    uint64
	Off     []string // what may go wrong, and does not
	Nodes   int      // most nodes of the tree; 0: as drawn
	Workers int      // 0: as drawn
	CrashAt int      // the first worker dies at this step: 2n-1 is before its call n, 2n after answer n; 0: as drawn
	DieAt   int      // whoever seeds the run dies at this step; 0: as drawn

	P float64 // how likely each fault is
}

// Faults are the names of all that may go wrong, and of what people may do meanwhile.
// Each is on in half of the cases, or as rare says: swarms find more than storms.
var Faults = []string{
	"twin", "lie", "reorder", "empty", "expire", "late", "forget", "ghost", "stale", "deny", "vague",
	"send", "receive", "delete", "extend", "ledger", "again", "sink", "latency", "stall", "weather",
	"crash", "freeze", "lose", "maxreceive", "forge", "pause", "cancel", "redrive", "sweep",
	"fail", "flaky", "slow", "moody", "panic", "ill", "sum", "graph", "nearer", "rest", "inline", "wide", "chain",
	"dead", "stillborn", "seq", "back", "broad", "deep", "rivals",
}

// rare is how likely a fault is to be on, where that is not a half.
var rare = map[string]float64{
	"cancel": 0.08, "lose": 0.15, "maxreceive": 0.15, "lie": 0.1, "wide": 0.15, "chain": 0.2, "graph": 0.25, "pause": 0.3,
	"fail": 0.6, "redrive": 0.9, "sweep": 0.25, "crash": 0.6, "freeze": 0.3, "slow": 0.4,
	"stillborn": 0.2, "broad": 0.02, "deep": 0.15, "seq": 0.4, "back": 0.4, "rivals": 0.1,
}

// rivalry is what it takes to have two attempts on one node at a time that find
// different things, one of which dies between two writes. All of it at once is rare.
var rivalry = []string{"expire", "stale", "crash", "moody", "slow"}

// roll is a number from 0 to 1 that follows from the seed and what it is for.
func (c Case) roll(what string) float64 { return c.dice(what, 0).Float64() }

func (c Case) dice(what string, n int) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(what))
	return rand.New(rand.NewPCG(c.Seed+1, h.Sum64()+uint64(n)))
}

// On reports whether something may go wrong.
func (c Case) On(fault string) bool {
	p, ok := rare[fault]
	if !ok {
		p = 0.5
	}
	if slices.Contains(rivalry, fault) && c.On("rivals") {
		p = 1
	}
	return c.roll("on/"+fault) < p && !slices.Contains(c.Off, fault)
}

// often is how likely a fault is each time: some are a storm of their own.
func (c Case) often(fault string) float64 {
	switch {
	case !c.On(fault):
		return 0
	case c.roll("often/"+fault) < 0.15, slices.Contains(rivalry, fault) && c.On("rivals"):
		return max(c.P, 0.25)
	default:
		return c.P
	}
}

// grave is how likely a worker dies when it has just written a record to which more
// belongs, against any other moment.
func (c Case) grave(crash float64) float64 {
	if c.On("rivals") {
		return 0.2
	}
	return 5 * crash
}

// Draw is the case of a seed.
func Draw(seed uint64) Case { return Case{Seed: seed}.drawn() }

func (c Case) drawn() Case {
	c.P = []float64{0.01, 0.03, 0.08, 0.15}[int(c.roll("p")*4)]
	if c.Workers == 0 {
		c.Workers = 1 + int(c.roll("workers")*3)
		if c.On("rivals") {
			c.Workers++
		}
	}
	if c.Nodes == 0 {
		c.Nodes = 1 + int(c.roll("nodes")*40)
		switch {
		case c.On("broad"):
			c.Nodes = 270 + 8*c.Nodes
		case c.On("chain") && c.On("deep"):
			c.Nodes *= 8
		case c.On("chain"):
			c.Nodes *= 2
		}
		if c.On("wide") && !c.On("broad") {
			c.Nodes *= 4
		}
	}
	return c
}

func (c Case) part(fault string, p float64) float64 {
	if !c.On(fault) {
		return 0
	}
	return p
}

// shape is the case's tree.
func (c Case) shape(tempo int) tree.Shape {
	fanout, pad := 2+int(c.roll("fanout")*5), 0
	switch {
	case c.On("broad"):
		fanout = c.Nodes // more slots than a plan has
	case c.On("wide"):
		fanout, pad = c.Nodes, 330
		if c.roll("wider") < 0.3 {
			pad = 3600 // one child fills a plan, and a hundred of those a plan of groups
		}
	}
	slow, moody := c.part("slow", 0.2), c.part("moody", 0.5)
	if c.On("rivals") {
		slow, moody = 3*slow, 2*moody
	}
	return tree.Shape{
		Seed: c.Seed, Tempo: tempo, Nodes: c.Nodes, Fanout: fanout, Chain: c.On("chain"), Pad: pad,
		Fail: c.part("fail", 0.15), Heal: int(c.roll("heal") * 3), Flaky: c.part("flaky", 0.7), Slow: slow,
		Moody: moody, Panic: c.part("panic", 0.1), Ill: c.part("ill", 0.05), Sum: c.part("sum", 0.4),
		Seq: c.part("seq", 0.3), Back: c.part("back", 0.4),
		Graph: c.part("graph", 0.3), Nearer: c.On("nearer"), Rest: c.part("rest", 0.15),
	}
}

// String is the case as ParseCase reads it.
func (c Case) String() string {
	s := strconv.FormatUint(c.Seed, 10)
	for _, f := range c.Off {
		s += ",-" + f
	}
	d := Draw(c.Seed)
	if c.Nodes != d.Nodes {
		s += fmt.Sprintf(",nodes=%d", c.Nodes)
	}
	if c.Workers != d.Workers {
		s += fmt.Sprintf(",workers=%d", c.Workers)
	}
	if c.CrashAt != 0 {
		s += fmt.Sprintf(",crash=%d", c.CrashAt)
	}
	if c.DieAt != 0 {
		s += fmt.Sprintf(",die=%d", c.DieAt)
	}
	return s
}

// ParseCase reads a seed, and behind it what is different from what the seed draws:
// 17,-crash,nodes=4,workers=1.
func ParseCase(s string) (Case, error) {
	parts := strings.Split(s, ",")
	seed, err := strconv.ParseUint(parts[0], 10, 64)
	if err != nil {
		return Case{}, fmt.Errorf("read case %q: want a seed, a whole number, first", s)
	}
	c := Case{Seed: seed}
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(p, "=")
		n, err := strconv.Atoi(value)
		switch {
		case strings.HasPrefix(p, "-") && slices.Contains(Faults, p[1:]):
			c.Off = append(c.Off, p[1:])
			continue
		case name == "nodes":
			c.Nodes = n
		case name == "workers":
			c.Workers = n
		case name == "crash":
			c.CrashAt = n
		case name == "die":
			c.DieAt = n
		default:
			return Case{}, fmt.Errorf("read case %q: %q is nothing that can be said of one", s, p)
		}
		if err != nil || n < 1 {
			return Case{}, fmt.Errorf("read case %q: %s is %q, want 1 or more", s, name, value)
		}
	}
	return c.drawn(), nil
}

// Simpler are cases with less in them, the boldest first.
func (c Case) Simpler() []Case {
	var out []Case
	add := func(change func(*Case)) {
		s := c
		s.Off = slices.Clone(c.Off)
		change(&s)
		out = append(out, s)
	}
	var on []string
	for _, f := range Faults {
		if c.On(f) {
			on = append(on, f)
		}
	}
	if len(on) > 3 {
		add(func(s *Case) { s.Off = append(s.Off, on[:len(on)/2]...) })
		add(func(s *Case) { s.Off = append(s.Off, on[len(on)/2:]...) })
	}
	if c.Nodes > 1 {
		for _, n := range []int{c.Nodes / 4, c.Nodes / 2, c.Nodes - 1} {
			if n > 0 {
				add(func(s *Case) { s.Nodes = n })
			}
		}
	}
	if c.Workers > 1 {
		add(func(s *Case) { s.Workers-- })
	}
	for _, f := range on {
		add(func(s *Case) { s.Off = append(s.Off, f) })
	}
	return out
}
