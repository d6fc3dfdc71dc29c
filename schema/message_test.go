package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/schema"
)

func TestValidateNamesTheFieldAndTheValue(t *testing.T) {
	group := schema.PIDOf("r1", schema.Place{})
	cases := []struct {
		field, value string
		spoil        func(*schema.Message)
	}{
		{"v", "2", func(m *schema.Message) { m.V = 2 }},
		{"run", "", func(m *schema.Message) { m.Run = "" }},
		{"run", "../etc", func(m *schema.Message) { m.Run = "../etc" }},
		{"run", "a\n", func(m *schema.Message) { m.Run = "a\n" }},
		{"run", strings.Repeat("r", 65), func(m *schema.Message) { m.Run = strings.Repeat("r", 65) }},
		{"op", "nod", func(m *schema.Message) { m.Op = "nod" }},
		{"kind", "S3", func(m *schema.Message) { m.Kind = "S3" }},
		{"run", "-a", func(m *schema.Message) { m.Run = "-a" }},
		{"kind", "", func(m *schema.Message) { m.Kind = "" }},
		{"kind", "s3.", func(m *schema.Message) { m.Kind = "s3." }},
		{"kind", "3s", func(m *schema.Message) { m.Kind = "3s" }},
		{"kind", ".s3", func(m *schema.Message) { m.Kind = ".s3" }},
		{"kind", "s3._crawl", func(m *schema.Message) { m.Kind = "s3._crawl" }},
		{"kind", "s3 crawl", func(m *schema.Message) { m.Kind = "s3 crawl" }},
		{"kind", strings.Repeat("k", 65), func(m *schema.Message) { m.Kind = strings.Repeat("k", 65) }},
		{"id", "a\xffb", func(m *schema.Message) { m.ID = "a\xffb" }},
		{"id", strings.Repeat("x", 4097), func(m *schema.Message) { m.ID = strings.Repeat("x", 4097) }},
		{"up.slot", "-1", func(m *schema.Message) { m.Up.Slot = -1 }},
		{"up.slot", "256", func(m *schema.Message) { m.Up.Slot = 256 }},
		{"up.slot", "17", func(m *schema.Message) { m.Up.Parent = schema.PID{} }},
		{"hdr", "missing", func(m *schema.Message) { m.Hdr = nil }},
		{"hdr.k", "0", func(m *schema.Message) { m.Hdr.Required = 0 }},
		{"hdr.k", "257", func(m *schema.Message) { m.Hdr.Required = 257 }},
		{"hdr.up.slot", "-1", func(m *schema.Message) { m.Hdr.Up.Slot = -1 }},
		{"hdr.up.slot", "256", func(m *schema.Message) { m.Hdr.Up = schema.Place{Parent: group, Slot: 256} }},
		{"hdr.up.slot", "3", func(m *schema.Message) { m.Hdr.Up = schema.Place{Slot: 3} }},
		{"re", "3", func(m *schema.Message) { m.Re = 3 }},
		{"re", "-1", func(m *schema.Message) { m.Re = -1 }},
		{"ep", "-1", func(m *schema.Message) { m.Epoch = -1 }},
		{"try", "-1", func(m *schema.Message) { m.Tries = -1 }},
		{"depth", "-1", func(m *schema.Message) { m.Depth = -1 }},
		{"depth", "10001", func(m *schema.Message) { m.Depth = 10_001 }},
		{"grp", "missing", func(m *schema.Message) { m.Op = schema.OpGroup }},
		{"grp", group.String(), func(m *schema.Message) { m.Group = &group }},
		{"grp", schema.PID{}.String(), func(m *schema.Message) { m.Op, m.Group = schema.OpGroup, &schema.PID{} }},
		{"args", "[1]", func(m *schema.Message) { m.Args = schema.Args("[1]") }},
		{"args", `{"a":`, func(m *schema.Message) { m.Args = schema.Args(`{"a":`) }},
		{"args", "{} {}", func(m *schema.Message) { m.Args = schema.Args("{} {}") }},
		{"args", "{\"a\":\"\xff\"}", func(m *schema.Message) { m.Args = schema.Args("{\"a\":\"\xff\"}") }},
	}
	for _, c := range cases {
		m := childMessage()
		require.NoError(t, m.Validate())
		c.spoil(m)

		var got *schema.FieldError
		require.ErrorAs(t, m.Validate(), &got, "%s %.20q", c.field, c.value)
		assert.Equal(t, c.field, got.Field)
		assert.Equal(t, c.value, got.Value)
		assert.NotEmpty(t, got.Want)
		assert.Less(t, len(got.Error()), 500, "one line")
	}
}

func TestValidateTakesWhatLiesJustWithin(t *testing.T) {
	cases := map[string]func(*schema.Message){
		"longest run":         func(m *schema.Message) { m.Run = strings.Repeat("r", 64) },
		"joined words":        func(m *schema.Message) { m.Run, m.Kind = "0.A_z-9", "a1.2b_c-d" },
		"longest kind":        func(m *schema.Message) { m.Kind = strings.Repeat("k", schema.MaxKind) },
		"longest name":        func(m *schema.Message) { m.ID = strings.Repeat("x", schema.MaxID) },
		"no name":             func(m *schema.Message) { m.ID = "" },
		"last slot":           func(m *schema.Message) { m.Up.Slot = schema.MaxSlots - 1 },
		"widest plan":         func(m *schema.Message) { m.Hdr.Required = schema.MaxSlots },
		"deepest":             func(m *schema.Message) { m.Depth = schema.MaxDepth },
		"no args":             func(m *schema.Message) { m.Args = nil },
		"spaces around args":  func(m *schema.Message) { m.Args = schema.Args(" {}\n") },
		"root":                func(m *schema.Message) { m.Up, m.Hdr = schema.Place{}, nil },
		"climb without group": func(m *schema.Message) { m.Op, m.Hdr = schema.OpClimb, nil },
		"reduce below a plan": func(m *schema.Message) { m.Op = schema.OpReduce },
	}
	for name, change := range cases {
		m := childMessage()
		change(m)
		assert.NoError(t, m.Validate(), name)
	}
}

func TestParseRefuses(t *testing.T) {
	body, err := childMessage().Encode()
	require.NoError(t, err)
	text := string(body)
	replace := func(from, to string) string {
		require.Contains(t, text, from)
		return strings.Replace(text, from, to, 1)
	}
	args := `{"after":"a","until":"b"}`
	cases := []struct{ name, body, says string }{
		{"nothing", "", "unexpected end"},
		{"spaces", " \n", "unexpected end"},
		{"truncated", text[:len(text)-1], "unexpected end"},
		{"two objects", text + text, "after top-level value"},
		{"a list of messages", "[" + text + "]", "array"},
		{"null", "null", `v is "missing"`},
		{"a newer version", replace(`"v":1`, `"v":2,"new":[]`), `v is "2", want 1`},
		{"no version", replace(`"v":1,`, ""), `v is "missing"`},
		{"a version in words", replace(`"v":1`, `"v":"1"`), "string"},
		{"an unknown field", replace(`"v":1`, `"v":1,"prio":3`), `field name is "prio"`},
		{"an unknown field in the header", replace(`"k":40`, `"k":40,"prio":3`), `field name is "hdr.prio", want one of hdr.{k, own, up, red}`},
		{"an unknown field in the account", replace(`"o":3`, `"o":3,"x":3`), `field name is "hdr.own.x"`},
		{"an unknown field in the place", replace(`"slot":17`, `"slot":17,"x":3`), `field name is "up.x"`},
		{"a field in capitals", replace(`"id"`, `"ID"`), `field name is "ID"`},
		{"a field twice", replace(`"depth":1`, `"depth":1,"depth":2`), `depth is "given twice"`},
		{"a field twice, spelt differently", replace(`"depth":1`, `"depth":1,"d\u0065pth":2`), `depth is "given twice"`},
		{"an inner field twice", replace(`"k":40`, `"k":40,"k":1`), `hdr.k is "given twice"`},
		{"no place, which would make it the root", replace(`"up":{"pid":"oRRIT1WaLeCoJ8q3cmpO8w","slot":17},`, ""), `up is "missing"`},
		{"a null", replace(`"depth":1`, `"depth":null`), `depth is "null"`},
		{"a null header", replace(`"hdr":{`, `"re": null ,"hdr":{`), `re is "null"`},
		{"not UTF-8", replace("bucket", "bu\xffket"), "UTF-8"},
		{"a byte order mark", "\ufeff" + text, "invalid character"},
		{"100,000 brackets", replace(args, strings.Repeat("[", 1e5)), "exceeded max depth"},
		{"100,000 braces", replace(args, strings.Repeat(`{"a":`, 1e5)), "exceeded max depth"},
		{"100,000 closed brackets", replace(args, `{"a":`+strings.Repeat("[", 1e5)+strings.Repeat("]", 1e5)+"}"), "exceeded max depth"},
		{"args in words", replace(args, `"{}"`), `args is "\"{}\""`},
		{"more than 1 MiB", text + strings.Repeat(" ", schema.MaxMessage), `message is "`},
		{"a share above the whole", replace(`"share":"`, `"share":"9`), "2^62"},
		{"a share as a number", replace(`"share":"115292150460684697"`, `"share":1`), "share"},
		{"a share with a sign", replace(`"share":"`, `"share":"+`), "2^62"},
		{"17 hexadecimal digits", replace(`"mid":"`, `"mid":"0`), `mid is "00123456789abcdef"`},
		{"an identity of the wrong length", replace(`"oRRI`, `"RRI`), "22 characters"},
		{"an identity with bits too many", replace(`O8w"`, `O8x"`), "22 characters"},
		{"an identity with line breaks", replace(`O8w"`, `O\r\n"`), "22 characters"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := schema.Parse([]byte(c.body))
			require.Error(t, err)
			require.ErrorContains(t, err, "parse message: ")
			require.ErrorContains(t, err, c.says)
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 500)
		})
	}
}

func TestParseTakes(t *testing.T) {
	body, err := childMessage().Encode()
	require.NoError(t, err)
	text := string(body)
	var indented bytes.Buffer
	require.NoError(t, json.Indent(&indented, body, "\t", " "))

	cases := map[string]string{
		"spaces around":       " \t\r\n" + text + "\n",
		"indented":            indented.String(),
		"escaped names":       strings.Replace(text, `"v"`, `"\u0076"`, 1),
		"zeros spelt out":     strings.Replace(text, `"depth"`, `"re":0,"ep":0,"try":0,"depth"`, 1),
		"exactly 1 MiB":       text + strings.Repeat(" ", schema.MaxMessage-len(text)),
		"capital hexadecimal": strings.Replace(text, "0123456789abcdef", "123456789ABCDEF", 1),
	}
	for name, c := range cases {
		m, err := schema.Parse([]byte(c))
		require.NoError(t, err, name)
		assert.Equal(t, childMessage(), compacted(t, m), name)
	}

	t.Run("args as they came", func(t *testing.T) {
		args := `{"Before":null,"before":1,"before":2,"a\/b":"\u0041\ud800","n":1.0,"deep":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}"
		m, err := schema.Parse([]byte(strings.Replace(text, `{"after":"a","until":"b"}`, args, 1)))
		require.NoError(t, err)
		assert.Equal(t, args, string(m.Args))
	})
}

func TestMessageBytesStayTheSame(t *testing.T) {
	m := childMessage()
	m.ID = "s3://b/<a>&\"é\x00\u2028😀"
	body, err := m.Encode()
	require.NoError(t, err)
	assert.Equal(t, `{"v":1,"run":"r1","op":"node","kind":"s3.crawl","id":"s3://b/<a>&\"é\u0000\u2028😀","args":{"after":"a","until":"b"},`+
		`"up":{"pid":"`+m.Up.Parent.String()+`","slot":17},"hdr":{"k":40,"own":{"n":1,"o":3,"b":9},"up":{"pid":"","slot":0}},`+
		`"mid":"0123456789abcdef","depth":1,"share":"115292150460684697"}`, string(body))
}

func TestEncodeRefusesWhatIsTooLarge(t *testing.T) {
	m := childMessage()
	m.Args = schema.Args(`{"x":"` + strings.Repeat("x", schema.MaxMessage) + `"}`)
	_, err := m.Encode()
	var field *schema.FieldError
	require.ErrorAs(t, err, &field)
	assert.Equal(t, "message", field.Field)
	require.ErrorContains(t, err, m.ID)

	m.Args = schema.Args(`{`)
	_, err = m.Encode()
	require.Error(t, err)
	assert.False(t, errors.As(err, &field) && field.Field == "args")
	assert.ErrorContains(t, err, "encode node "+m.ID)
}

func TestAMessageIsAboutItsGroupWhereItHasOne(t *testing.T) {
	m := childMessage()
	assert.Equal(t, schema.PIDOf(m.Run, m.Up), m.PID())

	group := schema.GroupPID(m.PID(), 1, 0, 0)
	m.Op, m.Group = schema.OpGroup, &group
	require.NoError(t, m.Validate())
	assert.Equal(t, group, m.PID())
}

func TestPostsAreDistinct(t *testing.T) {
	seen := map[schema.MID]bool{}
	for range 10_000 {
		seen[schema.NewMID()] = true
	}
	assert.Len(t, seen, 10_000)
}

func TestAccountsAdd(t *testing.T) {
	a := schema.Account{Nodes: 1, Objects: 2, Bytes: 3, Failures: 4, Reduces: 5}
	b := schema.Account{Nodes: 10, Objects: 20, Bytes: 30, Failures: -4, Reduces: 50}
	assert.Equal(t, schema.Account{Nodes: 11, Objects: 22, Bytes: 33, Failures: 0, Reduces: 55}, a.Add(b))
	assert.Equal(t, a, a.Add(schema.Account{}))
	assert.Equal(t, a.Add(b), b.Add(a))
	assert.Equal(t, int64(math.MaxInt64), schema.Account{Bytes: math.MaxInt64 - 3}.Add(a).Bytes)
	assert.Equal(t, int64(math.MaxInt64), schema.Account{Bytes: math.MaxInt64 - 2}.Add(a).Bytes, "more than there are numbers")
	assert.Equal(t, int64(math.MinInt64), schema.Account{Failures: math.MinInt64 + 3}.Add(b).Failures)
}

func BenchmarkParse(b *testing.B) {
	body, err := childMessage().Encode()
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := schema.Parse(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	m := childMessage()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

// Amazon SQS takes the characters of XML 1.0 and refuses a message with any
// other: what JSON need not escape must be escaped all the same.
func TestEncodedMessagesAreOfCharactersThatQueuesTake(t *testing.T) {
	odd := "\x00\x1f\x7f\u0085\ud7ff\ue000\ufffd\ufffe\uffff\U00010000\U0001ffff\U0010ffff"
	args, err := json.Marshal(map[string]string{odd: odd})
	require.NoError(t, err)
	m := schema.Message{V: schema.Version, Run: "r", Op: schema.OpNode, Kind: "k", ID: odd, Args: args}
	body, err := m.Encode()
	require.NoError(t, err)
	for _, r := range string(body) {
		assert.True(t, r >= ' ' && r != 0xfffe && r != 0xffff, "%U", r)
	}
	got, err := schema.Parse(body)
	require.NoError(t, err)
	assert.Equal(t, odd, got.ID)
	var back map[string]string
	require.NoError(t, json.Unmarshal(got.Args, &back))
	assert.Equal(t, odd, back[odd])
}

// What a node may reveal, its message can say: nested as deep as JSON is read.
func TestDeepArgs(t *testing.T) {
	for _, depth := range []int{9_998, 9_999, 10_000} {
		args := schema.Args(`{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`)
		m := schema.Message{V: schema.Version, Run: "r", Op: schema.OpNode, Kind: "k", Args: args}
		if m.Validate() != nil {
			continue
		}
		body, err := m.Encode()
		require.NoError(t, err)
		_, err = schema.Parse(body)
		require.NoError(t, err, "args %d levels deep", depth)
	}
}
