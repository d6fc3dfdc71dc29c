package jobqueue

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ramify/ramify/schema"
)

// FuzzUnpack: whatever lies in a queue, nothing is executed that was not signed; and of
// what is, words are words and no NUL ends one.
func FuzzUnpack(f *testing.F) {
	signing := testKeys(f, "a")
	strict, open, qdone := Codec{Keys: signing}, Codec{}, Codec{Keys: signing, Qdone: true}
	for _, j := range []Job{{Argv: []string{"echo", "a b", ""}}, {Argv: []string{"echo $(id)"}, Shell: true}} {
		body, attrs, err := strict.Pack("q", j)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, attrs[schema.AttrKeyID], attrs[schema.AttrSignature])
		f.Add(body, "", "")
	}
	f.Add([]byte("ls; rm -rf /"), "", "")
	f.Fuzz(func(t *testing.T, body []byte, key, signature string) {
		attrs := map[string]string{}
		if key != "" {
			attrs[schema.AttrKeyID] = key
		}
		if signature != "" {
			attrs[schema.AttrSignature] = signature
		}
		signed := signing.Verify(body, attrs) == nil
		if _, err := strict.Unpack("q", body, attrs); err == nil && !signed {
			t.Fatal("a job is executed that nobody signed")
		}
		j, err := open.Unpack("q", body, attrs)
		if err == nil {
			if j.Shell || j.Foreign || len(j.Argv) == 0 || j.Argv[0] == "" {
				t.Fatalf("a worker without --shell runs %+v", j)
			}
			for _, w := range j.Argv {
				if strings.ContainsRune(w, 0) || !utf8.ValidString(w) {
					t.Fatalf("argument %q", w)
				}
			}
		} else if strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Fatalf("the error is not one line: %q", err)
		}
		j, err = qdone.Unpack("q", body, attrs)
		switch {
		case signature == "" && (err != nil || !j.Foreign || j.Argv[0] != string(body)):
			t.Fatalf("a job of qdone became %+v, %v", j, err)
		case signature != "" && err == nil && !signed:
			t.Fatal("a job is executed whose signature is wrong")
		}
	})
}

// FuzzParseLine: a line of a batch is taken apart as a shell does with words in quotes:
// what it is made of comes back from those words in quotes.
func FuzzParseLine(f *testing.F) {
	f.Add("q echo 'a b' \"c \\\" d\" e\\ f")
	f.Add("q [\"echo\", \"a\\u0000\"]")
	f.Add("q echo $(id)")
	f.Add("# no")
	f.Add("q\u00a0x ''")
	f.Fuzz(func(t *testing.T, line string) {
		queue, j, ok, err := ParseLine(line, false)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Fatalf("the error is not one line: %q", err)
			}
			return
		}
		if !ok {
			return
		}
		if queue == "" || len(j.Argv) == 0 || j.Shell {
			t.Fatalf("queue %q, job %+v", queue, j)
		}
		if strings.ContainsFunc(j.String(), func(r rune) bool { return r == '\n' || r == utf8.RuneError }) || strings.HasPrefix(j.String(), "[") {
			return
		}
		_, again, _, err := ParseLine("q "+j.String(), false)
		if err != nil || !slices.Equal(again.Argv, j.Argv) {
			t.Fatalf("%q is written %s, and read as %q, %v", j.Argv, j, again.Argv, err)
		}
	})
}
