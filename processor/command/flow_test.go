//go:build unix

package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/command"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/schema"
)

// told are outcomes as a queue has them.
type told struct {
	mu  sync.Mutex
	all map[string][]command.Outcome // by queue
	err error
}

func (o *told) send(_ context.Context, queue string, outcome []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var one command.Outcome
	if err := json.Unmarshal(outcome, &one); err != nil {
		return err
	}
	if o.err == nil {
		o.all[queue] = append(o.all[queue], one)
	}
	return o.err
}

// flow walks a job and all that it starts.
func (s *shop) flow(t *testing.T, job string, given map[string]string, params map[string]string) (*processortest.Tree, *told) {
	t.Helper()
	o := &told{all: map[string][]command.Outcome{}}
	root, err := command.Root(s.file, job, given)
	require.NoError(t, err)
	tree, err := processortest.Walk(t.Context(), s.flowSet(o), processor.Node{Kind: root.Kind, ID: root.ID, Args: root.Args, Params: params})
	require.NoError(t, err)
	return tree, o
}

func (s *shop) flowSet(o *told) processor.Set {
	options := command.Options{Jobs: s.file, Environ: s.env, Results: o.send}
	set := s.set()
	set[command.FlowKind], set[command.OutcomeKind] = command.NewFlow(options), command.NewTeller(options)
	return set
}

// logging has a job write a word to the log.
const logging = `
  a: {params: {p: x}, run: [sh, -c, 'echo "a $1" >> log', sh, "{{p}}"]}
  b: {params: {p: y}, run: [sh, -c, 'echo "b $1" >> log', sh, "{{p}}"]}
  c: {params: {p: z}, run: [sh, -c, 'echo "c $1" >> log', sh, "{{p}}"]}
  fails: {params: {p: f}, run: [sh, -c, 'echo "fails $1" >> log; echo why >&2; exit 3', sh, "{{p}}"], on_failure: mourn}
  mourn: {params: {p: m}, run: [sh, -c, 'echo "mourn $1: $RAMIFY_ERROR" >> log; cat > node', sh, "{{p}}"]}
`

func TestFlow(t *testing.T) {
	for _, test := range []struct {
		name, jobs string
		want       []string // lines of the log, / between those that come in any order
		sum        schema.Account
	}{
		{"chain", `run: ["true"], params: {p: "1 '2"}, on_success: next
  next: {run: ["true"], params: {p: }, on_success: {job: a, params: {p: "<{{p}}>"}}}`,
			[]string{"a <1 '2>"}, schema.Account{Nodes: 3}},
		{"fan out", `on_success: [a, b, {job: c, params: {p: 3}}]`, []string{"a x/b y/c 3"}, schema.Account{Nodes: 4}},
		{"needs", `run: [sh, -c, 'echo me >> log'], needs: [a, {job: a, params: {p: 2}}, b], on_success: c`,
			[]string{"a x/a 2/b y", "me", "c z"}, schema.Account{Nodes: 6, Reduces: 1}},
		{"needs of needs", `needs: next
  next: {needs: a, on_success: b, join: c}`, []string{"a x", "b y", "c z"}, schema.Account{Nodes: 8, Reduces: 3}},
		{"join waits for chains and for what programs reveal", `run: [sh, -c, 'echo "{\"child\": {\"job\": \"a\"}}" >&3'], on_success: next, join: [c]
  next: {run: ["true"], on_success: b}`, []string{"a x/b y", "c z"}, schema.Account{Nodes: 6, Reduces: 1}},
		{"joins one after the other", `run: ["true"], join: next
  next: {on_success: a, join: {job: then}}
  then: {run: [sh, -c, 'echo then >> log'], join: c}`, []string{"a x", "then", "c z"}, schema.Account{Nodes: 8, Reduces: 3}},
		{"broadcast", `run: [sh, -c, 'echo me >> log'], queue: [q1, q2], needs: a, on_success: b, join: c`,
			[]string{"a x", "me", "me", "b y", "c z"}, schema.Account{Nodes: 8, Reduces: 3}},
		{"reduce waits, too", `run: ["true"], reduce: [sh, -c, 'echo reduced >> log'], on_success: a, join: b`,
			[]string{"a x", "reduced", "b y"}, schema.Account{Nodes: 4, Reduces: 2}},
		{"failure", `run: ["true"], on_success: [fails, a], join: c`,
			[]string{"fails f", "mourn f: run job fails: exit code 3: why", "a x"}, schema.Account{Nodes: 4, Failures: 1}},
		{"need that fails", `needs: [a, fails], on_success: c`,
			[]string{"a x", "fails f", "mourn f: run job fails: exit code 3: why"}, schema.Account{Nodes: 3, Failures: 1}},
		{"start that is refused", `run: ["true"], params: {p: -x}, on_success: next
  next: {run: [echo, "{{p}}"], params: {p: }}`, nil, schema.Account{Failures: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, "queue: q\njobs:\n  me: {"+strings.Replace(test.jobs, "\n", "}\n", 1)+closing(test.jobs)+logging)
			tree, _ := s.flow(t, "me", nil, nil)
			assert.Equal(t, test.sum, tree.Account)
			got := lines(s, t)
			for i, some := range test.want {
				all := strings.Split(some, "/")
				if assert.GreaterOrEqual(t, len(got), len(all), "want %v", test.want[i:]) {
					assert.ElementsMatch(t, all, got[:len(all)])
					got = got[len(all):]
				}
			}
			assert.Empty(t, got)
			for _, f := range tree.Failed {
				assert.True(t, processor.IsPermanent(f.Err), "%v", f.Err)
			}
		})
	}
}

// closing closes the first job where no other follows it.
func closing(text string) string {
	if strings.Contains(text, "\n") {
		return ""
	}
	return "}"
}

func lines(s *shop, t *testing.T) []string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(s.dir, "log")); err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s.read(t, "log"), "\n"), "\n")
}

// What is left of a job that was given up fails again in the same epoch, and is run
// anew in a later one.
func TestGivenUp(t *testing.T) {
	s := open(t, "jobs:\n  me: {run: [sh, -c, 'test -e ok'], on_failure: mourn, on_success: a}\n"+logging)
	p := command.New(command.Options{Jobs: s.file, Environ: s.env})
	root, err := command.Root(s.file, "me", nil)
	require.NoError(t, err)
	node := processor.Node{Run: "r", Kind: root.Kind, ID: root.ID, Args: root.Args, Epoch: 4, Key: func() schema.PID { return schema.PID{1} }}
	result, err := new(processortest.Recorder).GiveUp(t.Context(), p, &node, errors.New("no\x00 luck"))
	require.NoError(t, err)
	require.Len(t, result.Children, 2)
	left, mourn := result.Children[0], result.Children[1]
	assert.True(t, left.Rest)
	assert.Equal(t, "me", left.ID)
	assert.Equal(t, "mourn", mourn.ID)

	again := processor.Node{Run: "r", Kind: left.Kind, ID: left.ID, Args: left.Args, Epoch: 4, Key: func() schema.PID { return schema.PID{2} }}
	_, err = new(processortest.Recorder).Run(t.Context(), p, &again)
	require.EqualError(t, err, "no� luck")
	assert.True(t, processor.IsPermanent(err))
	result, err = new(processortest.Recorder).GiveUp(t.Context(), p, &again, err)
	require.NoError(t, err)
	assert.Empty(t, result.Children, "it is the failure")

	again.Epoch = 5
	_, err = new(processortest.Recorder).Run(t.Context(), p, &again)
	require.ErrorContains(t, err, "exit code 1")
	result, err = new(processortest.Recorder).GiveUp(t.Context(), p, &again, err)
	require.NoError(t, err)
	assert.Len(t, result.Children, 2, "it has failed anew")
	s.write(t, "ok", "")
	result, err = new(processortest.Recorder).Run(t.Context(), p, &again)
	require.NoError(t, err)
	require.Len(t, result.Children, 1)
	assert.Equal(t, "a", result.Children[0].ID)

	// Whoever has no use for it gets nothing: a failure costs no more than it did.
	plain := open(t, "jobs:\n  me: {run: [\"false\"]}\n")
	result, err = new(processortest.Recorder).GiveUp(t.Context(), command.New(command.Options{Jobs: plain.file}), &node, errors.New("x"))
	require.NoError(t, err)
	assert.Empty(t, result.Children)
}

func TestOutcomes(t *testing.T) {
	s := open(t, `
results: all
jobs:
  me:
    params: {p: 1, big: ""}
    run: [sh, -c, 'echo out; echo err >&2']
    on_success: [fails, killed, long, mourn]
  fails: {run: [sh, -c, 'echo why >&2; exit 3'], results: sick}
  killed: {run: [sh, -c, 'kill -9 $$'], results: sick}
  long: {run: [sh, -c, 'head -c 100000 /dev/zero | tr "\0" "\"" ']}
  mourn: {needs: me2}
  me2: {run: ["true"]}
`)
	tree, o := s.flow(t, "me", map[string]string{"big": strings.Repeat("x", 20<<10)}, map[string]string{command.ParamResults: "elsewhere"})
	require.EqualValues(t, 2, tree.Account.Failures)
	byJob := map[string]command.Outcome{}
	for _, queue := range []string{"all", "sick"} {
		for _, one := range o.all[queue] {
			assert.NotContains(t, byJob, one.Job)
			byJob[one.Job] = one
			assert.Equal(t, "test", one.Run)
			assert.NotEmpty(t, one.ID)
			assert.NotZero(t, one.Timestamp)
			assert.Equal(t, queue == "sick", one.Event == "JOB_FAILED")
		}
	}
	assert.Len(t, o.all, 2, "no job names none")
	jobs := make([]string, 0, len(byJob))
	for name := range byJob {
		jobs = append(jobs, name)
	}
	slices.Sort(jobs)
	assert.Equal(t, []string{"fails", "killed", "long", "me", "me2"}, jobs, "a job without a program has no outcome")
	me, fails, killed := byJob["me"], byJob["fails"], byJob["killed"]
	assert.Equal(t, "out\n", me.Stdout)
	assert.Equal(t, "err\n", me.Stderr)
	assert.Zero(t, *me.ExitCode)
	assert.Nil(t, me.Params, "they are long")
	assert.Equal(t, 3, *fails.ExitCode)
	assert.Equal(t, "why\n", fails.Stderr)
	assert.Equal(t, "run job fails: exit code 3: why", fails.Error)
	assert.Nil(t, killed.ExitCode)
	assert.Equal(t, "killed", *killed.Signal)
	assert.Less(t, len(byJob["long"].Stdout), 9<<10)

	s = open(t, "jobs:\n  me: {params: {p: 1}, run: [\"true\"]}\n")
	_, o = s.flow(t, "me", nil, map[string]string{command.ParamResults: "elsewhere"})
	require.Len(t, o.all["elsewhere"], 1)
	assert.Equal(t, map[string]string{"p": "1"}, o.all["elsewhere"][0].Params)
}

// An outcome that the queue does not take is no failure of the job.
func TestOutcomesThatAreNotTaken(t *testing.T) {
	o := &told{all: map[string][]command.Outcome{}, err: errors.New("away")}
	p := command.NewTeller(command.Options{Results: o.send})
	n := processor.Node{Kind: command.OutcomeKind, Args: schema.Args(`{"to":"q","outcome":{"event":"JOB_FAILED"}}`)}
	_, err := new(processortest.Recorder).Run(t.Context(), p, &n)
	assert.True(t, processor.IsTrouble(err))
	require.EqualError(t, err, "send outcome to queue q: away")
	_, err = new(processortest.Recorder).Run(t.Context(), command.NewTeller(command.Options{}), &n)
	assert.True(t, processor.IsPermanent(err))
}

func TestRoute(t *testing.T) {
	s := open(t, "queue: main\njobs:\n  one: {run: [x], queue: q}\n  many: {run: [x], queue: [q1, q2]}\n  none: {run: [x]}\n")
	route := command.Route(s.file)
	for _, test := range []struct{ kind, args, want string }{
		{command.Kind, `{"job":"one"}`, "q"},
		{command.ReduceKind, `{"job":"one","params":{"a":"b"}}`, "q"},
		{command.FlowKind, `{"job":"many"}`, "main"},
		{command.Kind, `{"job":"many","queue":"q2"}`, "q2"},
		{command.Kind, `{"job":"none"}`, "main"},
		{command.Kind, `{"job":"unheard of"}`, "main"},
		{command.Kind, `{`, ""},
		{command.OutcomeKind, `{"to":"q"}`, ""},
		{"s3.crawl", `{"job":"one"}`, ""},
	} {
		assert.Equal(t, test.want, route(test.kind, schema.Args(test.args)), "%s %s", test.kind, test.args)
	}
}
