package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// scripted runs the commands of a page, or of a section of it, as one script in a
// shell, which ends with the first that ends otherwise than its remark says. What is
// begun with & is told to stop at the end. change is of pairs: what the page says, and
// what it is here.
func (u *user) scripted(t *testing.T, page, section string, change ...string) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	script := []string{`set -ex; begun=; trap 'code=$?; set +ex; [ -z "$begun" ] || kill $begun; wait; exit $code' EXIT`}
	for _, line := range commandsIn(t, page, section) {
		does := command(line)
		code := regexp.MustCompile(`# exit code (\d+)$`).FindStringSubmatch(line)
		switch {
		case elsewhere[does] != "" || does == "":
			continue
		case strings.HasPrefix(does, "make "):
			does = "env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -n -C '" + root + "' " + strings.TrimPrefix(does, "make ") + " >/dev/null"
		case code != nil:
			does = "if " + does + "; then exit 99; else [ $? = " + code[1] + " ]; fi"
		case strings.HasSuffix(does, "&"):
			does += ` begun="$begun $!"`
		}
		script = append(script, does)
	}
	text := strings.NewReplacer(change...).Replace(strings.Join(script, "\n"))
	cmd := exec.CommandContext(t.Context(), "sh", "-c", text)
	cmd.Dir, cmd.Env = u.dir, append(slices.Clone(u.env), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", page, section, err, out)
	}
	return string(out)
}

// photos is a bucket as the pages have it.
func photos(t *testing.T) (*shop, *user) {
	t.Helper()
	s := openShop(t, "my-bucket", "other", "my-results", "my-inventories")
	for _, year := range []string{"2025", "2026"} {
		for i := range 6 {
			s.put("my-bucket", fmt.Sprintf("photos/%s/%d.jpg", year, i), strings.Repeat("x", 300_000*i))
			s.put("my-bucket", fmt.Sprintf("logs/%s/%d.gz", year, i), year)
		}
	}
	u := newUser(t, s.url)
	const daily = "2026-01-31T01-00Z"
	u.run(t, "run", "s3://my-bucket/", "--run", daily, "--out", "s3://my-inventories/my-bucket/daily/").requireCode(t, 0)
	examples, err := filepath.Abs("../examples")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(examples, u.path("examples")); err != nil {
		t.Fatal(err)
	}
	return s, u
}

func (s *shop) keysOf(bucket string) (keys []string) {
	s.t.Helper()
	page, err := s.api.ListObjectsV2(s.t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, o := range page.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

func TestDocsReadme(t *testing.T) {
	t.Parallel()
	s, u := photos(t)
	db := openTable("sqlite", u.path("parts.db"), "")
	db.exec(t, "CREATE TABLE nodes (id INTEGER PRIMARY KEY, parent_id INTEGER); INSERT INTO nodes VALUES (1, NULL), (2, 1)")
	u.write(t, "contacts.csv", "from,to\nA,B\nB,C\n")
	u.write(t, "report.txt", "report\n")
	w := newWalker(t, "")
	const readme = "../README.md"
	for _, section := range []string{"List a bucket", "Copy it, compare it", "Run my script for every node", "A job queue"} {
		u.scripted(t, readme, section, "path=/usr/share", "path="+w.tree)
	}
	u.scripted(t, readme, "Begin")
	u.scripted(t, readme, "Deploy")
	if _, err := os.Stat(u.path("report.txt.gz")); err != nil {
		t.Error("the job has not run: ", err)
	}
	for _, out := range []string{"inventory", "files", "rows", "contacts"} {
		readManifest(t, u.path(out))
	}
	if got, want := s.keysOf("other"), s.keysOf("my-bucket"); len(got) != 12 || len(want) != 24 {
		t.Errorf("%d objects were copied", len(got))
	}
	c := newCrew(t, s.url)
	said := c.scripted(t, readme, "On machines of my own", "--queue ramify", "--queue "+c.name, "dynamodb:ramify", "dynamodb:"+c.name, "RAMIFY_QUEUE=ramify", "RAMIFY_QUEUE="+c.name)
	if !strings.Contains(said, "finished") {
		t.Error(said)
	}
}

// The table of the README has no figure that docs/benchmarks.md has not.
func TestReadmeFigures(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	benchmarks := readPage(t, "benchmarks.md").text
	_, table, _ := strings.Cut(string(text), "\n## How it compares\n")
	table, _, _ = strings.Cut(table, "\n## ")
	figures := regexp.MustCompile(`\d[\d,.]*`).FindAllString(table, -1)
	if len(figures) < 20 {
		t.Fatalf("figures %v", figures)
	}
	for _, f := range figures {
		if f = strings.TrimRight(f, ",."); !strings.Contains(benchmarks, f) {
			t.Errorf("docs/benchmarks.md has no %s", f)
		}
	}
}

func TestDocsCommandLine(t *testing.T) {
	t.Parallel()
	_, u := photos(t)
	for _, section := range []string{"Inventories", "Lists", "Filters"} {
		in := u.with()
		in.dir = u.path(section)
		if err := os.Mkdir(in.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if section == "Inventories" {
			in.run(t, "run", "s3://my-bucket/", "--out", "inv/").requireCode(t, 0)
		}
		in.scripted(t, "cli.md", section)
	}
}

func TestDocsListing(t *testing.T) {
	t.Parallel()
	_, u := photos(t)
	u.scripted(t, "listing.md", "")
}

func TestDocsCopying(t *testing.T) {
	t.Parallel()
	s, u := photos(t)
	u.scripted(t, "copying.md", "")
	if got := s.keysOf("other"); len(got) < 12 {
		t.Errorf("%d objects were copied", len(got))
	}
}

func TestDocsWatching(t *testing.T) {
	t.Parallel()
	_, u := photos(t)
	page := readPage(t, "watching.md")
	u.scripted(t, "watching.md", "In a terminal")
	u.scripted(t, "watching.md", "When something fails")
	p := u.serving(t, page.block(t, "sh page"), "page http://127.0.0.1:")
	p.end(t)
}

func TestDocsReport(t *testing.T) {
	t.Parallel()
	_, u := photos(t)
	u.run(t, "run", "s3://my-bucket/", "--run", "nightly", "--by-prefix", "all", "--json").requireCode(t, 0)
	u.scripted(t, "report.md", "")
	for _, name := range []string{"nightly.md", "nightly.json", "by-objects.html"} {
		if !strings.Contains(string(readFile(t, u.path(name))), "nightly") {
			t.Errorf("%s is not about the run", name)
		}
	}
}

func TestDocsOperations(t *testing.T) {
	t.Parallel()
	s, _ := photos(t)
	c := newCrew(t, s.url)
	here := []string{"--queue ramify", "--queue " + c.name, "dynamodb:ramify", "dynamodb:" + c.name, "export AWS_REGION=eu-central-1", "export AWS_REGION=us-east-1"}
	begin := readPage(t, "operations.md").block(t, "sh")
	try(begin)
	says := c.typed(t, strings.NewReplacer(here...).Replace(begin), 0)
	var prints []string
	for line := range strings.Lines(says) {
		if name, value, is := strings.Cut(strings.TrimSpace(line), "="); is && strings.HasPrefix(name, "export ") {
			prints = append(prints, name)
			c = c.with(strings.TrimPrefix(name, "export ") + "=" + value)
		}
	}
	for line := range strings.Lines(readPage(t, "operations.md").block(t, "text")) {
		if name, _, _ := strings.Cut(line, "="); len(prints) == 0 || name != prints[0] {
			t.Fatalf("the page says %s, and it prints\n%s", line, says)
		}
		prints = prints[1:]
	}
	c.with("RAMIFY_GRACE=1s").scripted(t, "operations.md", "Begin", append(here, "ramify setup", ": ramify setup")...)
}

// What is to be made is there; how it is made, other tests see.
func TestDocsMake(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	for _, page := range []string{"benchmarks.md", "deploy.md"} {
		u.scripted(t, page, "")
	}
	u.scripted(t, "jobs/schedules.md", "As schedules of EventBridge")
}

func TestDocsRelease(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	u.write(t, "ramify-v1.tar.gz", "archive")
	u.typed(t, "sha256sum ramify-v1.tar.gz > SHA256SUMS; ssh-keygen -q -t ed25519 -N '' -f key && ssh-keygen -q -Y sign -f key -n ramify-release SHA256SUMS", 0)
	u.typed(t, `echo "release@example.com $(cut -d' ' -f1,2 key.pub)" > allowed_signers`, 0)
	u.scripted(t, "release.md", "To check one")
	u.write(t, "SHA256SUMS", "other\n")
	u.typed(t, commandsIn(t, "release.md", "To check one")[1], 255)
}

func TestDocsKinds(t *testing.T) {
	t.Parallel()
	w := newWalker(t, "")
	examples, err := filepath.Abs("../examples")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(examples, w.path("examples")); err != nil {
		t.Fatal(err)
	}
	w.scripted(t, "processors/command.md", "An example", "path=/usr/share", "path="+w.tree)
	readManifest(t, w.path("files"))
	run := commandsIn(t, "processors/own.md", "")
	here := *w.user
	if here.dir, err = filepath.Abs(".."); err != nil {
		t.Fatal(err)
	}
	here.env = os.Environ()
	here.typed(t, strings.NewReplacer("/usr/include", w.tree, "sums/", w.path("sums")).Replace(run[0])+" --state "+w.path("state"), 0)
	readManifest(t, w.path("sums"))

	s := openShop(t, "my-bucket", "my-results")
	s.put("my-bucket", "contacts.csv", fenced(t, readPage(t, "processors/graph.md").text, "csv"))
	c := newCrew(t, s.url).setup(t)
	c.work(t)
	c.scripted(t, "processors/graph.md", "On a fleet", "--out s3://my-results", "--out s3://my-results --watch")

	q := newForeignQueue(t, 5)
	app := newPosts(t)
	text := strings.ReplaceAll(fenced(t, strings.ReplaceAll(readPage(t, "processors/webhook.md").text, "```sh run", "```run"), "sh"), "\\\n", " ")
	q.serving(t, strings.NewReplacer("my-app", q.name, "http://localhost:80/worker", app.URL+"/worker").Replace(text), "begins").end(t)
}
