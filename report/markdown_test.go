package report

import (
	"encoding/json"
	"html"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ramify/ramify/console"
)

func TestMarkdown(t *testing.T) {
	text := written(t, aReport(), Markdown)
	for _, want := range []string{"# Run photos\n", "| keys | 7,654,321 |", "| failed | 1,300 |", "| list | 9,000 |", "| --- | ---: | --- |\n", "… and 1,250 more.", "| retries | <code>5</code> |", "## Fleet\n", "| 2026-11-26 12:00:01 UTC | governor | <code>desired count set to 8, from 0&#58; "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%.3000s", want, text)
		}
	}
	// As a browser shows it: a reference is a letter and no markup.
	shown := html.UnescapeString(text)
	for _, want := range []string{"<code>" + new(console.Names).Text(evil+"/") + "</code>", "refused: " + console.Clean(evil), "<code>s3://bucket/" + console.Clean(evil) + "</code>"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not shown", want)
		}
	}
	for _, markup := range []string{"<script", "<img", "**b**", "[c]", "@octocat", " #1", "http:", "www.", "\x1b", "\\"} {
		if strings.Contains(text, markup) {
			t.Errorf("%q is markup in\n%.3000s", markup, text)
		}
	}
}

// All rows of a table have as many cells as its heading.
func TestMarkdownTables(t *testing.T) {
	cells := 0
	for line := range strings.Lines(written(t, aReport(), Markdown)) {
		if !strings.HasPrefix(line, "|") {
			cells = 0
			continue
		}
		n := strings.Count(line, "|")
		if cells == 0 {
			cells = n
		}
		if n != cells {
			t.Errorf("%d cells, want %d: %s", n, cells, line)
		}
	}
}

// The JSON is an object whose fields others rely on.
func TestJSON(t *testing.T) {
	var got map[string]any
	if err := json.Unmarshal([]byte(written(t, aReport(), JSON)), &got); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields("by configuration cost created epoch failures finished fleet fraction histograms history kind made mean more_failures more_workers noun out run seconds slowest state target totals tree version workers")
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
		t.Errorf("fields\n%v, want\n%v", names, want)
	}
	at := func(path string) any {
		var v any = got
		for name := range strings.SplitSeq(path, ".") {
			v = v.(map[string]any)[name]
		}
		return v
	}
	for path, want := range map[string]any{
		"version": 1.0, "totals.objects": 7_654_321.0, "totals.bytes": float64(5 << 30), "totals.failed": 1300.0, "totals.prefixes": 3.0, "more_failures": 300.0,
		"cost.so_far": 1.25, "target": "s3://bucket/" + evil, "tree.by": "bytes", "tree.prefixes": 103.0, "tree.rest.prefixes": 100.0, "tree.complete": true,
	} {
		if v := at(path); v != want {
			t.Errorf("%s is %v, want %v", path, v, want)
		}
	}
	if points := at("fleet.tasks.points").([]any); len(points) != 2 || !slices.Equal(points[1].([]any), []any{30.0, 30.0, 7.5, 8.0, 8.0}) || at("fleet.task_hours") != 0.0625 {
		t.Errorf("tasks %v", points)
	}
	if n := len(at("history.points").([]any)); n != 60 || len(at("history.columns").([]any)) != 7 {
		t.Errorf("%d points of %v", n, at("history.columns"))
	}
}

func TestUnknownFormat(t *testing.T) {
	if err := aReport().Write(nil, "pdf"); err == nil || !strings.Contains(err.Error(), `"pdf"`) {
		t.Error(err)
	}
}
