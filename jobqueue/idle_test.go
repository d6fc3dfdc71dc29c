package jobqueue

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ramify/ramify/queue"
)

// past is what is known of queues, which are quiet where they are empty.
type past struct {
	fake
	states map[string]State
}

func (p *past) Find(_ context.Context, pattern string) (names []string, err error) {
	for name := range p.states {
		if Matches(pattern, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (p *past) State(_ context.Context, name string) (State, error) {
	if s, is := p.states[name]; is {
		return s, nil
	}
	return State{}, ErrNoQueue
}

func (p *past) Quiet(context.Context, string, time.Time) (bool, error) { return true, nil }

func (p *past) Remove(_ context.Context, name string) error {
	p.note("%s", name)
	delete(p.states, name)
	return nil
}

func (p *past) Calls() (queues, past int64) { return 0, 0 }

// No queue is deleted whose failed queue lives, nor a failed queue whose queue does, by
// whatever names: a queue says itself where its failed jobs go.
func TestSweepKnowsFailedQueuesByAnyName(t *testing.T) {
	full := queue.Depth{Visible: 1}
	for name, c := range map[string]struct {
		states map[string]State
		want   []string // deleted
	}{
		"pair": {map[string]State{"a": {Failed: "a_failed"}, "a_failed": {}}, []string{"a", "a_failed"}},
		"another suffix, and it lives": {
			map[string]State{"a": {Failed: "a_dead"}, "a_dead": {Depth: full}}, nil,
		},
		"another suffix, and its queue lives": {
			map[string]State{"a": {Failed: "a_dead", Depth: full}, "a_dead": {}}, nil,
		},
		"another suffix": {map[string]State{"a": {Failed: "a_dead"}, "a_dead": {}}, []string{"a", "a_dead"}},
		"one of several, and one of these lives": {
			map[string]State{"a": {Failed: "shared", Depth: full}, "b": {Failed: "shared"}, "shared": {}}, []string{"b"},
		},
		"one of nobody's": {map[string]State{"a": {Failed: "elsewhere"}}, []string{"a"}},
		"a failed queue of a failed queue is not its queue's": {
			map[string]State{"a": {Failed: "a_failed"}, "a_failed": {Failed: "shared"}, "b": {Failed: "shared", Depth: full}, "shared": {}}, []string{"a", "a_failed"},
		},
	} {
		p := &past{states: c.states}
		s := Sweep{Queues: p, Past: p, Names: Names{FailSuffix: "_failed"}, Patterns: []string{"*"}, For: time.Hour, Delete: true}
		var said []string
		if err := s.Run(t.Context(), func(i Idle) { said = append(said, fmt.Sprintf("%+v", i)) }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p.asked, c.want) {
			t.Errorf("%s: deleted %q, want %q: %q", name, p.asked, c.want, said)
		}
	}
}
