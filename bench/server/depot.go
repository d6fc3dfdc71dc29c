package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/ramify/ramify/bench/keys"
	"github.com/ramify/ramify/bench/peer"
	"github.com/ramify/ramify/s3serve"
)

// copiesBucket is the bucket that can be copied to.
const copiesBucket = peer.Copies

// etagOfNothing is the MD5 of no bytes: objects that are copied are empty, so that
// what is measured is requests.
const etagOfNothing = "d41d8cd98f00b204e9800998ecf8427e"

// depot serves a list as the bucket "bench", and takes copies of its objects into
// the bucket "copies".
type depot struct {
	next   http.Handler
	copies *s3serve.Listing

	mu    sync.Mutex
	made  map[string]bool  // all there are
	fresh []s3serve.Object // that are not in copies yet
}

func newDepot(list *keys.List) (*depot, error) {
	var objects []s3serve.Object
	if err := list.Each(func(key string) {
		objects = append(objects, s3serve.Object{Key: key, ETag: etagOfNothing})
	}); err != nil {
		return nil, err
	}
	from, err := s3serve.FromObjects(objects)
	if err != nil {
		return nil, fmt.Errorf("load keys: %w", err)
	}
	d := &depot{made: map[string]bool{}}
	if d.copies, err = s3serve.FromObjects(nil); err != nil {
		return nil, err
	}
	d.next = s3serve.New(s3serve.Options{Buckets: map[string]*s3serve.Listing{bucket: from, copiesBucket: d.copies}})
	return d, nil
}

// ServeHTTP takes copies, and leaves all else to the server of the list.
func (d *depot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, is := strings.CutPrefix(r.URL.Path, "/"+copiesBucket+"/")
	switch {
	case is && r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		d.mu.Lock()
		d.made[key] = true
		d.fresh = append(d.fresh, s3serve.Object{Key: key, ETag: etagOfNothing})
		d.mu.Unlock()
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+`<CopyObjectResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"`+etagOfNothing+`"</ETag></CopyObjectResult>`)
		return
	case strings.HasPrefix(r.URL.Path, "/"+copiesBucket):
		d.settle()
	}
	d.next.ServeHTTP(w, r)
}

// settle shows what was copied.
func (d *depot) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.fresh) > 0 && d.copies.Mutate(d.fresh, nil) == nil {
		d.fresh = nil
	}
}

// count is how many objects there are copies of.
func (d *depot) count() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return int64(len(d.made))
}

// empty forgets all copies.
func (d *depot) empty() {
	d.settle()
	d.mu.Lock()
	defer d.mu.Unlock()
	gone := make([]string, 0, len(d.made))
	for key := range d.made {
		gone = append(gone, key)
	}
	_ = d.copies.Mutate(nil, gone) // what is there goes
	clear(d.made)
}
