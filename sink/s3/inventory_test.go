package s3_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor/s3inventory"
	"github.com/ramify/ramify/sink"
)

// What reads reports of S3 Inventory reads ours where they lie.
func TestIsAnInventory(t *testing.T) {
	for _, f := range []inventory.Format{inventory.CSV, inventory.NDJSON, inventory.Parquet} {
		s := newServer(t)
		made := s.open(s.options(f.Layout()))
		p := begin(t, made, 1, 1)
		for n := range 3 {
			require.NoError(t, p.Write(t.Context(), sink.Rows, row(f.Layout(), fmt.Sprint("key ", n)), 1))
		}
		commitLeaf(t, p, 3)
		sum := finish(t, made, 1)
		read, err := s3inventory.Open(t.Context(), s.client, sum.Location)
		require.NoError(t, err)
		assert.Equal(t, "b", read.SourceBucket)
		assert.Len(t, read.Files, sum.Files)
		assert.Equal(t, []string{"key 0", "key 1", "key 2"}, s.rows(results))
	}
}
