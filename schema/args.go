package schema

import "encoding/json"

// Args are a node's parameters: a JSON object, kept as the bytes it came in.
type Args = json.RawMessage
