package schema_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"github.com/ramify/ramify/schema"
)

// Generators of valid messages, biased towards the edges of what is valid.

var (
	pids = rapid.Custom(func(t *rapid.T) (p schema.PID) {
		copy(p[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "pid"))
		p[0] |= 1 // the zero id is the run itself
		return p
	})

	places = rapid.Custom(func(t *rapid.T) schema.Place {
		if rapid.Bool().Draw(t, "root") {
			return schema.Place{}
		}
		return schema.Place{Parent: pids.Draw(t, "parent"), Slot: rapid.IntRange(0, schema.MaxSlots-1).Draw(t, "slot")}
	})

	accounts = rapid.Custom(func(t *rapid.T) schema.Account {
		sum := func(label string) int64 { return rapid.Int64().Draw(t, label) }
		return schema.Account{Nodes: sum("n"), Objects: sum("o"), Bytes: sum("b"), Failures: sum("f"), Reduces: sum("r")}
	})

	headers = rapid.Custom(func(t *rapid.T) *schema.Header {
		return &schema.Header{
			Required: rapid.IntRange(1, schema.MaxSlots).Draw(t, "k"),
			Own:      accounts.Draw(t, "own"),
			Up:       places.Draw(t, "up"),
			Reduce:   rapid.Bool().Draw(t, "red"),
		}
	})

	// Names hold whatever a key may hold, JSON's and HTML's special characters first.
	names = rapid.OneOf(
		rapid.String(),
		rapid.StringOf(rapid.RuneFrom([]rune("\x00\b\n\"\\/<>&'\u2028\u2029\ufeff\ufffd😀é{}[],:"))),
		rapid.Just(strings.Repeat("x", schema.MaxID)),
		rapid.Just(strings.Repeat("😀", schema.MaxID/4)),
	)

	values rapidValue

	messages = rapid.Custom(func(t *rapid.T) *schema.Message {
		m := &schema.Message{
			V:     schema.Version,
			Run:   rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{0,63}`).Draw(t, "run"),
			Op:    rapid.SampledFrom([]schema.Op{schema.OpNode, schema.OpGroup, schema.OpReduce, schema.OpClimb}).Draw(t, "op"),
			Kind:  rapid.StringMatching(`[a-z][a-z0-9]{0,9}([._-][a-z0-9]{1,9}){0,5}`).Filter(func(s string) bool { return len(s) <= schema.MaxKind }).Draw(t, "kind"),
			ID:    names.Draw(t, "id"),
			Up:    places.Draw(t, "up"),
			MID:   schema.MID(rapid.Uint64().Draw(t, "mid")),
			Re:    rapid.IntRange(schema.PostOriginal, schema.PostAdopt).Draw(t, "re"),
			Epoch: rapid.IntMin(0).Draw(t, "ep"),
			Tries: rapid.IntMin(0).Draw(t, "try"),
			Depth: rapid.IntRange(0, schema.MaxDepth).Draw(t, "depth"),
			Share: schema.Share(rapid.Uint64Max(uint64(schema.Whole)).Draw(t, "share")),
		}
		if rapid.Bool().Draw(t, "args") {
			m.Args = values.object(t, 3)
		}
		if !m.Up.IsRoot() && (m.Op == schema.OpNode || rapid.Bool().Draw(t, "hdr")) {
			m.Hdr = headers.Draw(t, "hdr")
		}
		if m.Op == schema.OpGroup || m.Op == schema.OpClimb && rapid.Bool().Draw(t, "grp") {
			group := pids.Draw(t, "grp")
			m.Group = &group
		}
		return m
	})
)

// rapidValue draws JSON texts.
type rapidValue struct{}

func (v rapidValue) object(t *rapid.T, depth int) json.RawMessage {
	parts := []string{}
	for i := range rapid.IntRange(0, 3).Draw(t, "fields") {
		name, _ := json.Marshal(names.Draw(t, "name") + fmt.Sprint(i))
		parts = append(parts, string(name)+": "+v.any(t, depth-1))
	}
	return json.RawMessage(" {" + strings.Join(parts, " ,\n") + "} ")
}

func (v rapidValue) any(t *rapid.T, depth int) string {
	switch n := rapid.IntRange(0, 6).Draw(t, "type"); {
	case n == 0 && depth > 0:
		return string(v.object(t, depth))
	case n == 1 && depth > 0:
		return "[" + v.any(t, depth-1) + ", " + v.any(t, depth-1) + "]"
	case n <= 3:
		text, _ := json.Marshal(names.Draw(t, "string"))
		return string(text)
	default:
		return rapid.SampledFrom([]string{"0", "-1.5e3", "12345678901234567890", "true", "null", `"\ud800"`, `"\u002f"`}).Draw(t, "scalar")
	}
}

// childMessage is a message as most are.
func childMessage() *schema.Message {
	root := schema.PIDOf("r1", schema.Place{})
	return &schema.Message{
		V: schema.Version, Run: "r1", Op: schema.OpNode, Kind: "s3.crawl", ID: "s3://bucket/prefix/",
		Args: schema.Args(`{"after":"a","until":"b"}`),
		Up:   schema.Place{Parent: root, Slot: 17},
		Hdr:  &schema.Header{Required: 40, Own: schema.Account{Nodes: 1, Objects: 3, Bytes: 9}},
		MID:  0x0123456789abcdef, Depth: 1, Share: schema.Whole / 40,
	}
}
