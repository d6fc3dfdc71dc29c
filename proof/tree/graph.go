package tree

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/schema"
)

// walked is the vertices of graphs: docs/state-machine.md, "Visits".
type walked struct {
	plain
	visits func() ledger.Visits
}

// Apart implements processor.Apart.
func (walked) Apart() {}

// Process implements processor.Processor.
func (w walked) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	return w.attempt(history.Process, history.Processed, w.worker, n, out, schema.Account{}, func(r *recorder, variant, attempt int) error {
		var a args
		if err := json.Unmarshal(n.Args, &a); err != nil {
			return processor.Permanent(err)
		}
		p := Path(n.ID)
		walk := walkOf(p)
		if a.Walk == (schema.PID{}) {
			a.Walk = n.Key()
			if _, err := w.visits().Visit(ctx, ledger.Claim{}, []schema.PID{vertex(a.Walk, a.V)}); err != nil {
				return processor.Trouble(err)
			}
		}
		if err := w.linger(ctx, p, "before", variant); err != nil {
			return err
		}
		next := w.Edges(walk, a.V)
		pids := make([]schema.PID, len(next))
		for i, v := range next {
			pids[i] = vertex(a.Walk, v)
		}
		claim := ledger.Claim{By: vertex(a.Walk, a.V), Depth: a.Depth + 1, Nearer: w.Nearer}
		kept, err := w.visits().Visit(ctx, claim, pids)
		if err != nil {
			return processor.Trouble(err)
		}
		for i, v := range next {
			if !kept[i].Has(claim) {
				continue
			}
			below := args{V: v, Depth: a.Depth + 1, Walk: a.Walk, Again: !kept[i].First(claim)}
			if err := r.Child(processor.Child{ID: w.id(VertexID(walk, v, below.Depth, below.Again)), Args: below.json()}); err != nil {
				return err
			}
		}
		if err := w.linger(ctx, p, "after", variant); err != nil {
			return err
		}
		return w.mood(p, n, variant, attempt)
	})
}

func vertex(walk schema.PID, v int) schema.PID { return schema.VertexPID(walk, strconv.Itoa(v)) }

// walkOf is the name of the walk's first node.
func walkOf(p string) string {
	walk, _, _ := strings.Cut(p, "@")
	return walk
}

// VertexID names the node of a vertex that was reached at a depth.
func VertexID(walk string, v, depth int, again bool) string {
	id := fmt.Sprintf("%s@%d@%d", walk, v, depth)
	if again {
		id += "+"
	}
	return id
}

// Vertex reads what VertexID wrote: the walk, the vertex, its depth and whether an
// earlier node counts it. ok is false for any other name.
func Vertex(id string) (walk string, v, depth int, again, ok bool) {
	id, again = strings.CutSuffix(id, "+")
	part := strings.Split(id, "@")
	if len(part) != 3 {
		return "", 0, 0, false, false
	}
	v, err := strconv.Atoi(part[1])
	if err != nil {
		return "", 0, 0, false, false
	}
	depth, err = strconv.Atoi(part[2])
	return part[0], v, depth, again, err == nil
}

// Edges are the vertices that lead on from one, in the graph of a walk.
func (s Shape) Edges(walk string, v int) []int {
	n := 3 + int(s.roll(walk, "vertices")*8)
	var next []int
	for to := range n {
		if to != v && s.roll(walk, "edge", v, to) < 0.35 {
			next = append(next, to)
		}
	}
	return next
}

// Steps are the vertices that a walk reaches, with their distance from the first.
func (s Shape) Steps(walk string) map[int]int {
	steps := map[int]int{0: 0}
	for queue := []int{0}; len(queue) > 0; queue = queue[1:] {
		for _, v := range s.Edges(walk, queue[0]) {
			if _, ok := steps[v]; !ok {
				steps[v] = steps[queue[0]] + 1
				queue = append(queue, v)
			}
		}
	}
	return steps
}
