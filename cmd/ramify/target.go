package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/schema"
)

// target is what a run begins with.
type target struct {
	name   string // as shown to people
	root   ledger.Kid
	bucket string // of an S3 target
	prefix string
}

// parseTarget reads s3://bucket/prefix or a node as JSON.
func parseTarget(s, node string) (target, error) {
	switch {
	case strings.HasPrefix(s, "s3://"):
		return s3Target(s, node)
	case strings.HasPrefix(strings.TrimSpace(s), "{"):
		return jsonTarget(s)
	default:
		return target{}, usagef("target %q is not known; want s3://bucket/prefix or a node as JSON, {\"kind\": …}", s)
	}
}

func s3Target(s, node string) (target, error) {
	bucket, prefix, err := s3crawl.ParseURL(s)
	if err != nil {
		return target{}, usageError{err}
	}
	c := s3crawl.Root(bucket, prefix, s3crawl.Mode(node))
	return target{name: s, root: ledger.Kid{Kind: s3crawl.Kind, ID: c.ID, Args: c.Args}, bucket: bucket, prefix: prefix}, nil
}

func jsonTarget(s string) (target, error) {
	var n struct {
		Kind string      `json:"kind"`
		ID   string      `json:"id"`
		Args schema.Args `json:"args"`
	}
	dec := json.NewDecoder(strings.NewReader(s))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&n); err != nil {
		return target{}, usagef("target is not a node: %w; want {\"kind\": …, \"id\": …, \"args\": {…}}", err)
	}
	if dec.More() {
		return target{}, usagef("target is not one node: something follows it; want {\"kind\": …, \"id\": …, \"args\": {…}}")
	}
	if err := schema.CheckKind(n.Kind); err != nil {
		return target{}, usagef("target: %w", err)
	}
	return targetOf(fmt.Sprintf("%s %s", n.Kind, n.ID), ledger.Kid{Kind: n.Kind, ID: n.ID, Args: n.Args}), nil
}

// targetOf is the target with such a root. Of a crawl it knows the bucket, as from
// a URL: that is checked before a run begins or goes on, and stands in the manifest.
func targetOf(name string, root ledger.Kid) target {
	t := target{name: name, root: root}
	if root.Kind == s3crawl.Kind {
		var args struct{ Bucket, Prefix string }
		if json.Unmarshal(root.Args, &args) == nil { // what is wrong with them, the crawl says best
			t.bucket, t.prefix = args.Bucket, args.Prefix
		}
	}
	return t
}
