package sample_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ramify/ramify/s3serve/sample"
)

func TestKeysAreDistinctSortedAndValid(t *testing.T) {
	keys, err := sample.Keys()
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != sample.Count {
		t.Fatalf("%d keys, want %d", len(keys), sample.Count)
	}
	levels, prefixes := map[int]int{}, map[string]bool{}
	for i, key := range keys {
		if i > 0 && keys[i-1] >= key {
			t.Fatalf("key %d: %q is not above %q", i, key, keys[i-1])
		}
		if key == "" || len(key) > 1024 || !utf8.ValidString(key) {
			t.Errorf("key %d: %q is not a valid key", i, key)
		}
		levels[strings.Count(key, "/")]++
		for at, c := range key {
			if c == '/' {
				prefixes[key[:at]] = true
			}
		}
	}
	for level := 1; level <= 17; level++ {
		if levels[level] == 0 {
			t.Errorf("no key lies %d levels deep", level)
		}
	}
	if len(prefixes) != 2761 {
		t.Errorf("%d prefixes, want the documented 2,761", len(prefixes))
	}
}
