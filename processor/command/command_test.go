//go:build unix

package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/jobs"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/command"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop is a folder with a jobs.yaml in it.
type shop struct {
	dir  string
	file *jobs.File
	env  []string
}

func open(t *testing.T, text string) *shop {
	t.Helper()
	s := &shop{dir: t.TempDir(), env: []string{"PATH=" + os.Getenv("PATH"), "HOME=/nowhere", "LANG=C"}}
	path := filepath.Join(s.dir, "jobs.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	var err error
	s.file, err = jobs.Read(path)
	require.NoError(t, err)
	return s
}

func (s *shop) set() processor.Set {
	o := command.Options{Jobs: s.file, Environ: s.env}
	return processor.Set{command.Kind: command.New(o), command.ReduceKind: command.NewReducer(o)}
}

// write writes a file of the folder.
func (s *shop) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
}

// read reads one.
func (s *shop) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	require.NoError(t, err)
	return string(text)
}

func (s *shop) node(job string, params ...string) *processor.Node {
	given := map[string]string{}
	for i := 0; i < len(params); i += 2 {
		given[params[i]] = params[i+1]
	}
	args, err := json.Marshal(map[string]any{"job": job, "params": given})
	if err != nil {
		panic(err)
	}
	return &processor.Node{Run: "r1", Kind: command.Kind, ID: "the node", Args: args, Key: func() schema.PID { return schema.PIDOf("r1", schema.Place{}) }}
}

func (s *shop) run(t *testing.T, job string, params ...string) (*processortest.Result, error) {
	t.Helper()
	return processortest.Run(t.Context(), s.set()[command.Kind], s.node(job, params...))
}

// rows are the lines of a stream.
func rows(s *processortest.Stream) []string {
	return strings.Split(strings.TrimSuffix(string(s.Bytes()), "\n"), "\n")
}

func permanently(t *testing.T, err error, want string) {
	t.Helper()
	require.ErrorContains(t, err, want)
	assert.True(t, processor.IsPermanent(err), "%v should be permanent", err)
}

func temporarily(t *testing.T, err error, want string) {
	t.Helper()
	require.ErrorContains(t, err, want)
	assert.False(t, processor.IsPermanent(err), "%v should be tried again", err)
}

const saying = `
jobs:
  say:
    params: {path: /, deep: "1"}
    run: [sh, say.sh]
  other:
    params: {x: }
    run: ["true"]
    reduce: ["true"]
`

func TestSaying(t *testing.T) {
	s := open(t, saying)
	s.write(t, "say.sh", `cat >node.json
cat <<END >&"$RAMIFY_FD"
{"child": {"params": {"path": "/a b", "deep": 2}}}
{"child": {"id": "named", "params": {}, "weight": 7}}
  
{"child": {"job": "other", "params": {"x": true}}}
{"child": {"kind": "synthetic", "id": "0", "args": {"a": [1]}}}
{"row": {"n":  1, "text": "é\n"}}
{"count": {"objects": 2, "bytes": 30}}
{"count": {"objects": 1}}
{"row": {}}
END
printf '{"row": {"last": true}}' >&3
`)
	r, err := s.run(t, "say", "path", "/x")
	require.NoError(t, err)
	assert.Equal(t, []processor.Child{
		{Kind: "command", ID: "say path=/a b deep=2", Args: schema.Args(`{"job":"say","params":{"deep":"2","path":"/a b"}}`)},
		{Kind: "command", ID: "named", Args: schema.Args(`{"job":"say"}`), Weight: 7},
		{Kind: "command.reduce", ID: "other x=true", Args: schema.Args(`{"job":"other","params":{"x":"true"}}`)},
		{Kind: "synthetic", ID: "0", Args: schema.Args(`{"a": [1]}`)},
	}, r.Children)
	assert.Equal(t, []string{`{"n":  1, "text": "é\n"}`, "{}", `{"last": true}`}, rows(r.Streams[sink.Rows]))
	assert.Equal(t, 3, r.Streams[sink.Rows].Rows)
	assert.Equal(t, int64(3), r.Objects)
	assert.Equal(t, int64(30), r.Bytes)
	assert.JSONEq(t, `{"run":"r1","kind":"command","id":"the node","job":"say","params":{"path":"/x","deep":"1"},"depth":0,"epoch":0,"tries":0,"key":"`+
		schema.PIDOf("r1", schema.Place{}).String()+`"}`, s.read(t, "node.json"))
}

// What a program says wrongly is an error of its node, which names the line; no
// retry mends it, and the program is not waited for.
func TestWrongSayings(t *testing.T) {
	s := open(t, `
jobs:
  say:
    run: [sh, -c, 'cat said >&3; exec sleep 600']
  other: {params: {x: }, run: ["true"]}
`)
	long := `{"row": {"x": "` + strings.Repeat("x", 1<<20) + `"}}`
	for said, want := range map[string]string{
		"hello\n": `line 1 of what it said is "hello": it is no JSON object`,
		`{"row": {}}` + "\n" + `{"row": {}` + "\n": `line 2 of what it said is "{\"row\": {}": unexpected EOF`,
		"\n\n{}\n":                                                  `line 3 of what it said is "{}": want one of`,
		`{"row": {}, "count": {}}` + "\n":                           `line 1 of what it said is`,
		`{"rows": {}}` + "\n":                                       `unknown field "rows"`,
		`{"row": {}} {"row": {}}` + "\n":                            `something follows the object`,
		`{"row": {}}}` + "\n":                                       `something follows the object`,
		`{"row": {}}]` + "\n":                                       `something follows the object`,
		`{"row": 3}` + "\n":                                         `a row is an object`,
		`{"row": null}` + "\n":                                      `a row is an object`,
		`{"child": null}` + "\n":                                    `want one of`,
		`{"child": "x"}` + "\n":                                     `cannot unmarshal`,
		`{"child": {"name": "x"}}` + "\n":                           `unknown field "name"`,
		`{"child": {"job": "none"}}` + "\n":                         `job is "none", want one of `,
		`{"child": {"job": "other"}}` + "\n":                        `params.x is "", want a value`,
		`{"child": {"params": {"y": "1"}}}` + "\n":                  `params is "y=1", want none`,
		`{"child": {"job": "other", "params": {"x": []}}}` + "\n":   `params.x is "[]", want a text, a number, true or false`,
		`{"child": {"args": {}}}` + "\n":                            `a child with args has a kind`,
		`{"child": {"kind": "x", "job": "y"}}` + "\n":               `job and params, or kind and args`,
		`{"child": {"kind": "No Kind"}}` + "\n":                     `kind is "No Kind"`,
		`{"child": {"kind": "x", "args": 3}}` + "\n":                `args is "3", want a JSON object`,
		`{"child": {"id": "` + strings.Repeat("x", 4097) + "\"}}\n": `want UTF-8 of at most 4096 bytes`,
		`{"child": {"weight": -1}}` + "\n":                          `cannot unmarshal`,
		`{"count": {"objects": -1}}` + "\n":                         `a count is 0 or more`,
		`{"count": 3}` + "\n":                                       `cannot unmarshal`,
		`{"row": {"x": ` + strings.Repeat("[", 1e5) + strings.Repeat("]", 1e5) + "}}\n":                          `exceeded max depth`,
		`{"child": {"kind": "x", "args": {"a": ` + strings.Repeat("[", 1e5) + strings.Repeat("]", 1e5) + "}}}\n": `exceeded max depth`,
		"{\"row\": {\"x\": \"\xff\"}}\n":                     `it is not UTF-8`,
		`{"row": {}}` + "\n" + long + "\n":                   `line 2 of what it said has more than 1048576 bytes`,
		"{\"row\": {}}\n{}\n" + strings.Repeat(long+"\n", 8): `line 2 of what it said`,
	} {
		s.write(t, "said", said)
		_, err := s.run(t, "say")
		permanently(t, err, want)
		assert.Less(t, len(err.Error()), 600)
	}
}

// An error of storage is not the program's, and is tried again.
func TestStorageFails(t *testing.T) {
	s := open(t, `jobs: {say: {run: [sh, -c, 'echo "{\"child\": {}}" >&3; exec sleep 600']}}`)
	full := errors.New("disk full")
	r := &processortest.Recorder{Fault: func(string, int) error { return full }}
	_, err := r.Run(t.Context(), s.set()[command.Kind], s.node("say"))
	require.ErrorIs(t, err, full)
	assert.False(t, processor.IsPermanent(err))
}

func TestExitCodes(t *testing.T) {
	s := open(t, `
jobs:
  plain: {params: {code: }, run: [sh, -c, 'echo out; echo "why: $1" >&2; exit "$1"', "-", "{{code}}"]}
  named:
    params: {code: }
    run: [sh, -c, 'exit "$1"', "-", "{{code}}"]
    exit: {done: [0, 7], retry: [75], give_up: [9]}
  once: {run: ["false"], retries: 0}
  twice: {run: ["false"], retries: 1}
  killed: {run: [sh, -c, 'kill -KILL $$']}
  script: {shell: true, run: no-such-program}
  strict: {shell: true, run: exit 127, exit: {done: 0}}
`)
	_, err := s.run(t, "plain", "code", "0")
	require.NoError(t, err)
	_, err = s.run(t, "plain", "code", "3")
	temporarily(t, err, "run job plain: exit code 3: why: 3")
	var f *command.ExitError
	require.ErrorAs(t, err, &f)
	assert.Equal(t, command.ExitError{Job: "plain", Code: 3, Stdout: "out\n", Stderr: "why: 3\n"}, *f)

	_, err = s.run(t, "named", "code", "7")
	require.NoError(t, err)
	_, err = s.run(t, "named", "code", "75")
	temporarily(t, err, "run job named: exit code 75")
	_, err = s.run(t, "named", "code", "9")
	permanently(t, err, "exit code 9")
	_, err = s.run(t, "named", "code", "1")
	permanently(t, err, "exit code 1")

	_, err = s.run(t, "once")
	permanently(t, err, "exit code 1")
	_, err = s.run(t, "twice")
	temporarily(t, err, "exit code 1")
	n := s.node("twice")
	n.Tries = 1
	_, err = processortest.Run(t.Context(), s.set()[command.Kind], n)
	permanently(t, err, "exit code 1")

	_, err = s.run(t, "killed")
	temporarily(t, err, "run job killed: ended by signal killed")
	_, err = s.run(t, "script")
	permanently(t, err, "exit code 127")
	_, err = s.run(t, "strict")
	temporarily(t, err, "exit code 127")
}

// What cannot be run is said, and is not tried again.
func TestCannotRun(t *testing.T) {
	s := open(t, `
jobs:
  missing: {run: [no-such-program]}
  absent: {run: [./no-such-file]}
  plain: {run: [./plain]}
  folder: {run: [./bin]}
  headless: {run: [./headless]}
  lost: {run: [./lost]}
  nowhere: {run: ["true"], dir: nowhere}
  nobody: {run: ["true"], user: no-such-user}
  big: {params: {a: , b: }, run: ["true"], env: {E: "`+strings.Repeat("{{a}}", 40)+`"}}
`)
	s.write(t, "plain", "#!/bin/sh\n")
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "bin"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "headless"), []byte("\x01\x02"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "lost"), []byte("#!/no/such/interpreter\n"), 0o700))
	for job, want := range map[string]string{
		"missing":  `run job missing: program "no-such-program" is not found: PATH is "` + os.Getenv("PATH"),
		"absent":   "no-such-file does not exist",
		"plain":    "plain is not executable: chmod +x makes it so",
		"folder":   "bin is a folder",
		"headless": "is no program: has it a first line such as #!/bin/sh?",
		"lost":     "or what its first line names, does not exist",
		"nowhere":  "nowhere: one of them",
		"nobody":   `user is "no-such-user", want one that this machine has`,
	} {
		_, err := s.run(t, job)
		permanently(t, err, want)
	}
	_, err := s.run(t, "big", "a", strings.Repeat("x", jobs.MaxValue), "b", "")
	permanently(t, err, "more than a program can be given")
}

func TestWrongNodes(t *testing.T) {
	s := open(t, saying)
	for args, want := range map[string]string{
		``:                             `read args: job is "", want the name of a job`,
		`{}`:                           `job is ""`,
		`{"job": "sya"}`:               `job is "sya", want one of ` + s.file.Path + `: other, say`,
		`{"job": "say", "parms": {}}`:  `read args: json: unknown field "parms"`,
		`{"job": "say", "params": []}`: `params is "[]", want an object`,
		`{"job": "say", "params": {"path": null}}`: `params.path is "null", want a text`,
		`{"job": "say", "params": {"pth": ""}}`:    `params is "pth=", want one of path, deep`,
		`{"job": "other", "params": {"x": 1}}`:     `kind is "command", want command.reduce, as job other is now`,
	} {
		_, err := processortest.Run(t.Context(), s.set()[command.Kind], &processor.Node{Kind: command.Kind, Args: schema.Args(args)})
		permanently(t, err, want)
		require.Error(t, command.Check(s.file, command.Kind, schema.Args(args)))
	}
	_, err := processortest.Run(t.Context(), command.New(command.Options{}), s.node("say"))
	permanently(t, err, "there are no jobs on this machine: name a file by --jobs or RAMIFY_JOBS")
	require.NoError(t, command.Check(s.file, command.Kind, schema.Args(`{"job": "say", "params": {"deep": 3}}`)))

	_, err = command.Root(s.file, "other", nil)
	require.ErrorContains(t, err, "params.x")
	root, err := command.Root(s.file, "other", map[string]string{"x": strings.Repeat("é", 4000)})
	require.NoError(t, err)
	assert.Equal(t, command.ReduceKind, root.Kind)
	assert.LessOrEqual(t, len(root.ID), schema.MaxID)
	assert.True(t, strings.HasSuffix(root.ID, "é…"))
}

// A reduce runs after what is below has settled, with the account of it all.
func TestReduce(t *testing.T) {
	s := open(t, `
jobs:
  tree:
    params: {path: t}
    run: [sh, tree.sh, "{{path}}"]
    reduce: [sh, -c, 'cat >>reduced; echo "{\"row\": {\"reduced\": \"$1\"}}" >&3', "-", "{{path}}"]
`)
	s.write(t, "tree.sh", `echo '{"count": {"objects": 1, "bytes": 5}}' >&3
for d in "$1"/*/; do [ -d "$d" ] && printf '{"child": {"params": {"path": "%s"}}}\n' "${d%/}" >&3; done; exit 0`)
	require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "t", "a", "b"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "t", "c"), 0o700))
	root, err := command.Root(s.file, "tree", nil)
	require.NoError(t, err)
	tree, err := processortest.Walk(t.Context(), s.set(), processor.Node{Kind: root.Kind, ID: root.ID, Args: root.Args})
	require.NoError(t, err)
	assert.Empty(t, tree.Failed)
	assert.Equal(t, schema.Account{Nodes: 4, Objects: 4, Bytes: 20, Reduces: 4}, tree.Account)
	assert.Equal(t, []string{`{"reduced": "t/a/b"}`, `{"reduced": "t/a"}`, `{"reduced": "t/c"}`, `{"reduced": "t"}`}, rows(tree.Streams[sink.Rows]))
	lines := strings.Split(strings.TrimSpace(s.read(t, "reduced")), "\n")
	require.Len(t, lines, 4)
	assert.Contains(t, lines[3], `"account":{"nodes":4,"objects":4,"bytes":20,"failures":0,"reduces":3}`)
}

// A reduce has no children.
func TestReduceReveals(t *testing.T) {
	s := open(t, `jobs: {x: {run: ["true"], reduce: [sh, -c, 'echo "{\"child\": {}}" >&3']}}`)
	n := s.node("x")
	n.Kind = command.ReduceKind
	_, err := new(processortest.Recorder).Reduce(t.Context(), s.set()[command.ReduceKind].(processor.Reducer), n, schema.Account{})
	permanently(t, err, "a reduce has no children")
}

func TestContextEndedBefore(t *testing.T) {
	s := open(t, `jobs: {x: {run: [touch, began]}}`)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("lease lost")
	cancel(why)
	_, err := processortest.Run(ctx, s.set()[command.Kind], s.node("x"))
	require.ErrorIs(t, err, why)
	assert.NoFileExists(t, filepath.Join(s.dir, "began"))
}
