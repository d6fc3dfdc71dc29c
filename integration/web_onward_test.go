package integration

import (
	"strings"
	"testing"
)

// What was interrupted goes on, and what failed is tried again, on a page likewise.
func TestWebGoesOn(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	onPage := func(command, run string) {
		p := u.start(t, command, run, "--concurrency", "50", "--web")
		b := browse(t, p)
		if b.run != run {
			t.Errorf("%s shows run %q", command, b.run)
		}
		for range b.follow(t.Context(), t) {
		}
		var r reading
		if b.get(t, "", &r); r.State != "finished" || r.Nodes != 1+5+25+125 || r.Failures != 0 {
			t.Errorf("%s: %+v", command, r)
		}
		p.stderr.await(t, "Run "+run) // the report: the results are made, and the page is there still
		b.get(t, "", &r)
		p.signal(t, interrupt)
		p.wait(t).requireCode(t, 0)
	}
	p := u.start(t, "run", treeOf(5, 3, `,"work":"500ms"`), "--run", "begun", "--concurrency", "1")
	p.stderr.await(t, "run begun")
	p.signal(t, interrupt)
	p.wait(t)
	onPage("resume", "begun")

	u.run(t, "run", treeOf(5, 3, `,"poison":0.3,"heal":1`), "--run", "failed", "--retries", "0").requireCode(t, 3)
	told := u.run(t, "failed", "failed")
	told.requireCode(t, 0)
	if head, _, _ := strings.Cut(told.stdout, "\n"); strings.Join(strings.Fields(head), " ") != "depth kind attempts given up, UTC node reason" {
		t.Errorf("failed says %q", head)
	}
	onPage("redrive", "failed")
}
