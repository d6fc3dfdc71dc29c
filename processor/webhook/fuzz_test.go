package webhook

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/webhook"
)

// FuzzArgs: no args crash the reader, and a path that it takes is one that the client
// takes; what is posted says the args as they are.
func FuzzArgs(f *testing.F) {
	f.Add([]byte(`{"x":1,"webhook":{"path":"/a","task":"t","at":"now"}}`))
	f.Add([]byte(`{"webhook":{"path":"/../b"}}`))
	f.Add([]byte(`{"webhook":null,"WEBHOOK":{"path":"//h"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if !schema.IsObject(text) {
			return
		}
		a, err := parseArgs(text)
		if err == nil && a.Path != "" {
			require.NoError(t, webhook.CheckPath(a.Path))
		}
		posted, err := body(&processor.Node{Run: "r", Kind: Kind, Args: text}, "key")
		require.NoError(t, err)
		var n webhook.Node
		require.NoError(t, json.Unmarshal(posted, &n))
		require.JSONEq(t, string(text), string(n.Args))
	})
}
