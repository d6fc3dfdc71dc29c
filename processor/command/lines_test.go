package command

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/jobs"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
)

// sayer is a processor whose program has said one line.
type sayer struct {
	t    *task
	line []byte
}

func (s sayer) Process(_ context.Context, _ *processor.Node, out processor.Out) error {
	l := &lines{t: s.t, out: out}
	if err := l.take(s.line); err != nil {
		return err
	}
	return l.end()
}

// FuzzLine: no line crashes what reads it; what is wrong with one is permanent.
func FuzzLine(f *testing.F) {
	for _, line := range []string{
		`{"child": {"params": {"a": "x"}, "id": "n", "weight": 3}}`, `{"child": {"kind": "synthetic", "args": {"a": 1}}}`,
		`{"row": {"a": [1, {"b": null}]}}`, `{"count": {"objects": 1, "bytes": 2}}`, ` {"row":{}} {`, `{"child":{"params":{"a":null,"A":1e9}}}`, "", "null", "{\"row\":\xff}",
	} {
		f.Add([]byte(line))
	}
	file, err := jobs.Parse("jobs.yaml", []byte(`jobs: {j: {params: {a: ""}, run: [x, "{{a}}"]}}`))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, line []byte) {
		said := sayer{t: &task{o: Options{Jobs: file}, job: file.Jobs["j"]}, line: line}
		if _, err := processortest.Run(t.Context(), said, &processor.Node{}); err != nil {
			require.True(t, processor.IsPermanent(err), "%v", err)
		}
	})
}

// FuzzArgs: no args of a node crash the reader, and no parameter of them is more than a
// text that the job has.
func FuzzArgs(f *testing.F) {
	f.Add([]byte(`{"job":"j","params":{"a":"x"}}`))
	f.Add([]byte(`{"job":"j","params":{"a":640},"stage":"run","key":"k","given_up":{},"cause":{"error":"x"}}`))
	f.Add([]byte(`{"job":"j","params":{"a":null,"b":"c"}}`))
	file, err := jobs.Parse("jobs.yaml", []byte(`jobs: {j: {params: {a: ""}, run: [x, "{{a}}"]}}`))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := parseArgs(text)
		if err != nil {
			return
		}
		require.NotEmpty(t, a.Job)
		if Check(file, Kind, text) != nil {
			return
		}
		argv := file.Jobs["j"].Args(file.Jobs["j"].Run, map[string]string{"a": a.Params["a"]})
		require.Len(t, argv, 2)
		require.Equal(t, "x", argv[0])
	})
}
