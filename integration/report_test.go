package integration

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// reported is what tests look at of a report in JSON.
type reported struct {
	Version  int
	State    string
	Fraction float64
	Finished *time.Time
	Totals   struct {
		Nodes, Failed, Objects, Bytes int64
		Prefixes                      *int64
		Requests                      map[string]int64
	}
	Tree     *prefixTree
	Failures []struct{ Node, Reason string }
	Cost     *struct{ Budget float64 }
	Fleet    *struct {
		Tasks      struct{ Points [][5]float64 }
		Task_hours float64
		Target     *float64
		Min, Max   *int
		Events     []event
		Missing    []missing
	}
}

func (u *user) report(t *testing.T, args ...string) (r reported) {
	t.Helper()
	got := u.run(t, append([]string{"report"}, append(args, "--format", "json")...)...)
	got.requireCode(t, 0)
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatalf("%v: %.300s", err, got.stdout)
	}
	return r
}

// What the page on the report says is done, and the numbers are the ledger's.
func TestReport(t *testing.T) {
	t.Parallel()
	s := serve(t, sampleListing(t, sample.Count), s3serve.Options{})
	u := newUser(t, s.url)
	u.env = append(u.env, "RAMIFY_FORMAT=csv") // of results
	u.run(t, "run", "s3://bucket/", "--run", "nightly", "--by-prefix", "all", "--budget", "3", "--out", "out").requireCode(t, 0)
	u.follow(t, "report.md", "Report on it")
	sum := parseSummary(t, u.run(t, "status", "nightly", "--json").stdout)
	r := u.report(t, "nightly")
	if r.Version != 1 || r.State != "finished" || r.Fraction != 1 || r.Finished == nil || r.Cost == nil || r.Cost.Budget != 3 {
		t.Errorf("%+v", r)
	}
	if r.Totals.Nodes != sum.Nodes || r.Totals.Objects != sum.Totals.Objects || r.Totals.Bytes != sum.Totals.Bytes ||
		r.Totals.Requests["list"] != sum.Requests["list"] || r.Totals.Prefixes == nil || *r.Totals.Prefixes != *sum.Totals.Prefixes {
		t.Errorf("the report says %+v, status %+v", r.Totals, sum)
	}
	if r.Tree == nil || !r.Tree.Complete || r.Tree.Objects != sum.Totals.Objects {
		t.Fatalf("tree %+v", r.Tree)
	}
	r.Tree.check(t)
	var inFile reported
	if err := json.Unmarshal(readFile(t, u.path("nightly.json")), &inFile); err != nil || inFile.Totals.Objects != r.Totals.Objects {
		t.Errorf("the file says %+v, %v", inFile.Totals, err)
	}
	html := string(readFile(t, u.path("nightly.html")))
	for d := xml.NewDecoder(strings.NewReader(html)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
	}
	md := string(readFile(t, u.path("nightly.md")))
	if !strings.Contains(html, "<dd>20,000</dd>") || !strings.Contains(md, "| keys | 20,000 |") {
		t.Errorf("the count of keys is missing in\n%.500s\n%.500s", html, md)
	}
	if i, err := os.Stat(u.path("nightly.html")); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", i, err)
	}
}

// Of a run that is not over, of one that has failed, and of none.
func TestReportOfOtherRuns(t *testing.T) {
	t.Parallel()
	_, u, p, _ := slowRun(t)
	if r := u.report(t, "r"); r.State != "running" || r.Fraction >= 1 || r.Finished != nil || r.Version != 1 {
		t.Errorf("of a run that goes on: %+v", r)
	}
	p.signal(t, kill)
	p.wait(t)
	if r := u.report(t, "r"); r.State != "interrupted" {
		t.Errorf("of a run that nobody works on: %+v", r)
	}
	u.run(t, "run", `{"kind":"synthetic","id":"<b>&|","args":{"poison":1}}`, "--run", "bad", "--retries", "0").requireCode(t, 3)
	r := u.report(t, "bad")
	if r.State != "finished_with_failures" || r.Totals.Failed != 1 || len(r.Failures) != 1 || r.Failures[0].Node != "<b>&|" || r.Tree != nil {
		t.Errorf("of a run that failed: %+v", r)
	}
	for args, want := range map[string]string{
		"report nobody":           "nobody",
		"report bad --format pdf": `--format is "pdf", want html or md or json`,
		"report bad --by name":    `--by is "name"`,
		"report bad --out xdg":    `--out is "xdg", a folder: name a file in it, such as "xdg/bad.html"`,
		"report bad --out new/":   `--out is "new/", a folder: name a file in it, such as "new/bad.html"`,
		"report bad --out new/x":  `--out is "new/x": there is no folder "new"; make it, or name another`,
	} {
		got := u.run(t, strings.Fields(args)...)
		if got.code != 1 || !strings.Contains(got.stderr, want) || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%s: code %d, %q", args, got.code, got.stderr)
		}
	}
	// What is no file is written to, and stays what it is.
	if err := os.Symlink("/dev/stdout", u.path("stdout")); err != nil {
		t.Fatal(err)
	}
	got := u.run(t, "report", "bad", "--out", "stdout")
	got.requireCode(t, 0)
	if !strings.HasPrefix(got.stdout, "<!DOCTYPE html>") || !strings.HasSuffix(got.stdout, "</html>\n") {
		t.Errorf("not the page: %.100q", got.stdout)
	}
	if at, err := os.Lstat(u.path("stdout")); err != nil || at.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", at, err)
	}
}

// Of a run of a fleet it is the same command.
func TestReportOfAFleetsRun(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "").setup(t)
	c.run(t, "seed", treeOf(10, 2, `,"objects":2,"bytes":10`), "--run", "r", "--inline", "0").requireCode(t, 0)
	task := c.work(t)
	c.awaitFleet(t, "r", "finished")
	r := c.report(t, "r")
	if r.State != "finished" || r.Totals.Nodes != 111 || r.Totals.Objects != 222 || r.Totals.Bytes != 1110 || r.Cost == nil || r.Tree != nil {
		t.Errorf("%+v", r)
	}
	if got := c.run(t, "report", "nobody"); got.code != 1 || !strings.Contains(got.stderr, "no run nobody in dynamodb:") {
		t.Errorf("of none: code %d, %s", got.code, got.stderr)
	}
	task.signal(t, terminate)
	task.wait(t).requireCode(t, 0)
}
