package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// page is a page of the documentation whose examples are run as they are printed.
type page struct {
	name, text string
}

func readPage(t *testing.T, name string) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return page{name, string(text)}
}

// block is the fenced block of a language and a name: "```python worker.py".
func (p page) block(t *testing.T, fence string) string {
	t.Helper()
	_, rest, found := strings.Cut(p.text, "\n```"+fence+"\n")
	block, _, closed := strings.Cut(rest, "\n```\n")
	if !found || !closed {
		t.Fatalf("%s has no block %q", p.name, fence)
	}
	try(strings.Split(block, "\n")...)
	return block + "\n"
}
