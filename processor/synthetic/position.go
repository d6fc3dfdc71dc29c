package synthetic

import (
	"fmt"
	"math"
	"strconv"
)

// position is a node of the tree: all about it follows from it and the spec.
type position struct {
	hash   uint64
	level  int // 0 at the root
	levels int // that may lie below
}

// Each question to a node's hash has a salt of its own.
const (
	saltFanout = iota + 1
	saltWork
	saltObjects
	saltBytes
	saltPoison
	saltTry // and more: one a try
)

func (s *Spec) root() position {
	switch s.Shape {
	case Chain:
		return s.link(0)
	case Wide:
		return position{hash: mix(s.Seed), levels: min(s.Depth, 1)}
	default:
		return position{hash: mix(s.Seed), levels: s.Depth}
	}
}

func (s *Spec) child(p position, slot int) position {
	if s.Shape == Chain {
		return s.link(p.level + 1)
	}
	c := position{hash: mix(p.hash ^ mix(uint64(slot))), level: p.level + 1, levels: p.levels - 1}
	if s.Shape == Skewed {
		c.levels -= slot
	}
	return c
}

// link is the node of a chain at a level.
func (s *Spec) link(level int) position {
	return position{hash: mix(s.Seed + mix(uint64(level))), level: level, levels: s.Depth - level}
}

// locate finds the node that an ID names: its path, "0.3.7"; in a chain, where
// every step is the same, its level.
func (s *Spec) locate(id string) (position, error) {
	p := s.root()
	if s.Shape == Chain {
		level, err := strconv.Atoi(id)
		if err != nil || level < 0 || level > s.Depth {
			return p, fmt.Errorf("find synthetic node %q: want a level of the chain, 0 to %d", id, s.Depth)
		}
		return s.link(level), nil
	}
	if len(id) == 0 || id[0] != '0' || len(id) > 1 && id[1] != '.' {
		return p, fmt.Errorf("find synthetic node %q: want a path such as 0.3.7", id)
	}
	for i := 1; i < len(id); {
		i++ // the dot
		slot, start := 0, i
		for ; i < len(id) && id[i] != '.'; i++ {
			if id[i] < '0' || id[i] > '9' || slot > maxWidth {
				return p, fmt.Errorf("find synthetic node %q: want a path such as 0.3.7", id)
			}
			slot = slot*10 + int(id[i]-'0')
		}
		if i == start || slot >= s.children(p) {
			return p, fmt.Errorf("find synthetic node %q: the tree has no such node", id)
		}
		p = s.child(p, slot)
	}
	return p, nil
}

// appendStem appends what the IDs of a node's children begin with.
func (s *Spec) appendStem(buf, id []byte) []byte {
	if s.Shape == Chain {
		return buf
	}
	return append(append(buf, id...), '.')
}

// appendChild appends the rest of a child's ID to the stem.
func (s *Spec) appendChild(stem []byte, p position, slot int) []byte {
	if s.Shape == Chain {
		slot = p.level + 1
	}
	return strconv.AppendUint(stem, uint64(slot), 10)
}

// children is how many children the node has.
func (s *Spec) children(p position) int {
	switch {
	case p.levels <= 0:
		return 0
	case s.Shape == Chain:
		return 1
	}
	width := float64(s.Fanout)
	if s.Shape == Wide {
		width = s.width()
	}
	n := int(s.spread(width, p, saltFanout))
	if s.Shape == Skewed {
		n = min(n, p.levels)
	}
	return n
}

// spread moves x by the jitter, up or down, as the node's hash says.
func (s *Spec) spread(x float64, p position, salt uint64) float64 {
	if s.Jitter == 0 {
		return x
	}
	off := float64(s.Jitter * (2*p.chance(salt) - 1)) // rounded here: no machine may fuse it with the sum
	return math.Round(x * (1 + off))
}

func (s *Spec) objects(p position) int64 { return int64(s.spread(float64(s.Objects), p, saltObjects)) }
func (s *Spec) bytes(p position) int64   { return int64(s.spread(float64(s.Bytes), p, saltBytes)) }

// fails reports whether an attempt fails, tries having failed before it.
func (s *Spec) fails(p position, tries, epoch int) bool {
	if s.Fail == 0 && s.Poison == 0 || s.Heal > 0 && epoch >= s.Heal {
		return false
	}
	return p.chance(saltPoison) < s.Poison || p.chance(saltTry+uint64(tries)) < s.Fail
}

// chance is a number from 0 to 1, 1 excluded, that depends on node and salt alone.
func (p position) chance(salt uint64) float64 {
	return float64(mix(p.hash^mix(salt))>>11) / (1 << 53)
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast Splittable
// Pseudorandom Number Generators", 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
