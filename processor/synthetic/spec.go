package synthetic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/ramify/ramify/schema"
)

// Shape is how a tree branches.
type Shape string

// The shapes. Fanout and depth are those of the spec, before jitter.
const (
	Uniform Shape = "uniform" // fanout children at each node above the last level; also ""
	Chain   Shape = "chain"   // depth nodes below the root, each the only child of the one before; no fanout
	Wide    Shape = "wide"    // the leaves of the uniform tree, fanout^depth, directly below the root
	Skewed  Shape = "skewed"  // child i has i+1 levels fewer below it than its parent: one deep flank, one flat
)

// maxWidth bounds the children of one node.
const maxWidth = 1 << 24

// Spec describes a tree: the args of its root, and the same bytes of all nodes.
type Spec struct {
	Seed    uint64   `json:"seed,omitempty"`
	Shape   Shape    `json:"shape,omitempty"`
	Fanout  int      `json:"fanout,omitempty"`
	Depth   int      `json:"depth,omitempty"`   // levels below the root
	Jitter  float64  `json:"jitter,omitempty"`  // 0 to 1: how far fanout, work, objects and bytes of a node may be off, up and down
	Work    Duration `json:"work,omitempty"`    // time that a node takes
	Objects int64    `json:"objects,omitempty"` // counted by each node
	Bytes   int64    `json:"bytes,omitempty"`   // counted by each node
	Fail    float64  `json:"fail,omitempty"`    // probability that an attempt at a node fails; another try may succeed
	Poison  float64  `json:"poison,omitempty"`  // probability that a node fails at every try
	Heal    int      `json:"heal,omitempty"`    // epoch from which on nothing fails; 0 is never
	Rows    bool     `json:"rows,omitempty"`    // write one NDJSON row a node to the stream sink.Rows
}

// Duration is a time.Duration that JSON writes as "5ms".
type Duration time.Duration

// MarshalText writes the duration as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// Args are the spec as the args of a node.
func (s *Spec) Args() schema.Args {
	args, err := json.Marshal(s)
	if err != nil {
		panic(err) // a float that is not a number: Check refuses it
	}
	return args
}

// ParseSpec reads and checks the args of a node; no args are a tree of one node.
func ParseSpec(args schema.Args) (*Spec, error) {
	s := &Spec{}
	if len(args) > 0 {
		dec := json.NewDecoder(bytes.NewReader(args))
		dec.DisallowUnknownFields()
		if err := dec.Decode(s); err != nil {
			return nil, fmt.Errorf("parse synthetic spec: %w", err)
		}
	}
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("parse synthetic spec: %w", err)
	}
	return s, nil
}

// Check says which field of the spec has a value that no tree can have.
func (s *Spec) Check() error {
	bad := func(field string, value any, want string) error {
		return &schema.FieldError{Field: field, Value: fmt.Sprint(value), Want: want}
	}
	within := func(p float64) bool { return p >= 0 && p <= 1 }
	switch {
	case s.Shape != "" && s.Shape != Uniform && s.Shape != Chain && s.Shape != Wide && s.Shape != Skewed:
		return bad("shape", s.Shape, "uniform, chain, wide or skewed")
	case s.Depth < 0 || s.Depth > schema.MaxDepth:
		return bad("depth", s.Depth, "0 to 10000")
	case s.Fanout < 0 || s.width() > maxWidth:
		return bad("fanout", s.Fanout, "0 to 16777216 children of one node, fanout^depth of them where the shape is wide")
	case !within(s.Jitter):
		return bad("jitter", s.Jitter, "0 to 1")
	case s.Work < 0:
		return bad("work", time.Duration(s.Work), "0 or more")
	case s.Objects < 0 || s.Bytes < 0:
		return bad("objects and bytes", []int64{s.Objects, s.Bytes}, "0 or more")
	case !within(s.Fail):
		return bad("fail", s.Fail, "a probability")
	case !within(s.Poison):
		return bad("poison", s.Poison, "a probability")
	case s.Heal < 0:
		return bad("heal", s.Heal, "an epoch, or 0 for never")
	case s.longestID() > schema.MaxID:
		return bad("depth", s.Depth, "a tree whose paths have at most 4096 bytes; a chain may be deeper")
	}
	return nil
}

// width is the children of the root, before jitter.
func (s *Spec) width() float64 {
	switch {
	case s.Shape == Chain || s.Depth == 0:
		return 1
	case s.Shape == Wide:
		return math.Pow(float64(s.Fanout), float64(s.Depth))
	default:
		return float64(s.Fanout)
	}
}

func (s *Spec) longestID() int {
	if s.Shape == Chain || s.Shape == Wide {
		return 2 * len(strconv.Itoa(2*maxWidth))
	}
	slots := int(math.Ceil(s.width() * (1 + s.Jitter)))
	return 1 + s.Depth*(1+len(strconv.Itoa(slots)))
}
