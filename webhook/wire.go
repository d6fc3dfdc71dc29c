package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/ramify/ramify/schema"
)

// AnswerType is the content type of an Answer. What has another is not read: an
// application written for the daemon answers whatever it likes.
const AnswerType = "application/vnd.ramify.answer+json"

// UserAgent is that of all requests. Frameworks look for what is before the slash.
const UserAgent = "aws-sqsd/2.0"

// The daemon's headers. Source: Elastic Beanstalk Developer Guide, "Elastic
// Beanstalk worker environments", "The worker environment SQS daemon" and "Periodic
// tasks".
const (
	HeaderMessage  = "X-Aws-Sqsd-Msgid"             // names the piece of work, in all its attempts
	HeaderQueue    = "X-Aws-Sqsd-Queue"             // the queue's name
	HeaderReceived = "X-Aws-Sqsd-First-Received-At" // UTC, ISO 8601
	HeaderReceives = "X-Aws-Sqsd-Receive-Count"     // this attempt included
	HeaderSender   = "X-Aws-Sqsd-Sender-Id"         // who sent the message
	HeaderTask     = "X-Aws-Sqsd-Taskname"          // of a periodic task
	HeaderAt       = "X-Aws-Sqsd-Scheduled-At"      // of a periodic task: when it was due
	HeaderPath     = "X-Aws-Sqsd-Path"              // of a periodic task: where it is posted
	HeaderAttr     = "X-Aws-Sqsd-Attr-"             // and the name of a message attribute
)

// Node is the body of a POST that is about a node of a run.
type Node struct {
	V     int         `json:"v"` // 1
	Run   string      `json:"run"`
	Kind  string      `json:"kind"`
	ID    string      `json:"id"`             // its name for people
	Key   string      `json:"key"`            // equal in all attempts at the node: for idempotency
	Args  schema.Args `json:"args,omitempty"` // a JSON object
	Depth int         `json:"depth"`          // 0 at the root
	Epoch int         `json:"epoch"`          // how often the run was redriven
	Tries int         `json:"tries"`          // attempts that have failed
}

// Version is that of Node and Answer.
const Version = 1

// Answer is what an application may say of a node, in a response of AnswerType: with
// status 200 what came of it, with any other what went wrong.
type Answer struct {
	Children []Child           `json:"children,omitempty"`
	Rows     []json.RawMessage `json:"rows,omitempty"`    // results: JSON objects, one a row
	Objects  int64             `json:"objects,omitempty"` // counted for the node; 0 or more
	Bytes    int64             `json:"bytes,omitempty"`   // 0 or more

	Error  string `json:"error,omitempty"`   // why it failed, for people
	GiveUp bool   `json:"give_up,omitempty"` // no retry will mend it
}

// Child is a child of a node.
type Child struct {
	Kind   string      `json:"kind,omitempty"` // the node's own, if empty
	ID     string      `json:"id"`
	Args   schema.Args `json:"args,omitempty"`
	Weight uint32      `json:"weight,omitempty"` // its part of the progress relative to its siblings; 0 counts 1
}

// ReadAnswer reads an Answer. Unknown fields, a second value and rows that are no
// objects are refused; the error names the field.
func ReadAnswer(body []byte) (a Answer, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return Answer{}, fmt.Errorf("read answer: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Answer{}, fmt.Errorf("read answer: there is more behind its JSON object")
	}
	if err := a.check(); err != nil {
		return Answer{}, fmt.Errorf("read answer: %w", err)
	}
	return a, nil
}

func (a *Answer) check() error {
	switch {
	case a.Objects < 0:
		return &schema.FieldError{Field: "objects", Value: strconv.FormatInt(a.Objects, 10), Want: "0 or more"}
	case a.Bytes < 0:
		return &schema.FieldError{Field: "bytes", Value: strconv.FormatInt(a.Bytes, 10), Want: "0 or more"}
	}
	for i, r := range a.Rows {
		if !schema.IsObject(r) {
			return &schema.FieldError{Field: fmt.Sprintf("rows[%d]", i), Value: string(r), Want: "a JSON object"}
		}
	}
	for i, c := range a.Children {
		if len(c.Args) > 0 && !schema.IsObject(c.Args) {
			return &schema.FieldError{Field: fmt.Sprintf("children[%d].args", i), Value: string(c.Args), Want: "a JSON object"}
		}
	}
	return nil
}
