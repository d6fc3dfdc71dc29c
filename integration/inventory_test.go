package integration

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// Every format, however the walk goes: the inventory is the bucket, each key once.
func TestInventory(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"csv", "ndjson", "keys", "parquet"} {
		for _, node := range []string{"range", "prefix"} {
			for _, inline := range []string{"0", "1000"} {
				t.Run(format+" "+node+" "+inline, func(t *testing.T) {
					t.Parallel()
					keys := sample.Count
					if node == "prefix" && inline == "0" {
						keys = 2000 // a message, and two commits, for each prefix
					}
					listing := sampleListing(t, keys)
					s := serve(t, listing, s3serve.Options{})
					u := newUser(t, s.url)
					r := u.run(t, "run", "s3://bucket/", "--json", "--out", "out", "--format", format, "--node", node, "--inline", inline)
					r.requireCode(t, 0)
					tr := truthOf(listing, "")
					sum := parseSummary(t, r.stdout)
					tr.requireSummary(t, sum)
					if sum.Out != u.path("out/manifest.json") {
						t.Errorf("out is %q", sum.Out)
					}
					requireInventory(t, u.path("out"), format, tr)
				})
			}
		}
	}
}

// A prefix with nothing below it has an inventory without files.
func TestInventoryOfNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, sampleListing(t, 10), s3serve.Options{})
	u := newUser(t, s.url)
	r := u.run(t, "run", "s3://bucket/none/", "--out", "out")
	r.requireCode(t, 0)
	if m := readManifest(t, u.path("out")); len(m.Files) > 0 || m.FileFormat != "CSV" {
		t.Errorf("got %+v", m)
	}
	if !strings.HasSuffix(r.stderr, "\nThe inventory lies in\n  "+u.path("out/manifest.json")+"\n") {
		t.Errorf("report %s", r.stderr)
	}
}

// awkwardKeys are keys that S3 allows and that somebody trips over.
func awkwardKeys() []string {
	keys := []string{
		" ", "a", "a ", " a", "a b/c d", "a+b/c+d", "a%20b", "a%2Fb", "100%", "%", "+", "a&b<c>d\"e'f", "a,b;c", `a\b`, `a\nb`,
		"dir", "dir/", "dir/file", "dir//", "dir//file", "dir///file", "/", "//", "/leading", "//leading", "./x", "../x", "x/./y", "x/../y",
		"tab\there", "line\nfeed", "carriage\rreturn", "crlf\r\n", "nul\x00byte", "bell\x07", "escape\x1b[31mred", "del\x7f", "\u0085next", "\u2028separator",
		"bidi\u202eoverride", "zero\u200bwidth", "\ufeffmark", "\ufffe", "\uffff", "\ufffd",
		"é", "e\u0301", "日本語/キー", "🌲", "🌲/🍂", "👩‍👩‍👧‍👦/family",
		// Sorted by UTF-16 code units the second of these would come first.
		"utf16/\uffee", "utf16/\U00010000", "utf16/\ue000/x", "utf16/\U0001f600/x", "\U0010ffff",
		strings.Repeat("k", 1024), strings.Repeat("d/", 511) + "xy", strings.Repeat("🌲", 256), strings.Repeat("%", 1024),
		`{"key":"value"}`, "=SUM(A1)", "-rf", "~", "*", "?x=1&y=2#z", "key:with:colons", "a|b", "$(x)", "`x`",
	}
	// Enough that a walk cuts ranges between them.
	for i := range 2000 {
		keys = append(keys, fmt.Sprintf("%s/%05d%s", keys[i%40], i, keys[i%37]))
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	return slices.DeleteFunc(keys, func(k string) bool { return len(k) > 1024 })
}

// Whatever a key holds, it is listed once, as it is.
func TestAwkwardKeys(t *testing.T) {
	t.Parallel()
	listing := listingOf(t, awkwardKeys())
	s := serve(t, listing, s3serve.Options{})
	for _, format := range []string{"csv", "ndjson", "parquet", "keys"} {
		for _, node := range []string{"range", "prefix"} {
			t.Run(format+" "+node, func(t *testing.T) {
				t.Parallel()
				u := newUser(t, s.url)
				for i, prefix := range []string{"", "dir/", "/", "a b", "utf16/\U0001f600", "escape\x1b", "none"} {
					out := fmt.Sprint("out", i)
					r := u.run(t, "run", "s3://bucket/"+prefix, "--json", "--out", out, "--format", format, "--node", node)
					r.requireCode(t, 0)
					tr := truthOf(listing, prefix)
					tr.requireSummary(t, parseSummary(t, r.stdout))
					requireInventory(t, u.path(out), format, tr)
				}
			})
		}
	}
}

// A report names what it must without giving a terminal commands.
func TestAwkwardKeysInReport(t *testing.T) {
	t.Parallel()
	s := serve(t, listingOf(t, awkwardKeys()), s3serve.Options{})
	u := newUser(t, s.url)
	r := u.run(t, "run", "s3://bucket/")
	r.requireCode(t, 0)
	for i, c := range r.stderr {
		if c < ' ' && c != '\n' || c == 0x7f || c == '\u202e' {
			t.Fatalf("character %U in the report: %q", c, r.stderr[max(i-40, 0):i+10])
		}
	}
}

// Against a server that others wrote, which answers in XML without encoding and
// so cannot carry control characters.
func TestAnotherServer(t *testing.T) {
	t.Parallel()
	var keys, plainer []string
	for _, k := range awkwardKeys() {
		if strings.IndexFunc(k, func(r rune) bool { return r < ' ' || r == 0xfffe || r == 0xffff }) >= 0 {
			continue
		}
		keys = append(keys, k)
		// With a delimiter it takes a leading '/' away and lists a key that ends
		// in '/' twice.
		if !strings.HasPrefix(k, "/") && !strings.HasSuffix(k, "/") && !strings.Contains(k, "//") {
			plainer = append(plainer, k)
		}
	}
	// It also looks through all keys for each prefix.
	plainer = plainer[:min(len(plainer), 400)]
	for _, test := range []struct {
		node, format string
		keys         []string
	}{{"range", "csv", keys}, {"range", "ndjson", keys}, {"prefix", "csv", plainer}, {"prefix", "parquet", plainer}} {
		t.Run(test.node+" "+test.format, func(t *testing.T) {
			t.Parallel()
			s := serveFake(t, test.keys)
			u := newUser(t, s.url)
			for i, prefix := range []string{"", "a", "utf16/"} {
				out := fmt.Sprint("out", i)
				r := u.run(t, "run", "s3://bucket/"+prefix, "--json", "--out", out, "--format", test.format, "--node", test.node)
				r.requireCode(t, 0)
				tr := fakeTruth(test.keys, prefix)
				tr.requireSummary(t, parseSummary(t, r.stdout))
				requireFakeInventory(t, u.path(out), test.format, tr)
			}
		})
	}
}

// fakeTruth is what gofakes3 was given; dates and ETags are its own.
func fakeTruth(keys []string, prefix string) truth {
	tr := truth{rows: map[string]row{}}
	for i, k := range keys {
		if strings.HasPrefix(k, prefix) {
			tr.rows[k] = row{bucket: bucket, key: k, size: int64(i % 97), etag: md5Of([]byte(strings.Repeat("x", i%97)))}
			tr.bytes += int64(i % 97)
		}
	}
	tr.prefixes = countPrefixes(tr.rows, prefix)
	return tr
}

func requireFakeInventory(t *testing.T, dir, format string, tr truth) {
	t.Helper()
	var rows []row
	for _, f := range readManifest(t, dir).Files {
		for _, r := range layouts[format].read(t, readFile(t, dir+"/"+f.Key)) {
			if r.modified.IsZero() {
				t.Fatalf("key %q has no date", r.key)
			}
			rows = append(rows, row{bucket: r.bucket, key: r.key, size: r.size, etag: r.etag})
		}
	}
	tr.requireRows(t, rows, false)
}

// Keys that were in the bucket throughout are listed once, however much comes
// and goes around them.
func TestBucketThatChanges(t *testing.T) {
	t.Parallel()
	for _, node := range []string{"range", "prefix"} {
		t.Run(node, func(t *testing.T) {
			t.Parallel()
			listing := sampleListing(t, sample.Count)
			stays, ever := map[string]bool{}, map[string]bool{}
			var leaves []string
			i := 0
			for o := range listing.All() {
				ever[o.Key] = true
				if i++; i%5 == 0 {
					leaves = append(leaves, o.Key)
				} else {
					stays[o.Key] = true
				}
			}
			// At every LIST some keys go and others come, all over the bucket.
			turn := make(chan struct{}, 1)
			turn <- struct{}{}
			step := 0
			s := serve(t, listing, s3serve.Options{}, func(n int, _ *http.Request) {
				if n > 1500 || node == "prefix" && n%20 != 0 {
					return
				}
				<-turn
				defer func() { turn <- struct{}{} }()
				var put []s3serve.Object
				var remove []string
				for range 40 {
					k := leaves[(step*7919)%len(leaves)]
					step++
					remove = append(remove, k)
					comes := k + fmt.Sprintf("~%d", step)
					put = append(put, s3serve.Object{Key: comes, Size: 1})
					ever[comes] = true
				}
				if err := listing.Mutate(put, remove); err != nil {
					t.Error(err)
				}
			})
			u := newUser(t, s.url)
			r := u.run(t, "run", "s3://bucket/", "--out", "out", "--format", "keys", "--node", node, "--json")
			r.requireCode(t, 0)
			seen := map[string]bool{}
			for _, f := range readManifest(t, u.path("out")).Files {
				for _, row := range readKeys(t, readFile(t, u.path("out/"+f.Key))) {
					if seen[row.key] {
						t.Errorf("key %q is listed twice", row.key)
					}
					seen[row.key] = true
					if !ever[row.key] {
						t.Errorf("key %q was never there", row.key)
					}
				}
			}
			for k := range stays {
				if !seen[k] {
					t.Errorf("key %q was there throughout and is not listed", k)
				}
			}
			if step < 400 || len(seen) == len(stays) {
				t.Errorf("the bucket has hardly changed: %d steps, %d keys listed, %d of which stayed", step, len(seen), len(stays))
			}
			if sum := parseSummary(t, r.stdout); sum.Totals.Objects != int64(len(seen)) {
				t.Errorf("%d objects counted, %d listed", sum.Totals.Objects, len(seen))
			}
		})
	}
}

// An inventory is readable by others, as the umask says; state is not.
func TestModes(t *testing.T) {
	t.Parallel()
	s := serve(t, sampleListing(t, 10), s3serve.Options{})
	u := newUser(t, s.url)
	u.run(t, "run", "s3://bucket/", "--out", "out", "--run", "r").requireCode(t, 0)
	for path, mode := range map[string]os.FileMode{
		u.state() + "/r.db": 0o600, u.state(): 0o700 | os.ModeDir,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), mode)
		}
	}
}
