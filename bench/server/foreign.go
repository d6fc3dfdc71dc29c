package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/ramify/ramify/bench/keys"
)

// theirs serves the list by a server that we did not write, from its memory.
func theirs(list *keys.List) (http.Handler, error) {
	backend := s3mem.New()
	err := backend.CreateBucket(bucket)
	if err != nil {
		return nil, fmt.Errorf("create bucket: %w", err)
	}
	var cut error
	for key := range list.Seq(&cut) {
		if _, err := backend.PutObject(bucket, key, nil, strings.NewReader(""), 0, nil); err != nil {
			return nil, fmt.Errorf("put %q: %w", key, err)
		}
	}
	if cut != nil {
		return nil, cut
	}
	return gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server(), nil
}
