package house

import (
	"io/fs"
	"os"
	"regexp"
	"testing"
)

var (
	testNames   = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	targetNames = regexp.MustCompile("`make ([a-z-]+)`")
	roomNames   = regexp.MustCompile("`((?:proof|integration)[a-z/]*)`")
)

// TestReliabilityNamesTests holds docs/reliability.md to what there is: each test, target
// and room it names.
func TestReliabilityNamesTests(t *testing.T) {
	tree := os.DirFS("../..")
	text, err := fs.ReadFile(tree, "docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	tests := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(t \*testing\.T\)`)
	err = eachFile(tree, "_test.go", func(_ string, data []byte) error {
		for _, m := range tests.FindAllSubmatch(data, -1) {
			there[string(m[1])] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := fs.ReadFile(tree, "Makefile")
	if err != nil {
		t.Fatal(err)
	}
	named := testNames.FindAllSubmatch(text, -1)
	if len(named) < 20 {
		t.Errorf("it names %d tests only", len(named))
	}
	for _, m := range named {
		if !there[string(m[1])] {
			t.Errorf("there is no test %s", m[1])
		}
	}
	for _, m := range targetNames.FindAllSubmatch(text, -1) {
		if !regexp.MustCompile(`(?m)^` + string(m[1]) + `:`).Match(makefile) {
			t.Errorf("there is no target %s", m[1])
		}
	}
	for _, m := range roomNames.FindAllSubmatch(text, -1) {
		if _, err := fs.Stat(tree, string(m[1])); err != nil {
			t.Errorf("there is no room %s", m[1])
		}
	}
}
