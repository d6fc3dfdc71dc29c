package emf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is what was written, a line a call.
type output struct {
	mu    sync.Mutex
	lines [][]byte
	err   error
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	o.lines = append(o.lines, bytes.Clone(b))
	return len(b), nil
}

// read are the lines since they were read last, each as CloudWatch would take it:
// as the specification has it, one JSON object, with a value for each metric and
// dimension that its directive names.
func (o *output) read(t *testing.T) []map[string]any {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	schema, err := jsonschema.NewCompiler().Compile("testdata/emf.schema.json")
	require.NoError(t, err)
	var all []map[string]any
	for _, line := range o.lines {
		require.True(t, bytes.HasSuffix(line, []byte("\n")))
		require.Equal(t, 1, bytes.Count(line, []byte("\n")))
		require.LessOrEqual(t, len(line), 256<<10)
		var doc map[string]any
		require.NoError(t, json.Unmarshal(line, &doc))
		require.NoError(t, schema.Validate(doc), "%.500s", line)
		for _, d := range directives(doc) {
			for _, set := range d.Dimensions {
				for _, name := range set {
					require.IsType(t, "", doc[name], name)
					require.NotEmpty(t, doc[name], name)
				}
			}
			for _, m := range d.Metrics {
				require.Contains(t, doc, m.Name)
			}
		}
		all = append(all, doc)
	}
	o.lines = nil
	return all
}

type told struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []struct{ Name, Unit string }
}

func directives(doc map[string]any) []told {
	text, _ := json.Marshal(doc["_aws"].(map[string]any)["CloudWatchMetrics"])
	var d []told
	_ = json.Unmarshal(text, &d)
	return d
}

// add adds to a sum, as Work does.
func add(m *Metrics, dims dimensions, name string, u unit, v float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(dims).figure(name, u).sum += v
}

// sample offers a value, as Work does.
func sample(m *Metrics, dims dimensions, name string, u unit, v float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(dims).figure(name, u).offer(v)
}

// The schema refuses what the specification does.
func TestSchemaRefuses(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("testdata/emf.schema.json")
	require.NoError(t, err)
	good := `{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["d"]],"Metrics":[{"Name":"m","Unit":"Count"}]}]},"d":"x","m":1}`
	for _, c := range []struct{ old, new string }{
		{"", ""},
		{`"Timestamp":1,`, ""},
		{`"Namespace":"n",`, ""},
		{`"Count"`, `"count"`},
		{`[["d"]]`, `["d"]`},
		{`"m":1`, `"m":[` + strings.Repeat("1,", 100) + `1]`},
	} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(good, c.old, c.new, 1)))
		require.NoError(t, err)
		assert.Equal(t, c.old == "", schema.Validate(doc) == nil, "%s instead of %s", c.new, c.old)
	}
}

// What units of work come to is written once a minute by run and kind, and what is
// left at the end.
func TestWorkByRunAndKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out output
		m := New(&out, Options{Fixed: map[string]string{"Task": "t1", "Zone": "eu-west-1a"}})
		m.Start(t.Context())
		for range 3 {
			m.Work(Work{
				Run: "nightly", Kind: "s3", Nodes: 2, Children: 5, Failures: 1, Retries: 1, Rejected: 1,
				Busy: 500 * time.Millisecond, Waited: 2 * time.Second, Requests: map[string]int64{"LIST": 3, "GET": 1},
			})
		}
		m.Work(Work{Run: "nightly", Kind: "other", Nodes: 1})
		time.Sleep(59 * time.Second)
		assert.Empty(t, out.read(t))
		time.Sleep(time.Second)
		synctest.Wait()
		lines := out.read(t)
		require.Len(t, lines, 2)
		i := slices.IndexFunc(lines, func(l map[string]any) bool { return l["Kind"] == "s3" })
		line := lines[i]
		for name, want := range map[string]any{
			"Run": "nightly", "Kind": "s3", "Task": "t1", "Zone": "eu-west-1a", "Nodes": 6.0, "Children": 15.0, "Failures": 3.0,
			"Retries": 3.0, "Rejected": 3.0, "Busy": 1.5, "Requests": 12.0, "Requests.LIST": 9.0, "Requests.GET": 3.0,
			"Latency": []any{2.0, 2.0, 2.0},
		} {
			assert.Equal(t, want, line[name], name)
		}
		assert.EqualValues(t, time.Now().UnixMilli(), line["_aws"].(map[string]any)["Timestamp"])
		d := directives(line)
		require.Len(t, d, 1)
		assert.Equal(t, "Ramify", d[0].Namespace)
		assert.Equal(t, [][]string{{"Run", "Kind"}}, d[0].Dimensions)
		units := map[string]string{}
		for _, m := range d[0].Metrics {
			units[m.Name] = m.Unit
		}
		assert.Equal(t, map[string]string{
			"Nodes": "Count", "Children": "Count", "Failures": "Count", "Retries": "Count", "Rejected": "Count",
			"Requests": "Count", "Busy": "Seconds", "Latency": "Seconds",
		}, units)

		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Empty(t, out.read(t), "there is nothing to tell")
		m.Work(Work{Run: "nightly", Kind: "s3", Nodes: 1})
		m.Stop()
		lines = out.read(t)
		require.Len(t, lines, 1)
		assert.EqualValues(t, 1, lines[0]["Nodes"], "sums begin at 0 again")
	})
}

// A dashboard finds what a fleet does by the fleet's name, whatever the kinds are.
func TestNodesOfAFleet(t *testing.T) {
	var out output
	m := New(&out, Options{Fleet: "prod"})
	m.Work(Work{Run: "nightly", Kind: "a", Nodes: 2, Failures: 1})
	m.Work(Work{Run: "nightly", Kind: "b", Nodes: 3})
	add(m, dimensions{{"Kind", "a"}}, "Nodes", count, 1) // of no run
	m.Write()
	sum, lines := 0.0, 0
	for _, l := range out.read(t) {
		for _, d := range directives(l) {
			if len(d.Dimensions) == 1 && slices.Contains(d.Dimensions[0], "Fleet") {
				assert.Equal(t, [][]string{{"Fleet", "Run"}}, d.Dimensions)
				require.Len(t, d.Metrics, 1, "metricfn has the others: Failures of a fleet are its")
				assert.Equal(t, "Nodes", d.Metrics[0].Name)
				assert.Equal(t, "prod", l["Fleet"])
				assert.Equal(t, "nightly", l["Run"])
				sum += l["Nodes"].(float64)
				lines++
			}
		}
	}
	assert.Equal(t, 2, lines)
	assert.InDelta(t, 5, sum, 0)
}

// Many runs, figures and values are bounded; sums stay whole.
func TestBounds(t *testing.T) {
	var out output
	m := New(&out, Options{Sets: 10})
	for i := range 1000 {
		m.Work(Work{Run: fmt.Sprint("run", i), Kind: fmt.Sprint("kind", i%50), Nodes: 1})
	}
	m.Stop()
	lines := out.read(t)
	assert.LessOrEqual(t, len(lines), 21)
	sum, others := 0.0, 0
	for _, l := range lines {
		sum += l["Nodes"].(float64)
		if l["Run"] == other {
			others++
		}
	}
	assert.Equal(t, 1000, int(sum))
	assert.Positive(t, others)

	for i := range 250 {
		add(m, dimensions{{"Run", "r"}}, fmt.Sprint(strings.Repeat("n", 200), i), count, 1)
		for v := range 300 {
			sample(m, dimensions{{"Run", "r"}}, fmt.Sprint("sample", i), seconds, float64(v)+0.123456789)
		}
	}
	m.Write()
	names := map[string]bool{}
	for _, l := range out.read(t) {
		for _, m := range directives(l)[0].Metrics {
			names[m.Name] = true
		}
	}
	assert.Len(t, names, 500)
}

// Of many values as many are told as CloudWatch takes, spread as they were, the
// largest among them.
func TestSamples(t *testing.T) {
	var out output
	m := New(&out, Options{})
	dims := dimensions{{"Run", "r"}}
	const n = 10000
	for i := range n {
		sample(m, dims, "Latency", seconds, float64((i*7919)%n)) // each once
	}
	m.Write()
	values := out.read(t)[0]["Latency"].([]any)
	require.Len(t, values, 100)
	sum, seen := 0.0, map[any]bool{}
	for _, v := range values {
		sum += v.(float64)
		seen[v] = true
	}
	assert.Contains(t, values, any(float64(n-1)), "the largest")
	assert.Len(t, seen, 100, "no value is told twice")
	// Its deviation is 289: this is beyond six of them.
	assert.InDelta(t, n/2, sum/100, 1800)
}

// What no dimension may be does no harm.
func TestOddValues(t *testing.T) {
	var out output
	m := New(&out, Options{})
	odd := dimensions{{"Run", ""}, {"Kind", ":ä\n\"" + strings.Repeat("x", 2000)}}
	add(m, odd, "Nodes", count, 1)
	sample(m, odd, "Latency", seconds, 1)
	add(m, odd, "note", plain, 3)
	m.Write()
	lines := out.read(t)
	require.Len(t, lines, 1)
	assert.Equal(t, none, lines[0]["Run"])
	assert.Len(t, lines[0]["Kind"], 1024)
	assert.EqualValues(t, 1, lines[0]["Nodes"])
	assert.Equal(t, []any{1.0}, lines[0]["Latency"])
	assert.EqualValues(t, 3, lines[0]["note"])
}

// A pipe that nobody reads any more holds nothing up, and figures go on after it.
func TestAFailingWriterLosesOnlyItsPeriod(t *testing.T) {
	var out output
	out.err = os.ErrClosed
	m := New(&out, Options{})
	m.Work(Work{Run: "r", Nodes: 1})
	m.Write()
	out.err = nil
	m.Work(Work{Run: "r", Nodes: 2})
	m.Write()
	lines := out.read(t)
	require.Len(t, lines, 1)
	assert.EqualValues(t, 2, lines[0]["Nodes"])
}

// Units end on many goroutines at once.
func TestConcurrentWorkIsWhole(t *testing.T) {
	var out output
	m := New(&out, Options{Every: time.Millisecond})
	m.Start(t.Context())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				m.Work(Work{Run: "r", Nodes: 1})
			}
		})
	}
	all.Wait()
	m.Stop()
	sum := 0.0
	for _, l := range out.read(t) {
		sum += l["Nodes"].(float64)
	}
	assert.Equal(t, 8000, int(sum))
}
