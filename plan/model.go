package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/ramify/ramify/schema"
)

// Model is a run to plan.
type Model struct {
	Tree    Tree
	Message [2]time.Duration // that a message holds its slot besides its nodes, for queue and ledger: from, to
	Inline  int              // nodes that a message may do itself; 0 and 1: one message a node
	Lists   float64          // LIST requests a node
}

// Crawl is the listing of so many keys, a page of 1,000 after the other, each of
// which takes so long; what is unlisted is cut in two as long as slots are idle. A
// tenth of the requests is spent on cuts that miss.
func Crawl(keys float64, page time.Duration) *Model {
	return &Model{
		Tree:    Grow(max(1, math.Ceil(keys/1000)), 2, max(page, leastTime)),
		Message: besides, Inline: mostInline, Lists: 1.1,
	}
}

// besides is what calls to queue and ledger are taken to hold a slot for. It was
// not measured on AWS: a few milliseconds each, one or two after another.
var besides = [2]time.Duration{5 * time.Millisecond, 20 * time.Millisecond}

// held is the tree with what its messages take besides their nodes: another time
// for each seed, evenly spread by its logarithm.
func (m *Model) held(seed uint64) Tree {
	t := m.Tree
	if m.Message[1] > 0 {
		rng := rand.New(rand.NewPCG(seed, 0x6d736773))
		low, high := max(m.Message[0].Seconds(), 1e-6), m.Message[1].Seconds()
		took := low * math.Pow(high/low, rng.Float64())
		t.Time += seconds(took / m.perMessage())
	}
	return t
}

// spec is a model as people write it.
type spec struct {
	Nodes  float64   `json:"nodes"`
	Fanout float64   `json:"fanout"`
	Levels []float64 `json:"levels"`
	Time   duration  `json:"time"`
	Long   []struct {
		Part float64  `json:"part"`
		Time duration `json:"time"`
	} `json:"long"`
	Message stretch `json:"message"`
	Inline  int     `json:"inline"`
	Lists   float64 `json:"lists"`
}

// duration is a time.Duration as text.
type duration time.Duration

// UnmarshalText reads what time.ParseDuration does.
func (s *duration) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = duration(d)
	return err
}

// stretch is two durations as text, with ".." between, or one.
type stretch [2]time.Duration

// UnmarshalText reads 10ms, or 5ms..20ms.
func (s *stretch) UnmarshalText(text []byte) error {
	low, high, two := strings.Cut(string(text), "..")
	if !two {
		high = low
	}
	var errs [2]error
	s[0], errs[0] = time.ParseDuration(low)
	s[1], errs[1] = time.ParseDuration(high)
	return errors.Join(errs[:]...)
}

const (
	scheme = "tree:"

	mostNodes  = 1e12
	mostLevels = 10_001 // schema.MaxDepth and the root
	mostFanout = 1e9
	leastTime  = time.Millisecond
	mostTime   = 24 * time.Hour
	mostInline = 1_000_000
)

// ParseModel reads a model: tree:FIELD=VALUE,… or its fields as one JSON object.
//
//	nodes   how many, 1 to 1e12; or levels
//	fanout  children of a node, 1 (a chain) to 1e9; default 10
//	levels  nodes of each level from the root on, instead of nodes and fanout: 1/200/200 or 1/200x900
//	time    that a node takes, 1ms to 24h; default 100ms
//	long    parts of the widest level that take longer: 0.001@60s/0.00002@20m
//	message that a message holds its slot besides, for queue and ledger: 10ms, or from and to, 5ms..20ms; default that
//	inline  nodes that a message may do itself, 0 to 1e6; default 1000, as of a run
//	lists   LIST requests a node; default 0
//
// In JSON, levels is a list of numbers and long a list of {"part": …, "time": "60s"}.
// Errors are *schema.FieldError where a field has a bad value.
func ParseModel(s string) (*Model, error) {
	sp := spec{Fanout: 10, Time: duration(100 * time.Millisecond), Message: besides, Inline: 1000}
	switch {
	case strings.HasPrefix(strings.TrimSpace(s), "{"):
		dec := json.NewDecoder(bytes.NewReader([]byte(s)))
		dec.DisallowUnknownFields()
		switch err := dec.Decode(&sp); {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("read model: %w", bad("object", s, `one that is closed, as {"nodes": 1e6, "time": "100ms"}`))
		case err != nil:
			return nil, fmt.Errorf("read model: %w", err)
		}
		if rest := strings.TrimSpace(s[dec.InputOffset():]); rest != "" {
			return nil, fmt.Errorf("read model: %w", bad("what follows the object", rest, "nothing"))
		}
	case strings.HasPrefix(s, scheme):
		said := map[string]bool{}
		for part := range strings.SplitSeq(strings.TrimPrefix(s, scheme), ",") {
			field, value, _ := strings.Cut(part, "=")
			if said[field] {
				return nil, fmt.Errorf("read model: %w", bad(field, value, "to be said once"))
			}
			said[field] = true
			if err := sp.set(part); err != nil {
				return nil, fmt.Errorf("read model: %w", err)
			}
		}
	default:
		return nil, fmt.Errorf("model %q is not known; want %snodes=N,time=100ms,fanout=10 or the fields as JSON", s, scheme)
	}
	m, err := sp.model()
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	return m, nil
}

// set reads one FIELD=VALUE.
func (sp *spec) set(part string) (err error) {
	field, value, ok := strings.Cut(part, "=")
	if !ok {
		return bad("field", part, "FIELD=VALUE, as nodes=1e6")
	}
	number := func(into *float64) {
		if *into, err = strconv.ParseFloat(value, 64); err != nil {
			err = bad(field, value, "a number")
		}
	}
	switch field {
	case "nodes":
		number(&sp.Nodes)
	case "fanout":
		number(&sp.Fanout)
	case "lists":
		number(&sp.Lists)
	case "levels":
		sp.Levels, err = parseLevels(value)
	case "time":
		if sp.Time.UnmarshalText([]byte(value)) != nil {
			return bad(field, value, "a duration, as 100ms")
		}
	case "message":
		if sp.Message.UnmarshalText([]byte(value)) != nil {
			return bad(field, value, "a duration, or two, as 5ms..20ms")
		}
	case "inline":
		if sp.Inline, err = strconv.Atoi(value); err != nil {
			return bad(field, value, "a whole number")
		}
	case "long":
		return sp.setLong(value)
	default:
		return bad("field", field, "nodes, fanout, levels, time, long, message, inline or lists")
	}
	return err
}

func parseLevels(value string) (levels []float64, err error) {
	for one := range strings.SplitSeq(value, "/") {
		width, times, repeated := strings.Cut(one, "x")
		k := 1
		var n float64
		if n, err = strconv.ParseFloat(width, 64); err == nil && repeated {
			k, err = strconv.Atoi(times)
		}
		if err != nil || k < 1 || k > mostLevels-len(levels) {
			return nil, badf("levels", one, "numbers of nodes, or nodes and how many levels, as 1/200x900, %d levels at most", mostLevels)
		}
		for range k {
			levels = append(levels, n)
		}
	}
	return levels, nil
}

func (sp *spec) setLong(value string) error {
	for one := range strings.SplitSeq(value, "/") {
		part, long, _ := strings.Cut(one, "@")
		p, err := strconv.ParseFloat(part, 64)
		d, durationErr := time.ParseDuration(long)
		if err != nil || durationErr != nil {
			return bad("long", one, "PART@DURATION, as 0.001@60s")
		}
		sp.Long = append(sp.Long, struct {
			Part float64  `json:"part"`
			Time duration `json:"time"`
		}{p, duration(d)})
	}
	return nil
}

// model checks the fields.
func (sp *spec) model() (*Model, error) {
	within := func(x, low, high float64) bool { return x >= low && x <= high } // not NaN
	node := time.Duration(sp.Time)
	switch {
	case sp.Levels == nil && !within(sp.Nodes, 1, mostNodes):
		return nil, bad("nodes", sp.Nodes, "1 to 1e12")
	case sp.Levels != nil && sp.Nodes != 0:
		return nil, bad("levels", "given with nodes", "one of the two")
	case !within(sp.Fanout, 1, mostFanout):
		return nil, bad("fanout", sp.Fanout, "1 to 1e9")
	case sp.Fanout < 1.001 && sp.Nodes > mostLevels, sp.Fanout > 1 && math.Log(max(sp.Nodes, 1))/math.Log(sp.Fanout) > mostLevels:
		return nil, badf("fanout", sp.Fanout, "a tree of at most %d levels", mostLevels)
	case node < leastTime || node > mostTime:
		return nil, bad("time", node, "1ms to 24h")
	case sp.Message[0] < 0 || sp.Message[1] < sp.Message[0] || sp.Message[1] > mostTime:
		return nil, bad("message", fmt.Sprintf("%v..%v", sp.Message[0], sp.Message[1]), "0s to 24h, from less to more")
	case sp.Inline < 0 || sp.Inline > mostInline:
		return nil, bad("inline", sp.Inline, "0 to 1000000")
	case !within(sp.Lists, 0, 1e6):
		return nil, bad("lists", sp.Lists, "0 to 1e6")
	}
	m := &Model{Message: sp.Message, Inline: sp.Inline, Lists: sp.Lists, Tree: Tree{Levels: sp.Levels, Time: node}}
	if sp.Levels == nil {
		m.Tree = Grow(math.Round(sp.Nodes), sp.Fanout, node)
	}
	for _, n := range m.Tree.Levels {
		if !within(n, 1, mostNodes) {
			return nil, bad("levels", n, "1 to 1e12 nodes a level")
		}
	}
	if len(m.Tree.Levels) > mostLevels {
		return nil, badf("levels", len(m.Tree.Levels), "at most %d of them", mostLevels)
	}
	sum := 0.0
	for _, l := range sp.Long {
		sum += l.Part
		switch d := time.Duration(l.Time); {
		case !within(l.Part, 0, 1) || sum > 1:
			return nil, bad("long", l.Part, "parts of the widest level, 0 to 1 together")
		case d < time.Second || d > mostTime:
			return nil, bad("long", d, "1s to 24h")
		}
		m.Tree.Long = append(m.Tree.Long, Long{l.Part, time.Duration(l.Time)})
	}
	return m, nil
}

func bad(field string, value any, want string) error {
	return &schema.FieldError{Field: field, Value: fmt.Sprint(value), Want: want}
}

func badf(field string, value any, want string, a ...any) error {
	return bad(field, value, fmt.Sprintf(want, a...))
}
