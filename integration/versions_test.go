package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/s3serve"
)

// Every version and delete marker is in the inventory once, also after the
// process was killed within a key that has more of them than a page.
func TestVersions(t *testing.T) {
	t.Parallel()
	var all []s3serve.Version
	var keys []string
	total := int64(0)
	for i := range 2000 {
		k := fmt.Sprintf("dir%02d/k%04d", i/100, i)
		n := 1 + i%4
		if i == 1000 {
			n = 3500
		}
		for v := range n {
			o := s3serve.Object{Key: k, Size: int64(i*5000 + v), StorageClass: "GLACIER"}
			deleted := v == 0 && i%3 == 0
			if deleted {
				o.Size = 0
			}
			all = append(all, s3serve.Version{Object: o, ID: fmt.Sprint(v), DeleteMarker: deleted})
			keys, total = append(keys, k), total+o.Size
		}
	}
	listing, err := s3serve.FromVersions(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{"range", "prefix"} {
		t.Run(node, func(t *testing.T) {
			t.Parallel()
			s := serve(t, listing, s3serve.Options{Latency: 20 * time.Millisecond})
			u := newUser(t, s.url)
			args := []string{"run", "s3://bucket/", "--versions", "--node", node, "--out", "out", "--format", "keys", "--json", "--run", "r", "--concurrency", "2"}
			s.hold(5)
			p := u.start(t, args...)
			s.awaitHeld(t)
			p.signal(t, kill)
			p.wait(t)
			s.open()
			r := u.run(t, "resume", "r", "--json")
			r.requireCode(t, 0)
			if sum := parseSummary(t, r.stdout); sum.Totals.Objects != int64(len(all)) || sum.Totals.Bytes != total {
				t.Errorf("totals %+v, want %d of %d bytes", sum.Totals, len(all), total)
			}
			var got []string
			for _, f := range readManifest(t, u.path("out")).Files {
				got = append(got, strings.Split(strings.TrimSuffix(string(readFile(t, u.path("out/"+f.Key))), "\n"), "\n")...)
			}
			if slices.Sort(got); !slices.Equal(got, keys) {
				t.Errorf("%d rows, want %d", len(got), len(keys))
			}
		})
	}
	u := newUser(t, "http://127.0.0.1:1")
	r := u.run(t, "run", `{"kind":"synthetic","id":"0"}`, "--versions")
	r.requireCode(t, 1)
	if !strings.Contains(r.stderr, "--versions") || !strings.Contains(r.stderr, "synthetic") {
		t.Errorf("said %q", r.stderr)
	}
}
