package integration

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// elsewhere are the commands of the pages that no test of this package can run, and
// why. `make` is not among them: what is to be made is looked up, and not made.
var elsewhere = map[string]string{
	"ramify seed s3://my-bucket/ --stack ramify --watch":                                 "a stack: TestDeploy has one on ministack",
	"aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com":            "an account",
	"image=$(go run ./image/cmd --push dist/linux-amd64/ramify dist/linux-arm64/ramify)": "a registry: image.TestPush has one",
	"cd infra && npx aws-cdk@2.1126.0 deploy -c image=$image":                            "an account: TestDeploy runs it as `make deploy` does, on ministack",
	"cd infra && npx aws-cdk@2.1126.0 gc --unstable=gc -c image=none":                    "an account",
}

// tried has each command of a page that a test has taken to run it.
var tried sync.Map

// try notes the commands of a page that a test runs.
func try(lines ...string) {
	for _, line := range lines {
		tried.Store(command(line), true)
	}
}

var remark = regexp.MustCompile(`\s+# .*$`)

// command is a line of a page without what is said about it.
func command(line string) string { return strings.TrimSpace(remark.ReplaceAllString(line, "")) }

// looksTyped is how a line begins that somebody is to type.
var looksTyped = regexp.MustCompile(`^(\$ )?(ramify|make|go|aws|cd|export|curl|printf|python3|npx|npm|[a-z_]+=\$\() `)

// typedIn are the commands of a page, by their lines in it, and the lines of blocks
// that look like commands and are not marked so.
func typedIn(text string) (commands map[int]string, unmarked []int) {
	commands = map[int]string{}
	language, inside := "", false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if after, fence := strings.CutPrefix(line, "```"); fence {
			language, inside = after, !inside
			continue
		}
		typed, prompted := strings.CutPrefix(line, prompt)
		switch {
		case !inside || line == "" || strings.HasPrefix(line, "#"):
		case language == "console" && prompted, strings.HasPrefix(language, "sh"):
			commands[i+1] = command(typed)
		case language == "" && looksTyped.MatchString(line):
			unmarked = append(unmarked, i+1)
		}
	}
	return commands, unmarked
}

// untried says which commands of README and docs nobody has run. It is asked when all
// tests of the package are done.
func untried() (problems []string) {
	var pages []string
	err := filepath.WalkDir("../docs", func(path string, d fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		return []string{err.Error()}
	}
	there := map[string]bool{}
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			return []string{err.Error()}
		}
		commands, unmarked := typedIn(string(text))
		for _, line := range unmarked {
			problems = append(problems, fmt.Sprintf("%s:%d: commands stand in blocks ```sh, which a test runs", page, line))
		}
		for line, c := range commands {
			there[c] = true
			if _, is := tried.Load(c); !is && elsewhere[c] == "" {
				problems = append(problems, fmt.Sprintf("%s:%d: no test runs %s", page, line, c))
			}
		}
	}
	for c := range elsewhere {
		if !there[c] {
			problems = append(problems, "no page has the command that is said to be tried elsewhere: "+c)
		}
	}
	slices.Sort(problems)
	return problems
}

// requireTried fails a run of all tests where a page has a command that none has run.
func requireTried(code int) int {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if f := flag.Lookup(name); f == nil || f.Value.String() != "" {
			return code
		}
	}
	if code != 0 {
		return code
	}
	problems := untried()
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, p)
	}
	if len(problems) > 0 {
		fmt.Fprintln(os.Stderr, "FAIL: commands of the pages (docs_inventory_test.go)")
		return 1
	}
	return 0
}

func TestTypedIn(t *testing.T) {
	t.Parallel()
	commands, unmarked := typedIn("```sh run\nramify a # why\n```\n```console\n$ b\nout\n```\n```\nramify c\ntotals\n```\n```json\nmake it\n```\nramify d\n")
	if len(commands) != 2 || commands[2] != "ramify a" || commands[5] != "b" || !slices.Equal(unmarked, []int{9}) {
		t.Errorf("commands %v, unmarked %v", commands, unmarked)
	}
}
