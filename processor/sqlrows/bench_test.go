package sqlrows_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/processor/sqlrows"
)

// BenchmarkSQLRows is a node of a tree of 100,000 rows with two children each.
func BenchmarkSQLRows(b *testing.B) {
	for name, open := range map[string]func(testing.TB) server{"sqlite": openSQLite, "postgres": openPostgres} {
		b.Run(name, func(b *testing.B) {
			s := open(b)
			s.bulk(b, 100_000, "NULLIF(i / 2, 0)")
			p := s.processor(b)
			node := root(b, usual, nil)
			nodes := 0
			b.ResetTimer()
			for b.Loop() {
				tree, err := processortest.Walk(b.Context(), processor.Set{sqlrows.Kind: p}, node)
				require.NoError(b, err)
				nodes += int(tree.Account.Nodes)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(nodes), "µs/node")
			b.ReportMetric(0, "ns/op")
		})
	}
}
