package graph

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ramify/ramify/schema"
)

// FuzzEdges: no list of edges crashes its reader; vertices have names that rows and
// messages can hold, and an error of a list that is not the user's shows nothing of it.
func FuzzEdges(f *testing.F) {
	const ours = "want two vertices with between them spaces and one has no name not shown extraneous or missing"
	f.Add("a,b\nc,\"d \"\"e\"\"\"\n", false, "f")
	f.Add("\ufefffrom\tto\r\nx\ty\tz\r\n# no\n% no\n\n", true, "f")
	f.Add("a b\nhunter2hunter2", false, "f")
	f.Add("\x1f\x8b\x08\x00", false, "f.gz")
	f.Fuzz(func(t *testing.T, text string, header bool, name string) {
		stop := errors.New("enough")
		n := 0
		e := edges{name: "f", header: header}
		if strings.HasSuffix(name, ".gz") {
			e.name = "f.gz"
		}
		err := e.read(strings.NewReader(text), func(a, b string) error {
			for _, v := range []string{a, b} {
				if v == "" || len(v) > maxName || !utf8.ValidString(v) || strings.ContainsAny(v, "\x00\n") {
					t.Fatalf("vertex %q", v)
				}
			}
			if n++; n > 1000 {
				return stop
			}
			return nil
		})
		if err == nil || errors.Is(err, stop) {
			return
		}
		if strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Fatalf("the error is not one line: %q", err)
		}
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,\t\r\n\"", r) }) {
			if len(word) > 12 && strings.Contains(err.Error(), word) && !strings.Contains(ours, word) {
				t.Fatalf("the error shows %q: %v", word, err)
			}
		}
	})
}

// FuzzArgs: no args crash the walk, and what it takes comes back.
func FuzzArgs(f *testing.F) {
	f.Add([]byte(`{"file":"s3://b/k","directed":true,"ways":"any"}`))
	f.Add([]byte(`{"file":"f","walk":"omC5CwA6BKjGvrfDtSrvag","depth":3,"via":"a","chain":["b","c"],"again":true,"after":"x","max":9}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if !schema.IsObject(text) {
			return
		}
		a, err := parse(text)
		if err != nil {
			return
		}
		if err := a.Check(); err != nil {
			t.Fatal(err)
		}
		again, err := parse(marshal(a))
		if err != nil || string(marshal(again)) != string(marshal(a)) {
			t.Fatalf("%s came back as %s, %v", marshal(a), marshal(again), err)
		}
		if b := a.below("v", false); b.Depth != a.Depth+1 {
			t.Fatalf("%+v is below %+v", b, a)
		}
	})
}
