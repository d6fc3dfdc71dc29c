package task

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/queue"
)

// Whatever was received, as large as it may be and with as many attributes as a
// queue gives, what goes to the dead letters is taken there, says why, and says
// what it lacks.
func TestDeadLettersAlwaysFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 2000
		attrs := rapid.MapOfN(rapid.StringMatching(`(ramify-)?[a-z]{1,8}`), rapid.StringN(1, 40, 60), 0, 10).Draw(t, "attributes")
		room := limit - queue.Entry{Attrs: attrs}.Size()
		body := bytes.Repeat([]byte(rapid.SampledFrom([]string{"x", "é", "日", "🎉"}).Draw(t, "of")), limit)
		body = body[:room-rapid.SampledFrom([]int{0, 1, 14, 60, 500}).Draw(t, "spare")]
		for !utf8.Valid(body) {
			body = body[:len(body)-1]
		}
		ours := 0
		for name := range attrs {
			if strings.HasPrefix(name, "ramify-") {
				ours++
			}
		}
		if ours > 6 { // the engine has fewer
			t.Skip()
		}
		why := rapid.SampledFrom([]string{"", " ", "\x00", "short", strings.Repeat("日long", 300)}).Draw(t, "why")
		before := maps.Clone(attrs)
		e := letter(queue.Delivery{Body: body, Attrs: attrs}, why, limit)
		assert.LessOrEqual(t, e.Size(), limit)
		assert.LessOrEqual(t, len(e.Attrs), mostAttrs)
		assert.True(t, utf8.Valid(e.Body) && len(e.Body) > 0 && bytes.HasPrefix(body, e.Body))
		assert.NotEmpty(t, strings.TrimSpace(e.Attrs[AttrReason]))
		assert.True(t, utf8.ValidString(e.Attrs[AttrReason]))
		whole := len(e.Body) == len(body)
		for name, value := range attrs {
			whole = whole && e.Attrs[name] == value
		}
		assert.Equal(t, whole, e.Attrs[AttrCut] == "", "it says that something is missing: %q", e.Attrs[AttrCut])
		assert.Equal(t, before, attrs, "the message itself is not changed")
		if len(attrs) < mostAttrs && len(body) < room-500 {
			assert.True(t, whole, "it fits")
		}
	})
}

// A reason is read on terminals, and quotes names that anybody may have given.
func TestReasonsCommandNoTerminal(t *testing.T) {
	assert.Equal(t, "list é日🎉/ [2J 31m x  y z", reason("list é日🎉/\x1b[2J\u009b31m\u202ex\r\ny\tz"))
}
