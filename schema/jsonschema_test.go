package schema_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/schema"
)

// compiled is the published schema, itself checked against draft 2020-12.
var compiled = func() *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.JSONSchema()))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	id := doc.(map[string]any)["$id"].(string)
	if err := c.AddResource(id, doc); err != nil {
		panic(err)
	}
	return c.MustCompile(id)
}()

// checkSchema says what the published schema thinks of a body.
func checkSchema(body []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return compiled.Validate(doc)
}

// stricter is everything that the schema accepts and Parse refuses: what JSON
// Schema cannot say. Each is explained where a reader of the schema meets it.
var stricter = []struct {
	name      string
	body      func() []byte
	explained []string // where in the schema
	by        string   // with these words
	covers    func(doc map[string]any) bool
}{
	{
		name:      "the name is measured in bytes, not in characters",
		body:      with("id", strings.Repeat("é", schema.MaxID/2+1)),
		explained: []string{"properties", "id"}, by: "4096 bytes of UTF-8",
		covers: func(doc map[string]any) bool { s, _ := doc["id"].(string); return len(s) > schema.MaxID },
	},
	{
		name:      "a share of 19 digits may be above the whole",
		body:      with("share", "4611686018427387905"),
		explained: []string{"properties", "share"}, by: "above 2^62 is refused",
		covers: func(doc map[string]any) bool {
			s, _ := doc["share"].(string)
			n, ok := new(big.Int).SetString(s, 10)
			return ok && n.Cmp(new(big.Int).SetUint64(uint64(schema.Whole))) > 0
		},
	},
	{
		name:      "a whole number is written as one",
		body:      with("depth", json.Number("1.0")),
		explained: nil, by: "1, not 1.0",
		covers: func(doc map[string]any) bool {
			for path, v := range leaves(doc, "") {
				if n, ok := v.(json.Number); ok && !strings.HasPrefix(path, "/args/") && strings.ContainsAny(n.String(), ".eE") {
					return true
				}
			}
			return false
		},
	},
	{
		name:      "the body is measured, not the values",
		body:      with("args", map[string]any{"x": strings.Repeat("x", schema.MaxMessage)}),
		explained: nil, by: "at most 1048576 bytes",
	},
	{
		name: "a name stands once",
		body: func() []byte {
			return bytes.Replace(with("try", 1)(), []byte(`"try":1`), []byte(`"try":1,"try":1`), 1)
		},
		explained: nil, by: "no name stands twice",
	},
	{
		name: "the body is UTF-8",
		body: func() []byte {
			return bytes.Replace(with("id", "name")(), []byte("name"), []byte("n\xffme"), 1)
		},
		explained: nil, by: "The body is UTF-8",
	},
}

func TestParseIsStricterThanTheSchemaOnlyWhereItSaysSo(t *testing.T) {
	var doc map[string]any
	require.NoError(t, json.Unmarshal(schema.JSONSchema(), &doc))
	for _, s := range stricter {
		t.Run(s.name, func(t *testing.T) {
			body := s.body()
			assert.NoError(t, checkSchema(body))
			_, err := schema.Parse(body)
			assert.Error(t, err)

			at := doc
			for _, name := range s.explained {
				at = at[name].(map[string]any)
			}
			assert.Contains(t, at["description"], s.by)
		})
	}
}

func TestValidMessagesFitTheSchemaAndComeBackEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := messages.Draw(t, "message")
		require.NoError(t, m.Validate())
		body, err := m.Encode()
		require.NoError(t, err)
		require.NoError(t, checkSchema(body), "%s", body)

		got, err := schema.Parse(body)
		require.NoError(t, err, "%s", body)
		require.Equal(t, compacted(t, m), got)

		again, err := got.Encode()
		require.NoError(t, err)
		require.Equal(t, string(body), string(again), "the bytes are signed: encoding again must not change them")
	})
}

func TestSchemaAndParseAgree(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		body, err := messages.Draw(t, "message").Encode()
		require.NoError(t, err)
		for range rapid.IntRange(1, 2).Draw(t, "changes") {
			body = mutate(t, body)
		}

		schemaErr := checkSchema(body)
		m, parseErr := schema.Parse(body)
		if parseErr == nil {
			accepted++
			require.NoError(t, schemaErr, "Parse accepts what the schema refuses: %s", body)
			require.NoError(t, m.Validate())
			return
		}
		refused++
		if schemaErr == nil {
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
			require.NoError(t, err)
			for _, s := range stricter {
				if s.covers != nil && s.covers(doc.(map[string]any)) {
					return
				}
			}
			require.NoError(t, parseErr, "the schema accepts what Parse refuses: %s", body)
		}
	})
	assert.Positive(t, accepted, "bodies that both accept")
	assert.Positive(t, refused, "bodies that both refuse")
}

// mutate changes one field somewhere in a message: sets it to a value from the
// edge of what some field takes, removes it, or gives it another name.
func mutate(t *rapid.T, body []byte) []byte {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(t, err)
	at := doc.(map[string]any)
	for {
		var inner []string
		for _, name := range []string{"hdr", "up", "own"} {
			if _, ok := at[name].(map[string]any); ok {
				inner = append(inner, name)
			}
		}
		if len(inner) == 0 || rapid.Bool().Draw(t, "here") {
			break
		}
		at = at[rapid.SampledFrom(inner).Draw(t, "into")].(map[string]any)
	}

	fields := []string{"v", "run", "op", "kind", "id", "args", "up", "hdr", "grp", "mid", "re", "ep", "try", "depth", "share",
		"pid", "slot", "k", "own", "red", "n", "o", "b", "f", "r", "x", "V", "Re", ""}
	present := make([]string, 0, len(at))
	for name := range at {
		present = append(present, name)
	}
	slices.Sort(present)
	name := rapid.SampledFrom(fields).Draw(t, "field")
	if len(present) > 0 && rapid.IntRange(0, 3).Draw(t, "known") > 0 {
		name = rapid.SampledFrom(present).Draw(t, "present")
	}
	value, had := at[name]
	switch rapid.SampledFrom([]string{"set", "set", "set", "remove", "rename"}).Draw(t, "change") {
	case "set":
		at[name] = edges.Draw(t, "value")
	case "remove":
		delete(at, name)
	case "rename":
		if had {
			delete(at, name)
			at[strings.ToUpper(name)] = value
		}
	}
	body, err = json.Marshal(doc)
	require.NoError(t, err)
	return body
}

var edges = rapid.OneOf(
	rapid.Custom(func(t *rapid.T) any {
		return json.Number(rapid.SampledFrom([]string{"-1", "0", "-0", "1", "2", "3", "255", "256", "257", "9999", "10000", "10001", "1.0", "1.5", "1e0", "25e-1",
			"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"}).Draw(t, "number"))
	}),
	rapid.Custom(func(t *rapid.T) any {
		return rapid.SampledFrom([]string{
			"", "a", "A", "node", "group", "reduce", "climb", "Node", "s3.crawl", "s3..crawl", "3s", "s3-", strings.Repeat("k", 64), strings.Repeat("k", 65),
			".run", "run-1_2.3", strings.Repeat("R", 64), strings.Repeat("R", 65), "run\n", "läuft",
			strings.Repeat("A", 22), strings.Repeat("A", 21), strings.Repeat("A", 21) + "B", strings.Repeat("_", 21) + "w", strings.Repeat("+", 21) + "w",
			strings.Repeat("A", 20) + "\n\n", "0123456789abcdef", "0123456789ABCDEF", "f", "00000000000000000", "0x1", "-1", "+1", "1_0", " 1",
			"4611686018427387904", "4611686018427387905", "9999999999999999999", "0000000000000000000000001", "18446744073709551615", "18446744073709551616",
			strings.Repeat("x", schema.MaxID+1), strings.Repeat("é", schema.MaxID/2), strings.Repeat("é", schema.MaxID/2+1),
		}).Draw(t, "string")
	}),
	rapid.Custom(func(t *rapid.T) any {
		return rapid.SampledFrom([]any{nil, true, false, []any{}, []any{"{"}, map[string]any{}}).Draw(t, "other")
	}),
	rapid.Custom(func(t *rapid.T) any { return places.Draw(t, "place") }),
	rapid.Custom(func(t *rapid.T) any { return accounts.Draw(t, "account") }),
	rapid.Custom(func(t *rapid.T) any { return headers.Draw(t, "header") }),
	rapid.Custom(func(t *rapid.T) any { return pids.Draw(t, "pid") }),
)

// with makes a body from a valid message and one field set.
func with(field string, value any) func() []byte {
	return func() []byte {
		body, err := childMessage().Encode()
		if err != nil {
			panic(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(body, &doc); err != nil {
			panic(err)
		}
		doc[field] = value
		if body, err = json.Marshal(doc); err != nil {
			panic(err)
		}
		return body
	}
}

// leaves yields the scalars of a JSON document with their paths.
func leaves(v any, path string) map[string]any {
	found := map[string]any{}
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			for p, leaf := range leaves(inner, path+"/"+name) {
				found[p] = leaf
			}
		}
	case []any:
		for i, inner := range v {
			for p, leaf := range leaves(inner, path+"/"+strconv.Itoa(i)) {
				found[p] = leaf
			}
		}
	default:
		found[path] = v
	}
	return found
}

// compacted is the message as it comes back: without the spaces in its args.
func compacted(t require.TestingT, m *schema.Message) *schema.Message {
	c := *m
	if len(m.Args) > 0 {
		var b bytes.Buffer
		require.NoError(t, json.Compact(&b, m.Args))
		c.Args = b.Bytes()
	}
	return &c
}

func TestEverythingInTheSchemaIsExplained(t *testing.T) {
	var doc map[string]any
	require.NoError(t, json.Unmarshal(schema.JSONSchema(), &doc))
	assert.Equal(t, "https://json-schema.org/draft/2020-12/schema", doc["$schema"])

	explained := 0
	var walk func(path string, v any)
	walk = func(path string, v any) {
		object, ok := v.(map[string]any)
		if !ok {
			return
		}
		properties, _ := object["properties"].(map[string]any)
		for name, p := range properties {
			p, _ := p.(map[string]any)
			assert.NotEmpty(t, p["title"], "title of %s/%s", path, name)
			assert.NotEmpty(t, p["description"], "description of %s/%s", path, name)
			explained++
			walk(path+"/"+name, p)
		}
	}
	walk("", doc)
	for name, def := range doc["$defs"].(map[string]any) {
		if name != "rootPlace" { // a condition, not a thing
			walk("$defs/"+name, def)
		}
	}
	assert.GreaterOrEqual(t, explained, 20)
}

func TestJSONSchemaIsACopy(t *testing.T) {
	clear(schema.JSONSchema())
	assert.True(t, json.Valid(schema.JSONSchema()))
}
