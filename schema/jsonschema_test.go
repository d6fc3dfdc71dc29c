package schema_test

import (
	"bytes"
	"encoding/json"
	"math"
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
			require.NoError(t, checkSchema(body))
			_, err := schema.Parse(body)
			require.Error(t, err)

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

// judge asks both and fails where they disagree, but for what is told above. It
// reports whether they accept.
func judge(t require.TestingT, body []byte) bool {
	schemaErr := checkSchema(body)
	_, parseErr := schema.Parse(body)
	if parseErr == nil {
		require.NoError(t, schemaErr, "Parse accepts what the schema refuses: %s", body)
		return true
	}
	if schemaErr == nil {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		require.NoError(t, err)
		for _, s := range stricter {
			if s.covers != nil && s.covers(doc.(map[string]any)) {
				return false
			}
		}
		require.NoError(t, parseErr, "the schema accepts what Parse refuses: %s", body)
	}
	return false
}

// Every field of messages of all sorts, set to every value from the edge of what
// some field takes, removed, and under another name.
func TestSchemaAndParseAgreeOnEveryEdge(t *testing.T) {
	accepted, refused := 0, 0
	for _, base := range bases() {
		for _, path := range objects(base, nil) {
			for _, name := range append(fields[last(path)], "x") {
				for i := range len(edges) + 2 {
					doc := decode(t, base)
					at := descend(doc, path)
					value, had := at[name]
					switch {
					case i < len(edges):
						at[name] = edges[i]
					case !had:
						continue
					case i == len(edges):
						delete(at, name)
					default:
						delete(at, name)
						at[strings.ToUpper(name)] = value
					}
					if judge(t, encode(t, doc)) {
						accepted++
					} else {
						refused++
					}
				}
			}
		}
	}
	assert.Greater(t, accepted, 500)
	assert.Greater(t, refused, 2000)
}

// Several changes at a time, to messages of any sort.
func TestSchemaAndParseAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body, err := messages.Draw(t, "message").Encode()
		require.NoError(t, err)
		doc := decode(t, body)
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			path := rapid.SampledFrom(objects(encode(t, doc), nil)).Draw(t, "object")
			doc = decode(t, encode(t, doc))
			at := descend(doc, path)
			name := rapid.SampledFrom(fields[last(path)]).Draw(t, "field")
			if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
				delete(at, name)
			} else {
				at[name] = rapid.SampledFrom(edges).Draw(t, "value")
			}
		}
		judge(t, encode(t, doc))
	})
}

// bases are one valid message of each sort.
func bases() [][]byte {
	root := &schema.Message{V: schema.Version, Run: "r1", Op: schema.OpNode, Kind: "k", ID: "root", Share: schema.Whole}
	group := schema.GroupPID(root.PID(), 1, 0, 0)
	sorts := []*schema.Message{childMessage(), root}
	for _, op := range []schema.Op{schema.OpGroup, schema.OpReduce, schema.OpClimb, schema.OpClimb} {
		m := childMessage()
		m.Op = op
		if op == schema.OpGroup || sorts[len(sorts)-1].Op == schema.OpClimb {
			m.Group = &group
		}
		sorts = append(sorts, m)
	}
	bodies := make([][]byte, 0, len(sorts)+1)
	for _, m := range sorts {
		body, err := m.Encode()
		if err != nil {
			panic(err)
		}
		bodies = append(bodies, body)
	}
	// The zero identity, spelt out, is the root's parent, too.
	return append(bodies, bytes.Replace(bodies[1], []byte(`"pid":""`), []byte(`"pid":"`+strings.Repeat("A", 22)+`"`), 1))
}

// fields of the objects of a message, by the name of the object.
var fields = map[string][]string{
	"":    {"v", "run", "op", "kind", "id", "args", "up", "hdr", "grp", "mid", "re", "ep", "try", "depth", "share"},
	"up":  {"pid", "slot"},
	"hdr": {"k", "own", "up", "red"},
	"own": {"n", "o", "b", "f", "r"},
}

func last(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return path[len(path)-1]
}

// edges lie just within, on and beyond what some field takes.
var edges = func() []any {
	list := []any{nil, true, false, []any{}, []any{"{"}, map[string]any{}}
	for _, n := range []string{
		"-1", "0", "-0", "1", "2", "3", "255", "256", "257", "9999", "10000", "10001", "1.0", "1.5", "1e0", "25e-1",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
	} {
		list = append(list, json.Number(n))
	}
	for _, s := range []string{
		"", "a", "A", "node", "group", "reduce", "climb", "Node",
		"s3.crawl", "s3..crawl", "3s", "s3-", strings.Repeat("k", 64), strings.Repeat("k", 65),
		".run", "run-1_2.3", strings.Repeat("R", 64), strings.Repeat("R", 65), "run\n", "läuft",
		strings.Repeat("A", 22), strings.Repeat("A", 21), strings.Repeat("A", 21) + "B", strings.Repeat("A", 21) + "Q",
		strings.Repeat("_", 21) + "w", strings.Repeat("+", 21) + "w", strings.Repeat("A", 20) + "\n\n",
		"0123456789abcdef", "0123456789ABCDEF", "f", "00000000000000000", "0x1", "-1", "+1", "1_0", " 1",
		"4611686018427387904", "4611686018427387905", "9999999999999999999", "10000000000000000000", "0000000000000000000000001", "18446744073709551616",
		strings.Repeat("x", schema.MaxID), strings.Repeat("x", schema.MaxID+1), strings.Repeat("é", schema.MaxID/2), strings.Repeat("é", schema.MaxID/2+1),
	} {
		list = append(list, s)
	}
	for _, v := range []any{
		schema.Place{},
		schema.Place{Slot: 1},
		schema.Place{Parent: schema.PID{1}, Slot: 255},
		schema.Place{Parent: schema.PID{1}, Slot: 256},
		schema.Account{},
		schema.Account{Nodes: math.MinInt64, Failures: -1, Reduces: math.MaxInt64},
		schema.Header{},
		schema.Header{Required: 1},
		schema.Header{Required: 256, Up: schema.Place{Parent: schema.PID{1}, Slot: -1}},
	} {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		list = append(list, json.RawMessage(text))
	}
	return list
}()

func decode(t require.TestingT, body []byte) map[string]any {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(t, err)
	return doc.(map[string]any)
}

func encode(t require.TestingT, doc map[string]any) []byte {
	body, err := json.Marshal(doc)
	require.NoError(t, err)
	return body
}

// objects are the paths of the objects of a message whose fields matter.
func objects(body []byte, path []string) [][]string {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	paths := [][]string{path}
	for _, name := range []string{"up", "hdr", "own"} {
		if inner, ok := descend(doc.(map[string]any), path)[name].(map[string]any); ok && inner != nil {
			paths = append(paths, objects(body, append(slices.Clone(path), name))...)
		}
	}
	return paths
}

func descend(doc map[string]any, path []string) map[string]any {
	for _, name := range path {
		doc = doc[name].(map[string]any)
	}
	return doc
}

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
