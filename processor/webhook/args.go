package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/webhook"
)

// Kind is the kind of nodes that are posted whatever else the task posts.
const Kind = "webhook"

// args are what the args of a node say to us; all else in them is the application's.
type args struct {
	Path string `json:"path"` // where to post, below the application's URL
	Task string `json:"task"` // the node is a periodic task of this name
	At   string `json:"at"`   // when that was due
}

// parseArgs reads what is ours. It stands under one name, so that the application's
// args can have any but that.
func parseArgs(raw schema.Args) (args, error) {
	var in struct {
		Webhook json.RawMessage `json:"webhook"`
	}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &in); err != nil {
			return args{}, fmt.Errorf("read args: %w", err)
		}
	}
	var a args
	if len(in.Webhook) == 0 {
		return a, nil
	}
	d := json.NewDecoder(bytes.NewReader(in.Webhook))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return args{}, fmt.Errorf("read args: webhook: %w", err)
	}
	if a.Path != "" {
		if err := webhook.CheckPath(a.Path); err != nil {
			return args{}, fmt.Errorf("read args: webhook: %w", err)
		}
	}
	if a.At != "" && a.Task == "" {
		return args{}, fmt.Errorf("read args: webhook: %w", &schema.FieldError{Field: "at", Value: a.At, Want: "none without task"})
	}
	return a, nil
}

// body is a node as it is posted.
func body(n *processor.Node, key string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(webhook.Node{
		V: webhook.Version, Run: n.Run, Kind: n.Kind, ID: n.ID, Key: key, Args: n.Args, Depth: n.Depth, Epoch: n.Epoch, Tries: n.Tries,
	})
	if err != nil {
		return nil, fmt.Errorf("encode node: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
