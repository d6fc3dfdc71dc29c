package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var namedTest = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9]+)`")

// TestSecurityNamesTests holds docs/security.md to its word: each threat names a test, and
// each test that it names is there.
func TestSecurityNamesTests(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	threats, in := 0, false
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case line == "| threat | defence | test |":
			in = true
		case !strings.HasPrefix(line, "|"):
			in = false
		case in && !strings.HasPrefix(line, "|---"):
			threats++
			if !namedTest.MatchString(line) {
				t.Errorf("docs/security.md:%d: the threat has no test", i+1)
			}
		}
		for _, m := range namedTest.FindAllStringSubmatch(line, -1) {
			if !hasTest(t, filepath.Join(root, filepath.FromSlash(m[1])), m[2]) {
				t.Errorf("docs/security.md:%d: there is no %s in %s", i+1, m[2], m[1])
			}
		}
	}
	if threats < 40 {
		t.Errorf("%d threats were found", threats)
	}
}

func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}
