package task

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ramify/ramify/schema"
)

// However many plans a task sees it remembers some, the last ones among them.
func TestHeadersAreBounded(t *testing.T) {
	var c headers
	pid := func(i int) schema.PID { return schema.PIDOf("run", schema.Place{Slot: i}) }
	for i := range 5 * mostHeaders {
		c.put(pid(i), 1, schema.Header{Required: i})
		assert.LessOrEqual(t, len(c.now)+len(c.then), 2*mostHeaders)
		if i%1000 == 999 {
			assert.Equal(t, i-999, c.get(pid(i-999), 1).Required)
		}
	}
	assert.Nil(t, c.get(pid(0), 1), "the first is forgotten")
	assert.Nil(t, c.get(pid(5*mostHeaders-1), 2), "of another epoch")
}
