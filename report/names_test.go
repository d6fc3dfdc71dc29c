package report

import (
	"strings"
	"testing"
)

// Of prefixes that differ in what nobody sees, or in how they are spelled, each is shown as
// what it is, in every form that shows them.
func TestPrefixesThatLookAlike(t *testing.T) {
	r := aReport()
	shown := map[string]string{
		"a\u200b/": `a\u200b/`, `a\u200b/`: `a\\u200b/`, "a\u00a0b/": `a\u00a0b/`, "a b/": "a b/", "a  b/": "a  b/", "\u3164/": `\u3164/`,
		"caf\u00e9/": "caf\u00e9/", "cafe\u0301/": `cafe\u0301/`,
	}
	r.Tree.Children, r.Tree.Rest, r.Tree.Direct = nil, nil, nil
	for i, p := range []string{"a\u200b/", `a\u200b/`, "a\u00a0b/", "a b/", "a  b/", "\u3164/", "caf\u00e9/", "cafe\u0301/"} {
		n := int64(1_000_000 - i)
		r.Tree.Children = append(r.Tree.Children, Prefix{Prefix: p, Sums: Sums{Objects: n, Bytes: n}})
	}
	html, md := written(t, r, HTML), written(t, r, Markdown)
	for in, want := range shown {
		for _, text := range []string{"<code>" + want + "</code>", "<title>" + want + ": ", ">" + want + "</text>"} {
			if !strings.Contains(html, text) {
				t.Errorf("%+q is not there as %s in HTML", in, text)
			}
		}
		if text := code(want); !strings.Contains(md, text) {
			t.Errorf("%+q is not there as %s in Markdown", in, text)
		}
	}
}
