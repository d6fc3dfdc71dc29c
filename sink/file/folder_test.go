package file

import (
	"path/filepath"
	"slices"
	"testing"
)

// Each folder that gets a new name must be synced, not only the last.
func TestNewNamesOfAFolder(t *testing.T) {
	top := t.TempDir()
	for _, test := range []struct {
		dir  string
		want []string
	}{
		{".", nil},
		{"a", []string{"."}},
		{"a/b/c", []string{"a/b", "a", "."}},
	} {
		var want []string
		for _, w := range test.want {
			want = append(want, filepath.Join(top, w))
		}
		if got := missingBelow(filepath.Join(top, test.dir)); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", test.dir, got, want)
		}
	}
	deep := filepath.Join(top, "a", "b", "c")
	if err := makeFolders(deep); err != nil {
		t.Fatal(err)
	}
	if got := missingBelow(deep); got != nil {
		t.Errorf("made, and yet %v", got)
	}
}
