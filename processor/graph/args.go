package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// Kind of Processor.
const Kind = "graph"

// Ways are which ways to a vertex are looked for.
type Ways string

// The ways.
const (
	Shortest Ways = "shortest" // a shorter way takes over from a longer one
	Any      Ways = "any"      // the first one found; each vertex is visited exactly once
)

// Walk says what is walked. All of it is in the args of every node.
type Walk struct {
	File     string `json:"file"`               // the list of edges: a path, or s3://bucket/key
	Version  string `json:"version,omitempty"`  // of its content, as Look returns it; empty: any
	Directed bool   `json:"directed,omitempty"` // an edge leads from its first vertex to its second only
	Header   bool   `json:"header,omitempty"`   // the first line names the columns
	Ways     Ways   `json:"ways,omitempty"`     // empty: Shortest
	Max      *int   `json:"max,omitempty"`      // steps from the first vertex at most; nil: any number
}

// args of a node. All but those of the walk are empty in its first node.
type args struct {
	Walk
	Walked schema.PID `json:"walk,omitzero"`   // the first node
	Depth  int        `json:"depth,omitempty"` // steps from the first vertex
	Via    string     `json:"via,omitempty"`   // the vertex that claimed this one
	Chain  []string   `json:"chain,omitempty"` // the vertices before that, from the first one on; left out where they are long
	Again  bool       `json:"again,omitempty"` // an earlier claim counts the vertex
	After  string     `json:"after,omitempty"` // what is left of the vertex: its neighbours behind this one
}

// longChain is the bytes of a chain from which on it is left out of args and rows:
// every message carries it.
const longChain = 2000

// Root is the node of a walk from a vertex.
func Root(w Walk, from string) processor.Child {
	if w.Ways == Shortest {
		w.Ways = ""
	}
	return processor.Child{Kind: Kind, ID: from, Args: marshal(w)}
}

// Of reads the walk of a root's args.
func Of(a schema.Args) (Walk, error) {
	parsed, err := parse(a)
	if err == nil && parsed.Walked != (schema.PID{}) {
		err = fmt.Errorf("read args: %w", &schema.FieldError{Field: "walk", Value: parsed.Walked.String(), Want: "none in the first node of a walk"})
	}
	return parsed.Walk, err
}

// Check refuses a walk that cannot be.
func (w Walk) Check() error {
	switch {
	case w.File == "":
		return &schema.FieldError{Field: "file", Value: "", Want: "a list of edges: a path, or s3://bucket/key"}
	case w.Ways != "" && w.Ways != Shortest && w.Ways != Any:
		return &schema.FieldError{Field: "ways", Value: string(w.Ways), Want: "shortest or any"}
	case w.Max != nil && *w.Max < 0:
		return &schema.FieldError{Field: "max", Value: strconv.Itoa(*w.Max), Want: "0 or more"}
	case w.Max != nil && w.Ways == Any:
		return &schema.FieldError{Field: "max", Value: strconv.Itoa(*w.Max), Want: "none with ways any, whose ways are not the shortest"}
	}
	return nil
}

func parse(text schema.Args) (a args, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if len(text) > 0 {
		if err := d.Decode(&a); err != nil {
			return a, fmt.Errorf("read args: %w", err)
		}
	}
	err = a.Check()
	first := a.Walked == (schema.PID{})
	switch {
	case err != nil:
	case a.Depth < 0 || a.Depth > schema.MaxDepth || first && a.Depth > 0:
		err = &schema.FieldError{Field: "depth", Value: strconv.Itoa(a.Depth), Want: "0 in the first node, and at most 10000"}
	case first && (a.Via != "" || len(a.Chain) > 0 || a.Again):
		err = &schema.FieldError{Field: "walk", Value: "", Want: "the first node, as via, chain and again are given"}
	}
	if err != nil {
		err = fmt.Errorf("read args: %w", err)
	}
	return a, err
}

func (a *args) nearer() bool { return a.Ways != Any }

// below is the args of what a vertex has claimed.
func (a *args) below(vertex string, again bool) args {
	b := args{Walk: a.Walk, Walked: a.Walked, Depth: a.Depth + 1, Via: vertex, Again: again}
	if a.Depth == 0 {
		return b
	}
	if len(a.Chain) == a.Depth-1 {
		if chain := slices.Concat(a.Chain, []string{a.Via}); size(chain) <= longChain {
			b.Chain = chain
		}
	}
	return b
}

func size(chain []string) (n int) {
	for _, s := range chain {
		n += len(s) + 3
	}
	return n
}

// marshal writes args, which hold nothing that JSON cannot.
func marshal(v any) schema.Args {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}
