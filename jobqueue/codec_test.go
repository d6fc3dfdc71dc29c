package jobqueue

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ramify/ramify/schema"
)

func testKeys(t testing.TB, id string) *schema.Keyring {
	t.Helper()
	keys, err := schema.NewKeyring(schema.Key{ID: id, Secret: bytes.Repeat([]byte(id[:1]), 32)})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A job comes back as it was, and is a node's message that Parse takes.
func TestJobComesBack(t *testing.T) {
	c := Codec{Keys: testKeys(t, "a"), Shell: true}
	rapid.Check(t, func(t *rapid.T) {
		j := Job{
			Argv:  rapid.SliceOfN(rapid.StringMatching(`[^\x00]*`), 1, 5).Draw(t, "argv"),
			Shell: rapid.Bool().Draw(t, "shell"),
		}
		body, attrs, err := c.Pack("q", j)
		if j.Argv[0] == "" {
			if err == nil {
				t.Fatal("a job without a program")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := schema.Parse(body); err != nil {
			t.Fatal(err)
		}
		got, err := c.Unpack("q", body, attrs)
		if err != nil || !slices.Equal(got.Argv, j.Argv) || got.Shell != j.Shell || got.Foreign {
			t.Fatalf("got %+v, %v; want %+v", got, err, j)
		}
	})
}

func TestWhatIsNotExecuted(t *testing.T) {
	c := Codec{Keys: testKeys(t, "a")}
	body, attrs, err := c.Pack("q", Job{Argv: []string{"true"}})
	if err != nil {
		t.Fatal(err)
	}
	script, scriptAttrs, err := c.Pack("q", Job{Argv: []string{"true"}, Shell: true})
	if err != nil {
		t.Fatal(err)
	}
	node := func(change func(*schema.Message)) ([]byte, map[string]string) {
		m, err := schema.Parse(body)
		if err != nil {
			t.Fatal(err)
		}
		change(m)
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b, c.Keys.Sign(b)
	}
	crawl, crawlAttrs := node(func(m *schema.Message) { m.Kind = "s3.crawl" })
	job, jobAttrs := node(func(m *schema.Message) { m.Args = json.RawMessage(`{"job":"walk"}`) })
	anywhere, anywhereAttrs := node(func(m *schema.Message) { m.Args = json.RawMessage(`{"argv":["true"]}`) })
	empty, emptyAttrs := node(func(m *schema.Message) { m.Args = json.RawMessage(`{"argv":[]}`) })
	_, stranger, err := Codec{Keys: testKeys(t, "b")}.Pack("q", Job{Argv: []string{"true"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Unpack("q", body, attrs); err != nil {
		t.Fatal(err)
	}
	for says, m := range map[string]struct {
		codec Codec
		queue string
		body  []byte
		attrs map[string]string
	}{
		"not signed by a known key":               {c, "q", body, nil},
		"not signed by a known  key":              {c, "q", body, stranger},
		"not signed by a  known key":              {c, "q", append(bytes.Clone(body), ' '), attrs},
		"not signed  by a known key":              {Codec{Keys: c.Keys, Qdone: true}, "q", append(bytes.Clone(body), ' '), attrs},
		"started with --shell":                    {c, "q", script, scriptAttrs},
		"started with  --shell":                   {Codec{Qdone: true}, "q", script, scriptAttrs},
		"kind s3.crawl":                           {c, "q", crawl, crawlAttrs},
		"no plain job":                            {c, "q", job, jobAttrs},
		"it is empty":                             {c, "q", empty, emptyAttrs},
		`signed for queue "q", and this is other`: {c, "other", body, attrs},
		`signed for queue "", and`:                {c, "q", anywhere, anywhereAttrs},
		"parse message":                           {Codec{}, "q", []byte("echo qdone's"), nil},
	} {
		if _, err := m.codec.Unpack(m.queue, m.body, m.attrs); err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(says, "  ", " ")) {
			t.Errorf("got %v, want it to say %q", err, says)
		}
	}
	if j, err := (Codec{Qdone: true, Keys: c.Keys}).Unpack("q", []byte("echo a | b"), nil); err != nil || !j.Foreign || j.String() != "echo a | b" {
		t.Errorf("%+v, %v", j, err)
	}
}

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		`q a b`:                     {"a", "b"},
		"  q\ta   b  ":              {"a", "b"},
		`q a "b c" 'd "e'`:          {"a", "b c", `d "e`},
		`q a\ b "c\"d\\e\f" 'g\h'`:  {"a b", `c"d\e\f`, `g\h`},
		`q a"b"'c'd ""`:             {"abcd", ""},
		`q http://x/y~z 'a|b' "a&"`: {"http://x/y~z", "a|b", "a&"},
		`q ["a", "b c", "$d"]`:      {"a", "b c", "$d"},
		`q ä 日本`:                    {"ä", "日本"},
	} {
		name, j, ok, err := ParseLine(line, false)
		if err != nil || !ok || name != "q" || !slices.Equal(j.Argv, want) || j.Shell {
			t.Errorf("%s: %q of %s, %v; want %q", line, j.Argv, name, err, want)
		}
	}
	for line, says := range map[string]string{
		`q`:            "no command",
		`q a 'b`:       "not closed",
		`q a \`:        "backslash",
		`q a | b`:      "only a shell",
		`q a $B`:       "only a shell",
		`q a "$B"`:     "only a shell",
		`q a > b`:      "only a shell",
		`q ls *`:       "only a shell",
		`q ls ~`:       "only a shell",
		`q [1]`:        "JSON list",
		`q []`:         "no command",
		`q ["a"] ["b]`: "JSON list",
	} {
		if _, _, _, err := ParseLine(line, false); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want it to say %q", line, err, says)
		}
	}
	for _, line := range []string{"", "  ", "# q a"} {
		if _, _, ok, err := ParseLine(line, false); ok || err != nil {
			t.Errorf("%q is a job: %v", line, err)
		}
	}
	if _, j, _, err := ParseLine(`q  a | b  "$C"  `, true); err != nil || j.String() != `a | b  "$C"` || !j.Shell {
		t.Errorf("%+v, %v", j, err)
	}
}

// What is shown of a job can be put into a batch again.
func TestShownAsItCouldBeTyped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j := Job{Argv: rapid.SliceOfN(rapid.StringMatching(`[^\x00\n\r]*`), 1, 4).Draw(t, "argv")}
		if j.Argv[0] == "" {
			return
		}
		_, got, ok, err := ParseLine("q "+j.String(), false)
		if err != nil || !ok || !slices.Equal(got.Argv, j.Argv) {
			t.Fatalf("%s came back as %q, %v", j, got.Argv, err)
		}
	})
}

func TestNames(t *testing.T) {
	n := Names{Prefix: "p_", FailSuffix: "_failed"}
	ordered := n
	ordered.FIFO = true
	for _, c := range []struct {
		names               Names
		typed, whole, fails string
	}{
		{n, "a", "p_a", "p_a_failed"},
		{n, "a.fifo", "p_a.fifo", "p_a_failed.fifo"},
		{ordered, "a", "p_a.fifo", "p_a_failed.fifo"},
		{ordered, "a.fifo", "p_a.fifo", "p_a_failed.fifo"},
		{n, "a_failed", "p_a_failed", "p_a_failed"},
		{ordered, "a_failed", "p_a_failed.fifo", "p_a_failed.fifo"},
	} {
		whole, err := c.names.Whole(c.typed)
		if err != nil || whole != c.whole || c.names.Failed(whole) != c.fails || c.names.isFailed(whole) != (whole == c.fails) {
			t.Errorf("%s is %s, %s, %v; want %s, %s", c.typed, whole, c.names.Failed(whole), err, c.whole, c.fails)
		}
		if c.names.Main(c.fails) != c.names.Main(whole) {
			t.Errorf("%s is of %s, %s of %s", whole, c.names.Main(whole), c.fails, c.names.Main(c.fails))
		}
	}
	for _, typed := range []string{"", ".fifo", "a b", "a.b", "a*", "ä", strings.Repeat("x", 79)} {
		if whole, err := n.Whole(typed); err == nil {
			t.Errorf("%q is %s", typed, whole)
		}
	}
	if p, err := n.Pattern("a*"); err != nil || !Matches(p, "p_abc") || Matches(p, "p_b") {
		t.Errorf("%s, %v", p, err)
	}
}
