package schema

import (
	"bytes"
	_ "embed" // the schema is a file, for those who want to read or link it
)

//go:embed message.schema.json
var messageSchema []byte

// JSONSchema is the JSON Schema (draft 2020-12) of a message's body. What it
// accepts and what Parse accepts are the same, but for what a schema cannot
// say, where Parse is stricter; the descriptions of the fields name these.
// Source: json-schema.org, "JSON Schema: A Media Type for Describing JSON
// Documents", draft 2020-12.
func JSONSchema() []byte { return bytes.Clone(messageSchema) }
