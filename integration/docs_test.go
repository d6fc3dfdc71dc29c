package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// commandsIn are the commands of the blocks ```sh of a page, or of one section of
// it, in their order.
func commandsIn(t *testing.T, page, section string) (commands []string) {
	t.Helper()
	data, err := os.ReadFile("../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	in, shell := section == "", false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "## ") && section != "":
			in = line == "## "+section
		case strings.HasPrefix(line, "```"):
			shell = line == "```sh"
		case in && shell:
			commands = append(commands, line)
		}
	}
	if len(commands) == 0 {
		t.Fatalf("there is no command in %s %s", page, section)
	}
	return commands
}

// follow runs the commands of a page; one that ends otherwise than well says so in
// a remark.
func (u *user) follow(t *testing.T, page, section string) {
	t.Helper()
	u.env = append(u.env, "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	for _, line := range commandsIn(t, page, section) {
		code := 0
		if strings.HasSuffix(line, " # exit code 3") {
			code = 3
		}
		cmd := u.command()
		cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", line}
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Fatalf("%s of %s ends with exit code %d, want %d:\n%s", line, page, got, code, out)
		}
	}
}

// What the pages tell people to type does what they say.
func TestDocsObjects(t *testing.T) {
	t.Parallel()
	s, sums := stock(t, 40, nil)
	u := newUser(t, s.url)
	page, err := os.ReadFile("../docs/processors/s3objects.md")
	if err != nil {
		t.Fatal(err)
	}
	_, jobs, _ := strings.Cut(string(page), "```yaml\n")
	jobs, _, _ = strings.Cut(jobs, "```")
	if err := os.WriteFile(u.path("jobs.yaml"), []byte(jobs), 0o600); err != nil {
		t.Fatal(err)
	}
	u.follow(t, "processors/s3objects.md", "")
	said := u.run(t, "run", "s3://bucket/data/", "--each", `command={"job":"say","params":{"url":"{url}"}}`, "--jobs", u.path("jobs.yaml"), "--out", "-")
	if n := strings.Count(said.stdout, `{"url":"s3://bucket/data/`); n != len(sums) {
		t.Errorf("the job of the page says %d URLs, want %d:\n%.300s", n, len(sums), said.stdout)
	}
	if got := hashesIn(t, u.path("digests")); len(got) != len(sums) {
		t.Errorf("%d digests, want %d", len(got), len(sums))
	}
}

func TestDocsReduce(t *testing.T) {
	t.Parallel()
	s := openShop(t, "source", "vault")
	s.put("source", "a/b", "1")
	u := newUser(t, s.url)
	sort := newSorter(t, u)
	sort.mend(t)
	examples, err := filepath.Abs("../examples")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(examples, u.path("examples")); err != nil {
		t.Fatal(err)
	}
	u.follow(t, "processors/reduce.md", "")
	sort.requireSorted(t)
	sort.out = u.path("other")
	sort.requireSorted(t)
}

func TestDocsDiff(t *testing.T) {
	t.Parallel()
	s := openShop(t, "source", "vault", "changed")
	for _, key := range []string{"a/1", "a/2", "b/1"} {
		s.put("source", key, key)
	}
	s.copyAll("source", "vault", "2026/")
	s.copyAll("source", "changed", "")
	s.put("changed", "new/file", "new")
	newUser(t, s.url).follow(t, "cli.md", "ramify diff A B")
}
