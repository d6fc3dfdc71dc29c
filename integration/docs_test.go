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
	data, err := os.ReadFile(filepath.Join("..", "docs", page))
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
			try(line)
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

func TestDocsFlows(t *testing.T) {
	t.Parallel()
	const page = "jobs/flows.md"
	text, err := os.ReadFile("../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	_, jobs, _ := strings.Cut(string(text), "```yaml\n")
	jobs, _, _ = strings.Cut(jobs, "```")
	c := newCrew(t, "").with("RAMIFY_VISIBILITY=1m") // what is seen again runs again
	write := func(jobs string) {
		if err := os.WriteFile(c.path("jobs.yaml"), []byte(jobs), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	requireFiles := func() {
		for name, want := range map[string]string{
			"archive-2026-01-31": "orders of 2026-01-31\n7 pieces\n", "mail": "2026-01-31 is done\n", "alerts": "warehouse 7: run job stock: exit code 1\n",
		} {
			if got := string(readFile(t, c.path(name))); got != want {
				t.Errorf("%s has %q, want %q", name, got, want)
			}
		}
	}
	write(jobs)
	here := newUser(t, "")
	here.dir = c.dir
	here.follow(t, page, "On this machine")
	requireFiles()

	for _, name := range []string{"archive-2026-01-31", "mail"} {
		if err := os.Remove(c.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	jobs = "queue: night-main\n" + strings.ReplaceAll(jobs, "    params: {day: }\n    run: [sh, -c, 'mkdir", "    queue: night-io\n    params: {day: }\n    run: [sh, -c, 'mkdir")
	write(strings.ReplaceAll(jobs, "    params: {day: , warehouse: }\n", "    queue: night-io\n    params: {day: , warehouse: }\n"))
	cmd := c.with("PATH=" + filepath.Dir(binary) + ":" + os.Getenv("PATH")).command()
	script := []string{"set -e; unset RAMIFY_QUEUE; trap 'kill $begun; wait' EXIT"}
	for _, line := range commandsIn(t, page, "On a fleet") {
		if script = append(script, line); strings.HasSuffix(line, " &") {
			script = append(script, `begun="$begun $!"`)
		}
	}
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", strings.Join(script, "\n")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	requireFiles()
	if n := strings.Count(string(out), `"event":"JOB_SUCCEEDED"`); n < 5 {
		t.Errorf("%d outcomes\n%s", n, out)
	}
}
