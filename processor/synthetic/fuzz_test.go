package synthetic_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/processor/synthetic"
)

// FuzzParseSpec: no args crash the reader, and those that it takes are of a tree.
func FuzzParseSpec(f *testing.F) {
	f.Add([]byte(`{"shape":"skewed","depth":3,"fanout":7,"jitter":0.5,"work":"1ms","fail":0.1,"poison":0.01}`))
	f.Add([]byte(`{"shape":"wide","depth":10000,"fanout":16777216}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := synthetic.ParseSpec(text)
		if err != nil {
			return
		}
		require.NoError(t, s.Check())
		again, err := synthetic.ParseSpec(s.Args())
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}
