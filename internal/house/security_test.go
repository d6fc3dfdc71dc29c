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

var (
	nosec    = regexp.MustCompile(`//\s*#nosec\b`)
	reasoned = regexp.MustCompile(`/{2} #nosec G\d{3} -- \S.{7,}$`)
)

// TestExceptionsOfGosecHaveReasons: gosec itself takes one without.
func TestExceptionsOfGosecHaveReasons(t *testing.T) {
	found := 0
	err := eachFile(os.DirFS(filepath.Join("..", "..")), ".go", func(name string, data []byte) error {
		for i, line := range strings.Split(string(data), "\n") {
			if !nosec.MatchString(line) {
				continue
			}
			if found++; !reasoned.MatchString(line) {
				t.Errorf("%s:%d: want a rule and a reason: #nosec RULE -- REASON", name, i+1)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 10 {
		t.Errorf("%d exceptions were found", found)
	}
}

// TestRulesOfGosecThatAreOff holds docs/security.md against what make gosec leaves out.
func TestRulesOfGosecThatAreOff(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	off := regexp.MustCompile(`(?m)^GOSEC_OFF := (\S+)$`).FindStringSubmatch(read("Makefile"))
	if off == nil {
		t.Fatal("the Makefile has no GOSEC_OFF")
	}
	var explained []string
	for _, row := range regexp.MustCompile(`(?m)^\| (G\d{3}) \|`).FindAllStringSubmatch(read("docs/security.md"), -1) {
		explained = append(explained, row[1])
	}
	if got := strings.Join(explained, ","); got != off[1] {
		t.Errorf("docs/security.md explains %s, and the Makefile leaves out %s", got, off[1])
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
