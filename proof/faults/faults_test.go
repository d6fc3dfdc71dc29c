package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ramify/ramify/integration/program"
	"github.com/ramify/ramify/processor/synthetic"
)

// binary is the path of the command.
var binary string

func TestMain(m *testing.M) { os.Exit(program.Main(m, &binary)) }

// tree is one that is made up, so that it is known what a walk of it must count.
type tree struct {
	synthetic.Spec
	kind string // default: synthetic.Kind
}

// target is the tree as a command takes it.
func (tr tree) target() string {
	kind := tr.kind
	if kind == "" {
		kind = synthetic.Kind
	}
	target, err := json.Marshal(map[string]any{"kind": kind, "id": synthetic.RootID, "args": tr.Args()})
	if err != nil {
		panic(err) // args are JSON
	}
	return string(target)
}

// whole fails the test unless a run has finished with the tree's totals, whatever
// failed on the way.
func (tr tree) whole(t *testing.T, sum program.Summary) {
	t.Helper()
	tr.Fail, tr.Poison = 0, 0
	tr.counted(t, sum, "finished", synthetic.Expect(&tr.Spec, 1))
}

func (tr tree) counted(t *testing.T, sum program.Summary, state string, want synthetic.Truth) {
	t.Helper()
	if sum.State != state || sum.Nodes != want.Account.Nodes || sum.Failed != want.Account.Failures ||
		sum.Totals.Objects != want.Account.Objects || sum.Totals.Bytes != want.Account.Bytes {
		t.Fatalf("%+v, want %s with %+v", sum, state, want.Account)
	}
}

// refuses fails the test unless a command has ended with the code and one line, which
// has all the parts.
func refuses(t *testing.T, r program.Result, code int, parts ...string) {
	t.Helper()
	r.RequireCode(t, code)
	said := program.Plain(t, r.Stderr)
	last := said[strings.LastIndex(strings.TrimSuffix(said, "\n"), "\n")+1:]
	if !strings.HasPrefix(last, "ramify: ") || strings.Count("\n"+said, "\nramify: ") != 1 || len(last) > 500 {
		t.Fatalf("want one line of the reason, at the end of\n%s", program.Shortened(said))
	}
	for _, part := range parts {
		if !strings.Contains(last, part) {
			t.Fatalf("want %q in\n%s", part, last)
		}
	}
}

// scaled is a size for make test, or the full one of make soak.
func scaled(quick, full int) int {
	if program.Soak() {
		return full
	}
	return quick
}

func number(n int) string { return fmt.Sprint(n) }
