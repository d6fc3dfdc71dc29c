package plan_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/plan"
	"github.com/ramify/ramify/schema"
)

// warm is so many tasks of so many slots that run from the beginning.
func warm(tasks, slots int) plan.Fleet {
	f := plan.DefaultFleet()
	f.Scaling, f.Warm, f.Knobs.Max, f.Knobs.Concurrency = plan.Fixed, true, tasks, slots
	return f
}

func TestClosedForms(t *testing.T) {
	cases := []struct {
		name  string
		tree  plan.Tree
		fleet plan.Fleet
		want  time.Duration
	}{
		{"a node", plan.Grow(1, 10, 100*ms), warm(1, 1), 100 * ms},
		{"a long node", plan.Grow(1, 10, 300*time.Second), warm(1, 1), 300 * time.Second},
		{"chain of seconds", plan.Grow(1800, 1, time.Second), warm(1, 32), 1800 * time.Second},
		{"chain of odd times", plan.Grow(1000, 1, 300*ms), warm(200, 32), 300 * time.Second},
		{"chain of long nodes", plan.Grow(100, 1, 2500*ms), warm(2, 1), 250 * time.Second},
		{"chain as deep as it may be", plan.Grow(10_000, 1, 10*ms), warm(1, 1), 100 * time.Second},
		{"a level on just as many slots", plan.Tree{Levels: []float64{640}, Time: 100 * ms}, warm(2, 32), time.Second},
		{"one more", plan.Tree{Levels: []float64{641}, Time: 100 * ms}, warm(2, 32), 1100 * ms},
		{"a wide level", plan.Tree{Levels: []float64{1e6}, Time: 100 * ms}, warm(10, 32), 3125 * 100 * ms},
		{"a wide level of long nodes", plan.Tree{Levels: []float64{1000}, Time: 7 * time.Second}, warm(3, 5), 67 * 7 * time.Second},
		{"two levels that just fit", plan.Tree{Levels: []float64{1, 64}, Time: time.Second}, warm(2, 32), 2 * time.Second},
		{"levels that fill the slots", plan.Tree{Levels: slices.Repeat([]float64{64}, 50), Time: 500 * ms}, warm(2, 32), 25 * time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := c.fleet.Run(c.tree, 1)
			assert.True(t, o.Finished)
			assert.InDelta(t, c.want.Seconds(), o.Duration.Seconds(), 1e-5)
		})
	}
	// A slot for each node of a level, launched: the launch and the depth, no more.
	f := warm(1, 32)
	f.Warm = false
	o := f.Run(plan.Grow(1800, 1, time.Second), 1)
	assert.InDelta(t, o.First.Seconds()+1800, o.Duration.Seconds(), 1e-5)
}

// What holds for any tree and fleet: no run is faster than its work and its depth
// allow, none is lost, and none has more tasks than it may.
func TestRunProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := plan.Grow(rapid.Float64Range(1, 1e6).Draw(t, "nodes"), rapid.Float64Range(2, 50).Draw(t, "fanout"),
			time.Duration(rapid.IntRange(5, 5000).Draw(t, "ms"))*ms)
		f := plan.DefaultFleet()
		f.Scaling = rapid.SampledFrom([]plan.Scaling{plan.Governor, plan.Fixed}).Draw(t, "scaling")
		f.Knobs.Max = rapid.IntRange(1, 300).Draw(t, "max")
		f.Knobs.Concurrency = rapid.IntRange(1, 64).Draw(t, "slots")
		work := tree.Work().Seconds() / float64(f.Knobs.Concurrency)
		if work > 100_000*float64(f.Knobs.Max) {
			t.Skip("too long for a test")
		}
		o := f.Run(tree, rapid.Uint64().Draw(t, "seed"))
		least := max(tree.Span().Seconds(), work/float64(f.Knobs.Max))
		switch {
		case !o.Finished:
			t.Fatalf("not finished: %+v", o)
		case o.Duration.Seconds() < least*0.999-tree.Time.Seconds():
			t.Fatalf("%v, less than %v s", o.Duration, least)
		case o.Peak > f.Knobs.Max || o.Peak < 1:
			t.Fatalf("%d tasks, %d at most", o.Peak, f.Knobs.Max)
		case o.TaskSeconds < max(work*0.999-tree.Time.Seconds(), 60):
			t.Fatalf("%v task-seconds for %v of work", o.TaskSeconds, work)
		case o.Away < o.Duration-time.Second:
			t.Fatalf("away %v, done after %v", o.Away, o.Duration)
		}
	})
}

func TestRunIsRepeatable(t *testing.T) {
	f := plan.DefaultFleet()
	one, again, other := f.Run(study["heavy"], 7), f.Run(study["heavy"], 7), f.Run(study["heavy"], 8)
	assert.Equal(t, one, again)
	assert.NotEqual(t, one.TaskSeconds, other.TaskSeconds)
}

func TestParseModel(t *testing.T) {
	for text, want := range map[string]plan.Model{
		"tree:nodes=111,fanout=10,time=1s":                               {Inline: 1000, Tree: plan.Tree{Levels: []float64{1, 10, 100}, Time: time.Second}},
		"tree:nodes=3,fanout=1":                                          {Inline: 1000, Tree: plan.Tree{Levels: []float64{1, 1, 1}, Time: 100 * ms}},
		"tree:levels=1/200x3/2e6,inline=0,lists=1.5":                     {Lists: 1.5, Tree: plan.Tree{Levels: []float64{1, 200, 200, 200, 2e6}, Time: 100 * ms}},
		"tree:nodes=1,long=0.001@60s/0.1@2s":                             {Inline: 1000, Tree: plan.Tree{Levels: []float64{1}, Time: 100 * ms, Long: []plan.Long{{Part: 0.001, Time: time.Minute}, {Part: 0.1, Time: 2 * time.Second}}}},
		`{"levels":[1,5],"time":"20ms","inline":1,"message":"1ms..3ms"}`: {Message: [2]time.Duration{ms, 3 * ms}, Inline: 1, Tree: plan.Tree{Levels: []float64{1, 5}, Time: 20 * ms}},
		`{"nodes":1,"long":[{"part":0.5,"time":"1m"}]}`:                  {Inline: 1000, Tree: plan.Tree{Levels: []float64{1}, Time: 100 * ms, Long: []plan.Long{{Part: 0.5, Time: time.Minute}}}},
	} {
		m, err := plan.ParseModel(text)
		require.NoError(t, err, text)
		if want.Message == [2]time.Duration{} {
			want.Message = [2]time.Duration{5 * ms, 20 * ms}
		}
		assert.Equal(t, want, *m, text)
	}
	for text, want := range map[string][2]string{
		"tree:nodes=0":                     {"nodes", "0"},
		"tree:nodes=1e13":                  {"nodes", "1e+13"},
		"tree:nodes=NaN":                   {"nodes", "NaN"},
		"tree:nodes=many":                  {"nodes", "many"},
		"tree:time=1s":                     {"nodes", "0"},
		"tree:nodes=10,fanout=0.5":         {"fanout", "0.5"},
		"tree:nodes=1e5,fanout=1":          {"fanout", "1"},
		"tree:nodes=1e12,fanout=1.0001":    {"fanout", "1.0001"},
		"tree:nodes=10,time=0s":            {"time", "0s"},
		"tree:nodes=10,time=10":            {"time", "10"},
		"tree:nodes=10,time=25h":           {"time", "25h0m0s"},
		"tree:nodes=10,message=x":          {"message", "x"},
		"tree:nodes=10,message=3ms..1ms":   {"message", "3ms..1ms"},
		"tree:nodes=10,inline=-1":          {"inline", "-1"},
		"tree:nodes=10,inline=x":           {"inline", "x"},
		"tree:nodes=10,lists=-1":           {"lists", "-1"},
		"tree:levels=1/0/1":                {"levels", "0"},
		"tree:levels=1/ax3":                {"levels", "ax3"},
		"tree:levels=1x99999":              {"levels", "1x99999"},
		"tree:levels=1,nodes=1":            {"levels", "given with nodes"},
		"tree:nodes=10,long=2@60s":         {"long", "2"},
		"tree:nodes=10,long=0.6@9s/0.6@9s": {"long", "0.6"},
		"tree:nodes=10,long=0.1@1ms":       {"long", "1ms"},
		"tree:nodes=10,long=0.1":           {"long", "0.1"},
		"tree:nodes=10,width=3":            {"field", "width"},
		"tree:nodes":                       {"field", "nodes"},
		"tree:nodes=10,nodes=5":            {"nodes", "5"},
		`{"nodes":10`:                      {"object", `{"nodes":10`},
		`{"nodes":10} {"nodes":5}`:         {"what follows the object", `{"nodes":5}`},
	} {
		_, err := plan.ParseModel(text)
		var field *schema.FieldError
		if assert.ErrorAs(t, err, &field, text) {
			assert.Equal(t, want[0], field.Field, text)
			assert.Equal(t, want[1], field.Value, text)
		}
	}
	for _, text := range []string{"", "nodes=10", "trees:nodes=10", `{"node":3}`, `{"nodes":"x"}`} {
		_, err := plan.ParseModel(text)
		assert.Error(t, err, text)
	}
}

func TestGrow(t *testing.T) {
	tree := plan.Grow(1e6, 8, 100*ms)
	assert.Len(t, tree.Levels, 8)
	assert.InDelta(t, 1e6, tree.Nodes(), 1e-6)
	assert.Equal(t, 100_000*time.Second, tree.Work())
	assert.Equal(t, 800*ms, tree.Span())
	assert.InDelta(t, 1e12, plan.Grow(1e12, 2, ms).Nodes(), 1)
	heavy := study["heavy"]
	assert.InDelta(t, 100_000+0.7004*(60*1e3+1200*25-0.1*1025), heavy.Work().Seconds(), math.Abs(heavy.Work().Seconds())*0.001)
}
