package s3crawl

import (
	"strings"
	"testing"

	"github.com/ramify/ramify/schema"
)

// A node's name shows what a prefix is, also where it differs from another in what nobody
// sees, and is one that a message can have.
func TestNamesOfPrefixes(t *testing.T) {
	for prefix, want := range map[string]string{
		"a/":               "s3://b/a/",
		"a\u200b/":         `s3://b/a\u200b/`,
		"a\u00a0/":         `s3://b/a\u00a0/`,
		"a\ufffd/":         `s3://b/a\ufffd/`,
		"\x1b[2J\u202e日本/": `s3://b/\x1b[2J\u202e日本/`,
	} {
		if got := (args{Bucket: "b", Prefix: prefix, Mode: Prefix}).name(); got != want {
			t.Errorf("%+q is called %q, want %q", prefix, got, want)
		}
	}
	for _, c := range []string{"\x01", "\u0085", "\u200b", "\U000e0041"} {
		long := strings.Repeat(c, 1024/len(c)) // as long as a key may be
		for _, a := range []args{{Bucket: "b", Prefix: long, Mode: Prefix}, {Bucket: "b", Prefix: long}, {Bucket: "b", Ranges: []span{{After: long, Until: long}}}} {
			if n := len(a.name()); n > schema.MaxID {
				t.Errorf("the name of 1024 bytes of %+q has %d bytes", c, n)
			}
		}
	}
}
