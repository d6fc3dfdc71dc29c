package s3

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/s3client"
)

// answer is what a server says of an object.
type answer struct {
	header map[string]string
	body   string
	code   int
}

func serve(t *testing.T, objects map[string]answer) *s3client.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, found := objects[r.URL.Path]
		if !found {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if r.Method == http.MethodHead && r.Header.Get("x-amz-checksum-mode") != "ENABLED" {
			t.Errorf("checksums are not asked for: %v", r.Header)
		}
		for name, value := range a.header {
			w.Header().Set(name, value)
		}
		if a.code != 0 {
			w.WriteHeader(a.code)
			return
		}
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, a.body)
		}
	}))
	t.Cleanup(s.Close)
	return s3client.FromConfig(aws.Config{Region: "us-east-1", BaseEndpoint: &s.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}, 1)
}

func object(key string) *inventory.Object {
	return &inventory.Object{Bucket: "b", Key: key, Size: 3, ETag: key + "-2"}
}

// Checksums of whole contents decide; those of parts only where they agree.
func TestChecksums(t *testing.T) {
	full, parts := "FULL_OBJECT", "COMPOSITE"
	sums := func(kind string, pairs ...string) answer {
		h := map[string]string{"x-amz-checksum-type": kind}
		for i := 0; i < len(pairs); i += 2 {
			h["x-amz-checksum-"+pairs[i]] = pairs[i+1]
		}
		return answer{header: h}
	}
	for name, c := range map[string]struct {
		a, b answer
		same bool
		why  string
	}{
		"the same":               {sums(full, "crc64nvme", "AAAAAAAAAAA="), sums(full, "crc64nvme", "AAAAAAAAAAA=", "sha256", "x"), true, ""},
		"others":                 {sums(full, "crc64nvme", "AAAAAAAAAAA="), sums(full, "crc64nvme", "AAAAAAAAAAE="), false, ByChecksum},
		"none":                   {sums(full), sums(full), false, NoChecksum},
		"of other algorithms":    {sums(full, "sha1", "x"), sums(full, "crc32", "y"), false, NoChecksum},
		"the same parts":         {sums(parts, "sha256", "x-2"), sums(parts, "sha256", "x-2"), true, ""},
		"other parts":            {sums(parts, "sha256", "x-2"), sums(parts, "sha256", "y-3"), false, NoChecksum},
		"parts and whole":        {sums(parts, "sha256", "x-2"), sums(full, "sha256", "y"), false, NoChecksum},
		"parts that do not tell": {sums(parts, "sha256", "x"), sums(full, "sha256", "y"), false, NoChecksum},
		"the same CRC, others":   {sums(full, "sha256", "x", "crc32", "y"), sums(full, "sha256", "z", "crc32", "y"), false, ByChecksum},
		"one algorithm suffices": {sums(full, "sha1", "x", "crc32", "y"), sums(full, "crc32", "y"), true, ""},
	} {
		client := serve(t, map[string]answer{"/b/one": c.a, "/b/two": c.b})
		content := &Content{A: client, B: client}
		if same, why, err := content.Checksums(t.Context(), object("one"), object("two")); same != c.same || why != c.why || err != nil {
			t.Errorf("%s: %t, %q, %v", name, same, why, err)
		}
	}
	client := serve(t, map[string]answer{"/b/one": sums(full), "/b/two": {code: http.StatusPreconditionFailed}})
	content := &Content{A: client, B: client}
	for _, key := range []string{"two", "gone"} {
		if _, _, err := content.Checksums(t.Context(), object("one"), object(key)); err == nil || !strings.Contains(err.Error(), "head s3://b/"+key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestBodies(t *testing.T) {
	client := serve(t, map[string]answer{"/b/one": {body: "abc"}, "/b/two": {body: "abc"}, "/b/other": {body: "abd"}})
	content := &Content{A: client, B: client}
	for key, want := range map[string]bool{"two": true, "other": false} {
		if same, why, err := content.Bodies(t.Context(), object("one"), object(key)); same != want || why != ByBody || err != nil {
			t.Errorf("%s: %t, %q, %v", key, same, why, err)
		}
	}
	if _, _, err := content.Bodies(t.Context(), object("gone"), object("two")); err == nil {
		t.Error("an object that is gone is compared")
	}
}

func TestParts(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{{"x", "y", ByETag}, {"x-2", "y", ByParts}, {"x-2", "x-3", ByParts}} {
		if same, why, err := Parts(t.Context(), &inventory.Object{ETag: c.a}, &inventory.Object{ETag: c.b}); same || why != c.want || err != nil {
			t.Errorf("%s and %s: %t, %s, %v", c.a, c.b, same, why, err)
		}
	}
}
