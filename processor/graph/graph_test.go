package graph_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/graph"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// file writes a list of edges.
func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "edges")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func kind(t testing.TB) (*graph.Processor, *hostile.Ledger) {
	l := hostile.New(1, hostile.Faults{})
	t.Cleanup(func() { _ = l.Close() })
	return graph.New(graph.Options{Files: true, Visits: func() ledger.Visits { return l }}), l
}

func root(w graph.Walk, from string) processor.Node {
	c := graph.Root(w, from)
	return processor.Node{Run: "r", Kind: c.Kind, ID: c.ID, Args: c.Args, Share: schema.Whole}
}

type row struct {
	Vertex string
	Depth  int
	Via    *string
	Chain  []string
}

func rows(t testing.TB, text []byte) (all []row) {
	t.Helper()
	for line := range strings.Lines(string(text)) {
		var r row
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(&r))
		all = append(all, r)
	}
	return all
}

// edges are those of a graph, as pairs.
type edges [][2]string

func (e edges) text(sep string) string {
	var b strings.Builder
	for _, p := range e {
		b.WriteString(p[0] + sep + p[1] + "\n")
	}
	return b.String()
}

// depths is a breadth-first search in memory.
func (e edges) depths(from string, directed bool, most int) map[string]int {
	to := map[string][]string{}
	for _, p := range e {
		to[p[0]] = append(to[p[0]], p[1])
		if !directed {
			to[p[1]] = append(to[p[1]], p[0])
		}
	}
	depths := map[string]int{from: 0}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, next := range to[at] {
			if _, there := depths[next]; !there && (most < 0 || depths[at] < most) {
				depths[next] = depths[at] + 1
				queue = append(queue, next)
			}
		}
	}
	return depths
}

func (e edges) has(a, b string, directed bool) bool {
	for _, p := range e {
		if p == [2]string{a, b} || !directed && p == [2]string{b, a} {
			return true
		}
	}
	return false
}

// random is a graph of about n vertices and m edges, with loops, doubles and cycles.
func random(dice *rand.Rand, n, m int) (e edges) {
	for range m {
		e = append(e, [2]string{fmt.Sprint("v", dice.IntN(n)), fmt.Sprint("v", dice.IntN(n))})
	}
	return append(e, [2]string{"v0", "v1"})
}

// requireRows holds the rows that stand against the truth: every vertex once, with
// its least depth, and a chain of edges that leads to it.
func requireRows(t *testing.T, e edges, directed bool, want map[string]int, got []row) {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range got {
		require.False(t, seen[r.Vertex], "vertex %s twice", r.Vertex)
		seen[r.Vertex] = true
		depth, there := want[r.Vertex]
		require.True(t, there, "vertex %s cannot be reached", r.Vertex)
		require.Equal(t, depth, r.Depth, "depth of %s by %v", r.Vertex, r.Chain)
		require.Len(t, r.Chain, depth+1)
		require.Equal(t, r.Vertex, r.Chain[depth])
		require.Equal(t, 0, want[r.Chain[0]])
		for i := 1; i <= depth; i++ {
			require.True(t, e.has(r.Chain[i-1], r.Chain[i], directed), "no edge %s to %s", r.Chain[i-1], r.Chain[i])
		}
		if depth == 0 {
			require.Nil(t, r.Via)
		} else {
			require.Equal(t, r.Chain[depth-1], *r.Via)
		}
	}
	require.Len(t, seen, len(want))
}

// Depth first, most ways found are long ones, and shorter ones take over again and
// again: each vertex is counted once all the same, and the nearest of its rows is
// its distance.
func TestAWalkDepthFirstIsExact(t *testing.T) {
	for n := range uint64(40) {
		dice := rand.New(rand.NewPCG(n, 5))
		e := random(dice, 5+dice.IntN(40), 10+dice.IntN(120))
		w := graph.Walk{File: file(t, e.text(",")), Directed: n%2 == 0}
		most := -1
		if n%3 == 0 {
			most = dice.IntN(5)
			w.Max = &most
		}
		p, _ := kind(t)
		tree, err := processortest.Walk(t.Context(), processor.Set{graph.Kind: p}, root(w, "v0"))
		require.NoError(t, err)
		require.Empty(t, tree.Failed)
		want := e.depths("v0", w.Directed, most)
		require.EqualValues(t, len(want), tree.Account.Objects, "vertices, in %d nodes", tree.Account.Nodes)
		nearest := map[string]row{}
		for _, r := range rows(t, tree.Streams[sink.Rows].Bytes()) {
			if old, there := nearest[r.Vertex]; !there || r.Depth < old.Depth {
				nearest[r.Vertex] = r
			}
		}
		var got []row
		for _, r := range nearest {
			got = append(got, r)
		}
		requireRows(t, e, w.Directed, want, got)
	}
}

// By any way, a vertex is a node once.
func TestByAnyWayAVertexIsANodeOnce(t *testing.T) {
	for n := range uint64(20) {
		dice := rand.New(rand.NewPCG(n, 6))
		e := random(dice, 30, 80)
		w := graph.Walk{File: file(t, e.text(" ")), Ways: graph.Any}
		p, _ := kind(t)
		tree, err := processortest.Walk(t.Context(), processor.Set{graph.Kind: p}, root(w, "v0"))
		require.NoError(t, err)
		want := e.depths("v0", false, -1)
		assert.Equal(t, schema.Account{Nodes: int64(len(want)), Objects: int64(len(want))}, tree.Account)
		for _, r := range rows(t, tree.Streams[sink.Rows].Bytes()) {
			assert.Contains(t, want, r.Vertex)
			assert.Len(t, r.Chain, r.Depth+1)
		}
	}
}

func run(t *testing.T, p processor.Processor, n processor.Node, r *processortest.Recorder) (*processortest.Result, error) {
	t.Helper()
	n.Key = func() schema.PID { return schema.PIDOf("r", schema.Place{}) }
	return r.Run(t.Context(), p, &n)
}

// A hub is claimed page by page, and hands on what is left when it is due. All that
// is revealed of it is each neighbour, once; another attempt finds the same.
func TestAHubIsHandedOn(t *testing.T) {
	const neighbours = 100_000
	var b strings.Builder
	for i := range neighbours {
		fmt.Fprintf(&b, "hub\tn%06d\n", i)
	}
	p, _ := kind(t)
	w := graph.Walk{File: file(t, b.String())}
	for range 2 {
		revealed := map[string]bool{}
		counted := int64(0)
		todo := []processor.Node{root(w, "hub")}
		for parts := 0; len(todo) > 0; parts++ {
			require.Less(t, parts, 100)
			due := make([]processor.Due, 40)
			due[39] = processor.Checkpoint
			res, err := run(t, p, todo[0], &processortest.Recorder{Dues: due})
			require.NoError(t, err)
			todo = todo[1:]
			counted += res.Objects
			require.LessOrEqual(t, len(res.Children), 40_001)
			for _, c := range res.Children {
				if c.Rest {
					todo = append(todo, processor.Node{Run: "r", Kind: graph.Kind, ID: c.ID, Args: c.Args})
					continue
				}
				require.False(t, revealed[c.ID], "vertex %s twice", c.ID)
				revealed[c.ID] = true
			}
		}
		assert.Len(t, revealed, neighbours)
		assert.EqualValues(t, 1, counted)
	}
}

// An attempt whose answers are lost halfway is made again, and reveals all that it
// would have.
func TestAnotherAttemptFindsItsOwnClaims(t *testing.T) {
	l := hostile.New(3, hostile.Faults{})
	defer l.Close()
	p := graph.New(graph.Options{Files: true, Visits: func() ledger.Visits { return l }})
	e := edges{}
	for i := range 50 {
		e = append(e, [2]string{"a", fmt.Sprint("b", i)})
	}
	n := root(graph.Walk{File: file(t, e.text(";,"))}, "a;")
	l.Set(hostile.Faults{After: 0.5})
	troubles := 0
	for {
		res, err := run(t, p, n, &processortest.Recorder{})
		if err == nil {
			assert.Len(t, res.Children, 50)
			break
		}
		require.True(t, processor.IsTrouble(err), "the vertex is not to blame: %v", err)
		require.ErrorIs(t, err, hostile.ErrFault)
		troubles++
	}
	assert.Positive(t, troubles)
}

// What is wrong is said by the file and the line, or by the argument and its value.
func TestBadInput(t *testing.T) {
	p, _ := kind(t)
	none := graph.New(graph.Options{Files: true, Visits: func() ledger.Visits { return nil }})
	good := file(t, "a,b\n")
	minus := -1
	for _, c := range []struct {
		p          *graph.Processor
		text, from string
		walk       func(*graph.Walk)
		want       string
	}{
		{p, "a,b\nc\n", "a", nil, `{file}:2: want two vertices with a comma between them, got "c"`},
		{p, "# x\n\na b\nc \n", "a", nil, `{file}:4: want two vertices with spaces between them, got "c "`},
		{p, "a\tb\na\t\t2\n", "a", nil, "{file}:2: want two vertices, and one has no name"},
		{p, "a,b\n\"c,d\n", "a", nil, "{file}:2: the line is no CSV"},
		{p, "a,b\na,\xff\n", "a", nil, "{file}:2: vertex \"\\xff\": want a name in UTF-8"},
		{p, "a,b\na," + strings.Repeat("x", 2000) + "\n", "a", nil, "has a name of 2000 bytes, want at most 1024"},
		{p, "a,b\n" + strings.Repeat("x", 1<<21), "a", nil, "{file}:2: the line is longer than 1048576 bytes"},
		{p, "a,b\n", "z", nil, `vertex "z" is in no edge of {file}`},
		{p, "", "z", nil, `vertex "z" is in no edge of {file}`},
		{p, "a,b\n", "a", func(w *graph.Walk) { w.File = "" }, "file is \"\", want a list of edges"},
		{p, "a,b\n", "a", func(w *graph.Walk) { w.File = "/no/such/file" }, "no such file"},
		{p, "a,b\n", "a", func(w *graph.Walk) { w.File = "s3://bucket/key" }, "want a file of this machine"},
		{p, "a,b\n", "a", func(w *graph.Walk) { w.Ways = "longest" }, `ways is "longest", want shortest or any`},
		{p, "a,b\n", "a", func(w *graph.Walk) { w.Max = &minus }, `max is "-1", want 0 or more`},
		{p, "a,b\n", "a", func(w *graph.Walk) { w.Version = "0123" }, "has another content than when the run began"},
		{none, "a,b\n", "a", nil, "need a ledger that keeps who has visited them"},
	} {
		w := graph.Walk{File: file(t, c.text)}
		want := strings.ReplaceAll(c.want, "{file}", w.File)
		if c.walk != nil {
			c.walk(&w)
		}
		_, err := run(t, c.p, root(w, c.from), &processortest.Recorder{})
		require.ErrorContains(t, err, want)
		assert.True(t, processor.IsPermanent(err), "no retry mends %v", err)
		if c.p == p && w.Version == "" {
			_, err = c.p.Look(t.Context(), w, c.from)
			require.ErrorContains(t, err, want, "before there is a run")
		}
	}
	for args, want := range map[string]string{
		`{"file":"` + good + `","edges":1}`:            "edges",
		`{"file":"` + good + `","depth":3}`:            "depth is \"3\"",
		`{"file":"` + good + `","via":"b"}`:            "as via, chain and again are given",
		`{"file":"` + good + `","walk":"x","depth":1}`: "22 characters",
	} {
		n := root(graph.Walk{}, "a")
		n.Args = schema.Args(args)
		_, err := run(t, p, n, &processortest.Recorder{})
		require.ErrorContains(t, err, want)
		assert.True(t, processor.IsPermanent(err))
	}
}

// Lists are read as people write them.
func TestLists(t *testing.T) {
	for name, text := range map[string]string{
		"comma":  "a,b\nb,c\n",
		"quotes": "\"a\",\"b\"\n\"b\",c,\"weight, in kg\"\n",
		"tabs":   "a\tb\t17\nb\tc\n",
		"spaces": "% comment\n  a   b 3\n\n# comment\nb c",
		"dos":    "\ufeffa,b\r\nb,c\r\n",
		"spaced": "a, b\nb , c\n",
		"double": "a,b\na,b\nb,a\nb,c\nc,c\n",
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := kind(t)
			for _, directed := range []bool{false, true} {
				tree, err := processortest.Walk(t.Context(), processor.Set{graph.Kind: p}, root(graph.Walk{File: file(t, text), Directed: directed}, "b"))
				require.NoError(t, err)
				require.Empty(t, tree.Failed)
				want := edges{{"a", "b"}, {"b", "c"}}.depths("b", directed, -1)
				if name == "double" {
					want = edges{{"a", "b"}, {"b", "c"}}.depths("b", false, -1)
				}
				requireRows(t, edges{{"a", "b"}, {"b", "c"}}, false, want, rows(t, tree.Streams[sink.Rows].Bytes()))
			}
		})
	}
	p, _ := kind(t)
	w := graph.Walk{File: file(t, "from,to\na,b\n"), Header: true}
	_, err := p.Look(t.Context(), w, "from")
	require.ErrorContains(t, err, `vertex "from" is in no edge`)
	w.Header = false
	_, err = p.Look(t.Context(), w, "from")
	require.NoError(t, err)
}

// A list that is no file is fetched once, whoever asks for it.
func TestAListIsFetchedOnce(t *testing.T) {
	l := hostile.New(1, hostile.Faults{})
	defer l.Close()
	fetched := 0
	away := errors.New("the store is away")
	p := graph.New(graph.Options{
		Visits: func() ledger.Visits { return l },
		Fetch: func(_ context.Context, place string, w io.Writer) (bool, error) {
			assert.Equal(t, "s3://bucket/edges.csv", place)
			if fetched++; fetched == 1 {
				_, _ = io.WriteString(w, "a,b\n")
				return false, away
			}
			_, err := io.WriteString(w, "a,b\nb,c\n")
			return false, err
		},
	})
	w := graph.Walk{File: "s3://bucket/edges.csv"}
	_, err := p.Look(t.Context(), w, "a")
	require.ErrorIs(t, err, away)
	assert.True(t, processor.IsTrouble(err))
	w.Version, err = p.Look(t.Context(), w, "a")
	require.NoError(t, err)
	tree, err := processortest.Walk(t.Context(), processor.Set{graph.Kind: p}, root(w, "a"))
	require.NoError(t, err)
	assert.EqualValues(t, 3, tree.Account.Objects)
	assert.Equal(t, 2, fetched)
}

// A task of a fleet reads no file of its machine, whoever sends a node that names one,
// and shows nothing of what is in a list that it may read.
func TestATaskShowsNoFiles(t *testing.T) {
	const secret = "hunter2"
	p := graph.New(graph.Options{
		Visits: func() ledger.Visits { return nil },
		Fetch: func(_ context.Context, place string, w io.Writer) (bool, error) {
			text := secret + "\n"
			if strings.HasSuffix(place, "/long") {
				text = "a," + strings.Repeat(secret, 500) + "\n"
			}
			_, err := io.WriteString(w, text)
			return false, err
		},
	})
	for place, want := range map[string]string{
		file(t, secret): "want s3://bucket/key: a task of a fleet reads no files of its machine",
		"/dev/zero":     "a task of a fleet reads no files",
		"s3://b/short":  "s3://b/short:1: want two vertices with spaces between them, got (7 bytes, not shown)",
		"s3://b/long":   "s3://b/long:1: vertex (3500 bytes, not shown) has a name of 3500 bytes, want at most 1024",
	} {
		_, err := p.Look(t.Context(), graph.Walk{File: place}, "a")
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), secret)
		assert.True(t, processor.IsPermanent(err))
	}
}

// What has no end, or waits for a writer, is no list.
func TestAListIsARegularFile(t *testing.T) {
	p, _ := kind(t)
	for _, place := range []string{os.DevNull, t.TempDir()} {
		_, err := p.Look(t.Context(), graph.Walk{File: place}, "a")
		require.ErrorContains(t, err, place+" is no regular file")
		assert.True(t, processor.IsPermanent(err))
	}
}

// path is a graph that is one long way.
func path(n int) (e edges) {
	for i := range n {
		e = append(e, [2]string{fmt.Sprintf("person %05d", i), fmt.Sprintf("person %05d", i+1)})
	}
	return e
}

// A chain that messages could not carry is left out: each row says by whom, still.
func TestALongChainIsLeftOut(t *testing.T) {
	p, _ := kind(t)
	tree, err := processortest.Walk(t.Context(), processor.Set{graph.Kind: p}, root(graph.Walk{File: file(t, path(1000).text(","))}, "person 00000"))
	require.NoError(t, err)
	all := rows(t, tree.Streams[sink.Rows].Bytes())
	require.Len(t, all, 1001)
	for i, r := range all {
		assert.Equal(t, i, r.Depth)
		if i > 0 {
			assert.Equal(t, all[i-1].Vertex, *r.Via)
		}
		if i < 100 {
			assert.Len(t, r.Chain, i+1)
		} else if i > 200 {
			assert.Empty(t, r.Chain)
		}
	}
}

// What is too far away is a failure of the last vertex that is not, and no other.
func TestAWalkGoesNoFartherThanNodesDo(t *testing.T) {
	for n, failures := range map[int]int64{schema.MaxDepth: 0, schema.MaxDepth + 5: 1} {
		p, _ := kind(t)
		tree, err := processortest.Walk(t.Context(), processor.Set{graph.Kind: p}, root(graph.Walk{File: file(t, path(n).text(","))}, "person 00000"))
		require.NoError(t, err)
		assert.Equal(t, schema.MaxDepth+1-failures, tree.Account.Objects)
		assert.Equal(t, failures, tree.Account.Failures)
		if failures > 0 {
			assert.ErrorContains(t, tree.Failed[0].Err, `its neighbour "person 10001" is more than 10000 steps from the first vertex`)
		}
	}
}
