package reverse_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/processor/reverse"
	"github.com/ramify/ramify/sink"
)

func TestReverse(t *testing.T) {
	for id, want := range map[string]string{"": "", "stressed": "desserts", "né\"": "\"én"} {
		r, err := processortest.Run(t.Context(), reverse.Processor{}, &processor.Node{ID: id})
		require.NoError(t, err)
		assert.JSONEq(t, fmt.Sprintf(`{"id": %q, "reversed": %q}`, id, want), string(r.Streams[sink.Rows].Bytes()))
		assert.Equal(t, int64(1), r.Objects)
	}
}
