// Package house keeps the rules of the house that need no linter: how long a
// file may be, who may import whom, what a package may be called, that every
// dependency is explained, and that nothing names the machine it was written on.
package house

import (
	"bytes"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

const (
	module       = "github.com/ramify/ramify"
	maxLines     = 600
	dependencies = "docs/dependencies.md"
)

// rules are checked on the tree as it is, and shown to fail in TestRulesFire.
var rules = []struct {
	name  string
	check func(fs.FS) ([]string, error)
}{
	{"file length", longFiles},
	{"package names", vagueNames},
	{"imports", wrongImports},
	{"dependencies", unexplainedDependencies},
	{"machine names", machineNames},
}

func TestHouse(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			problems, err := r.check(os.DirFS("../.."))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range problems {
				t.Error(p)
			}
		})
	}
}

// TestImportRulesAreLinted holds the two statements of the import rules together.
func TestImportRulesAreLinted(t *testing.T) {
	config, err := os.ReadFile("../../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range importRules {
		if !bytes.Contains(config, []byte("\n        "+r.name+":\n")) {
			t.Errorf("import rule %q is not among depguard's rules: add it to .golangci.yml, or drop it here", r.name)
		}
	}
}

// longFiles asks for Go files that can be read in one sitting.
func longFiles(tree fs.FS) ([]string, error) {
	var problems []string
	err := eachFile(tree, ".go", func(name string, data []byte) error {
		if n := bytes.Count(data, []byte("\n")); n > maxLines {
			problems = append(problems, fmt.Sprintf("%s has %d lines, at most %d are allowed: split it by what its parts are about", name, n, maxLines))
		}
		return nil
	})
	return problems, err
}

var vague = map[string]bool{"util": true, "utils": true, "common": true, "helper": true, "helpers": true, "misc": true}

// vagueNames asks for packages named after what they provide.
func vagueNames(tree fs.FS) ([]string, error) {
	var problems []string
	err := eachFile(tree, ".go", func(name string, data []byte) error {
		file, err := parser.ParseFile(token.NewFileSet(), name, data, parser.PackageClauseOnly)
		if err != nil {
			return err
		}
		pkg := strings.TrimSuffix(file.Name.Name, "_test")
		if vague[pkg] || vague[path.Base(path.Dir(name))] {
			problems = append(problems, fmt.Sprintf("%s: package %s says nothing: name it after what it provides, or move the code to its only user", name, pkg))
		}
		return nil
	})
	return problems, err
}

var (
	requirement = regexp.MustCompile(`(?m)^(?:require)?\s+([^\s()]+\.[^\s()]+/[^\s()]+) v\S+(.*)$`)
	row         = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")
)

// modules are the files with requirements; infra is a module of its own.
var modules = []string{"go.mod", "infra/go.mod"}

// unexplainedDependencies asks for one row in docs/dependencies.md for each
// direct requirement of a module, and for no row too many.
func unexplainedDependencies(tree fs.FS) ([]string, error) {
	var mod []byte
	for _, name := range modules {
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		mod = append(mod, text...)
	}
	doc, err := fs.ReadFile(tree, dependencies)
	if err != nil {
		return nil, err
	}
	text, _, _ := strings.Cut(string(doc), "\n## Tools")
	direct, _, _ := strings.Cut(text, "\n## Chosen, not yet imported")

	var problems []string
	required, explained := map[string]bool{}, map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		if explained[m[1]] {
			problems = append(problems, fmt.Sprintf("%s names %s twice: drop one row", dependencies, m[1]))
		}
		explained[m[1]] = true
	}
	for _, m := range requirement.FindAllStringSubmatch(string(mod), -1) {
		if strings.Contains(m[2], "// indirect") || required[m[1]] || m[1] == module {
			continue
		}
		required[m[1]] = true
		if !explained[m[1]] {
			problems = append(problems, fmt.Sprintf("go.mod requires %s without a reason: add its row to %s, or do without it", m[1], dependencies))
		}
	}
	for _, m := range row.FindAllStringSubmatch(direct, -1) {
		if !required[m[1]] {
			problems = append(problems, fmt.Sprintf("%s explains %s, which go.mod does not require directly: drop its row", dependencies, m[1]))
		}
	}
	return problems, nil
}

// machine finds what holds on one machine only: homes, checkouts, and the
// registry that one machine happens to use.
var machine = regexp.MustCompile(
	`(?:^|[^\w./-])(/(?:work|root|home/\w+|Users/\w+)(?:[/"'\x60\s]|$))` +
		`|\b((?:proxy|sum)\.golang\.org|goproxy\.\w+|registry\.(?:npmjs|yarnpkg)\.\w+|pypi\.org|pythonhosted\.org` +
		`|repo1?\.maven\.[\w.]+|(?:index|static)\.crates\.io)\b`)

// machineNames asks for text that is as true on any machine as on the one it
// was written on.
func machineNames(tree fs.FS) ([]string, error) {
	var problems []string
	err := eachFile(tree, "", func(name string, data []byte) error {
		if bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data) {
			return nil // not text
		}
		line := 0
		for text := range bytes.Lines(data) {
			line++
			for _, m := range machine.FindAllSubmatch(text, -1) {
				problems = append(problems, fmt.Sprintf("%s:%d names %s: say it without a machine's path or a registry's host",
					name, line, strings.TrimSpace(string(m[1])+string(m[2]))))
			}
		}
		return nil
	})
	return problems, err
}

// eachFile calls do with the files that belong to the project and whose name
// ends so: not what .gitignore lists, nor hidden folders except CI's, nor Go
// files that are test data.
func eachFile(tree fs.FS, ending string, do func(name string, data []byte) error) error {
	ignore, err := fs.ReadFile(tree, ".gitignore")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	patterns := strings.Fields(comment.ReplaceAllString(string(ignore), ""))
	return fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		base := path.Base(name)
		hidden := strings.HasPrefix(base, ".") && base != "." && base != ".ci" && base != ".github"
		switch {
		case err != nil:
			return err
		case d.IsDir() && (hidden || ignored(patterns, name+"/") || ending == ".go" && base == "testdata"):
			return fs.SkipDir
		case !d.Type().IsRegular() || !strings.HasSuffix(name, ending) || ignored(patterns, name):
			return nil
		}
		data, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		return do(name, data)
	})
}

var comment = regexp.MustCompile(`(?m)^#.*$`)

// ignored understands as much of .gitignore as ours uses: /folder/, folder/ and *.ending.
func ignored(patterns []string, name string) bool {
	last := name[strings.LastIndex(strings.TrimSuffix(name, "/"), "/")+1:]
	return slices.ContainsFunc(patterns, func(p string) bool {
		rooted, _ := path.Match(p, "/"+name)
		anywhere, _ := path.Match(p, last)
		return rooted || anywhere
	})
}

func TestRulesFire(t *testing.T) {
	code := func(imports ...string) string {
		text := "package x\n"
		for _, i := range imports {
			text += fmt.Sprintf("import _ %q\n", i)
		}
		return text
	}
	const (
		sdk                      = "github.com/aws/aws-sdk-go-v2/service/s3"
		home, checkout, registry = "/" + "root/", "/" + "work/", "golang" + ".org" // joined: this file is checked, too

		mod  = "module m\n\nrequire a.org/one v1.0.0\n\nrequire (\n\tb.org/two v1.2.3\n\tc.org/three v0.1.0 // indirect\n)\n"
		head = "## Direct\n| `a.org/one` | why |\n"
		wait = "\n## Chosen, not yet imported\n| `d.org/four` | why |\n"
	)
	cases := []struct {
		name  string
		check func(fs.FS) ([]string, error)
		file  string
		text  string
		want  string // in the one problem found, or nothing
	}{
		{"600 lines", longFiles, "a/a.go", strings.Repeat("\n", 600), ""},
		{"601 lines", longFiles, "a/a.go", strings.Repeat("\n", 601), "split it"},
		{"601 lines built", longFiles, "out/a.go", strings.Repeat("\n", 601), ""},
		{"601 lines of data", longFiles, "a/testdata/a.go", strings.Repeat("\n", 601), ""},

		{"good name", vagueNames, "house/a.go", "package house", ""},
		{"vague name", vagueNames, "a/a.go", "package util", "says nothing"},
		{"vague test", vagueNames, "a/a_test.go", "package helpers_test", "says nothing"},
		{"vague folder", vagueNames, "common/a.go", "package a", "says nothing"},

		{"schema, itself", wrongImports, "schema/sub/a.go", code("fmt", module+"/schema", "x.org/y"), ""},
		{"schema", wrongImports, "schema/a.go", code(module + "/queue"), `"schema"`},
		{"schema test", wrongImports, "schema/a_test.go", code(module + "/queue"), `"schema"`},
		{"schematic", wrongImports, "schematic/a.go", code(module + "/queue"), ""},
		{"inventory", wrongImports, "inventory/csv/a.go", code(module + "/schema"), `"inventory"`},
		{"filter", wrongImports, "filter/a.go", code(module + "/inventory"), ""},
		{"filter and seam", wrongImports, "filter/a_test.go", code(module + "/processor"), `"filter"`},
		{"jobs", wrongImports, "jobs/a.go", code(module+"/schema", "os"), ""},
		{"jobs and processor", wrongImports, "jobs/a.go", code(module + "/processor/command"), `"jobs"`},
		{"keyring", wrongImports, "keyring/a.go", code(module+"/schema", "os"), ""},
		{"keyring and seam", wrongImports, "keyring/a.go", code(module + "/queue"), `"keyring"`},
		{"keyring and AWS", wrongImports, "keyring/a.go", code(sdk), `"aws"`},
		{"keyring in AWS", wrongImports, "keyring/secretsmanager/a.go", code(sdk, module+"/keyring"), ""},
		{"engine and keys of AWS", wrongImports, "task/a.go", code(module + "/keyring/secretsmanager"), `"engine"`},
		{"room within", wrongImports, "internal/emf/a.go", code("io", "golang.org/x/time/rate"), ""},
		{"room within and engine", wrongImports, "internal/emf/a.go", code(module + "/task"), `"rooms within"`},
		{"room within and AWS", wrongImports, "internal/ecs/a.go", code(sdk), `"aws"`},
		{"jobqueue", wrongImports, "jobqueue/a.go", code("fmt", module+"/schema", module+"/queue"), ""},
		{"jobqueue and what runs a job", wrongImports, "jobqueue/a.go", code(module + "/processor/command"), `"jobqueue"`},
		{"jobqueue on SQS", wrongImports, "jobqueue/sqs/a.go", code(module+"/jobqueue", sdk), ""},
		{"totals", wrongImports, "totals/a.go", code("fmt", module+"/inventory", module+"/sink"), `"totals"`},
		{"totals and inventory", wrongImports, "totals/a.go", code("fmt", module+"/inventory"), ""},
		{"s3client", wrongImports, "s3client/a.go", code("fmt", sdk, module+"/internal/legible"), ""},
		{"s3client and seam", wrongImports, "s3client/a.go", code(module + "/processor"), `"s3client"`},
		{"listing", wrongImports, "listing/a.go", code(module+"/processor", module+"/sink"), ""},
		{"listing and adapter", wrongImports, "listing/a.go", code(module + "/processor/s3crawl"), `"listing"`},
		{"scaling", wrongImports, "scaling/a.go", code("time", module+"/schema"), ""},
		{"scaling and AWS", wrongImports, "scaling/a.go", code("github.com/aws/aws-xray-sdk-go/xray"), `"scaling"`},
		{"scaling and ledger", wrongImports, "scaling/a.go", code(module + "/ledger"), `"scaling"`},
		{"plan", wrongImports, "plan/probe/a.go", code(module+"/scaling", module+"/processor/s3crawl"), ""},
		{"plan and engine", wrongImports, "plan/a.go", code(module + "/task"), `"plan"`},
		{"seam", wrongImports, "queue/a.go", code("context", "net/http", module+"/schema"), ""},
		{"seam and library", wrongImports, "sink/a.go", code("golang.org/x/sync/errgroup"), `"seams"`},
		{"seam and seam", wrongImports, "ledger/a.go", code(module + "/queue"), `"seams"`},
		{"seam's test", wrongImports, "ledger/a_test.go", code(module+"/ledger", module+"/ledger/ledgertest"), ""},
		{"engine", wrongImports, "task/a.go", code(module+"/queue", module+"/schema", "golang.org/x/sync/errgroup"), ""},
		{"engine and adapter", wrongImports, "task/a.go", code(module + "/queue/embedded"), `"engine"`},
		{"engine's post", wrongImports, "post/a.go", code(module + "/sink/file"), `"engine"`},
		{"engine and console", wrongImports, "seed/file/a.go", code(module + "/console"), `"engine"`},
		{"engine's test", wrongImports, "task/a_test.go", code(module+"/queue/embedded", module+"/internal/store"), ""},
		{"engine's test and AWS", wrongImports, "task/a_test.go", code(sdk), `"aws"`},
		{"adapter", wrongImports, "sink/file/a.go", code(module+"/sink", module+"/inventory", module+"/internal/store", "x.org/y"), ""},
		{"adapter, itself", wrongImports, "processor/s3crawl/a.go", code(module+"/processor/s3crawl/list", sdk), ""},
		{"adapter and engine", wrongImports, "queue/embedded/a.go", code(module + "/task"), `"adapters"`},
		{"adapter and adapter", wrongImports, "queue/embedded/a.go", code(module + "/ledger/embedded"), `"adapters"`},
		{"adapter's test", wrongImports, "queue/embedded/a_test.go", code(module + "/queue/queuetest"), ""},
		{"AWS", wrongImports, "queue/embedded/a.go", code("github.com/aws/smithy-go"), `"aws"`},
		{"AWS in a server", wrongImports, "s3serve/a.go", code(sdk), `"aws"`},
		{"AWS in a server's test", wrongImports, "s3serve/a_test.go", code(sdk), ""},
		{"AWS in the engine", wrongImports, "task/a.go", code(module + "/queue/sqs"), `"engine"`},
		{"AWS adapter", wrongImports, "queue/sqs/a.go", code(sdk, module+"/internal/batch"), ""},
		{"AWS adapter and engine", wrongImports, "queue/sqs/a.go", code(module + "/post"), `"adapters"`},
		{"emulator", wrongImports, "queue/sqs/a.go", code(module + "/internal/emulator/elasticmq"), `"emulator"`},
		{"emulator in a test", wrongImports, "queue/sqs/a_test.go", code(module + "/internal/emulator/elasticmq"), ""},
		{"function with the engine", wrongImports, "metricfn/a.go", code(module + "/post"), `"metricfn"`},
		{"function with a queue", wrongImports, "metricfn/a.go", code(module + "/queue/sqs"), `"metricfn"`},
		{"function with its ledger", wrongImports, "metricfn/lambda/a.go", code(module+"/ledger/dynamodb", sdk), ""},
		{"Lambda in cmd", wrongImports, "cmd/ramify/a.go", code("github.com/aws/aws-lambda-go/lambda"), `"lambda"`},
		{"Lambda", wrongImports, "metricfn/lambda/a.go", code("github.com/aws/aws-lambda-go/lambda"), ""},
		{"CDK in cmd", wrongImports, "cmd/ramify/a.go", code("github.com/aws/aws-cdk-go/awscdk/v2"), `"cdk"`},
		{"CDK", wrongImports, "infra/a.go", code("github.com/aws/aws-cdk-go/awscdk/v2"), ""},
		{"SQLite", wrongImports, "queue/embedded/a.go", code("modernc.org/sqlite"), `"sqlite"`},
		{"store", wrongImports, "console/a.go", code(module + "/internal/store"), `"store"`},

		{"explained", unexplainedDependencies, dependencies, head + "| `b.org/two` | why |\n" + wait, ""},
		{"waiting", unexplainedDependencies, dependencies, head + wait + "| `b.org/two` | why |\n", ""},
		{"unexplained", unexplainedDependencies, dependencies, head, "requires b.org/two"},
		{"explained twice", unexplainedDependencies, dependencies, head + "| `b.org/two` | why |\n| `b.org/two` | why |\n", "twice"},
		{"not required", unexplainedDependencies, dependencies, head + "| `b.org/two` | why |\n| `c.org/three` | why |\n", "c.org/three"},

		{"keys", machineNames, "a.txt", "usr" + home + "x s3://b" + checkout + " nodes" + home + " ", ""},
		{"home", machineNames, "a.md", "see\nin `" + home + "go`", "a.md:2 names"},
		{"checkout", machineNames, ".ci/run", "cd " + checkout + "main", ".ci/run:1"},
		{"registry", machineNames, "a.md", "https://proxy." + registry, "registry"},
		{"ignored", machineNames, "x/a.db", home + "a", ""},
		{"not text", machineNames, "a", "\x00 " + home + "a", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			problems, err := c.check(fstest.MapFS{
				".gitignore": {Data: []byte("# built\n/out/\n*.db\n")},
				"go.mod":     {Data: []byte(mod)}, "infra/go.mod": {},
				c.file: {Data: []byte(c.text)},
			})
			switch {
			case err != nil:
				t.Fatal(err)
			case c.want == "" && len(problems) > 0:
				t.Errorf("got %q, want no problem", problems)
			case c.want != "" && (len(problems) != 1 || !strings.Contains(problems[0], c.want)):
				t.Errorf("got %q, want one problem with %s", problems, c.want)
			}
		})
	}
}
