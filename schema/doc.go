// Package schema is the node message: what one message on a queue says, how it
// is validated, identified and signed. It imports nothing of ours; everything
// else in the house speaks its words.
package schema
