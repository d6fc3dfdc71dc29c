package s3serve

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// Mutate changes the bucket at once: the keys in remove go, then the objects in
// put come, replacing those of the same key. A request that is being answered
// sees the bucket as it was before or after, never between; a walk in several
// requests sees the change from its next request on, as on S3. Either all
// changes are made or, on an error, none.
//
// One call copies eight bytes per object in the bucket, so many changes are
// best made in one call. The memory of what is removed is not given back. A
// listing of versions cannot be changed.
func (l *Listing) Mutate(put []Object, remove []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.now.Load()
	if old.versions != nil {
		return errors.New("change listing: it has versions")
	}

	added := make([]ref, 0, len(put))
	for _, o := range put {
		r, err := l.store.addObject(o, false)
		if err != nil {
			return fmt.Errorf("change listing: %w", err)
		}
		added = append(added, r)
	}
	added = sortRefs(l.store.blocks, added)
	edits := make([]edit, 0, len(added)+len(remove))
	for _, r := range added {
		edits = append(edits, edit{key: keyAt(l.store.blocks, r), put: r, puts: true})
	}
	for _, key := range remove {
		edits = append(edits, edit{key: []byte(key)})
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return bytes.Compare(a.key, b.key) })

	refs := make([]ref, 0, len(old.refs)+len(added))
	from := 0
	for i, e := range edits {
		if i > 0 && bytes.Equal(e.key, edits[i-1].key) {
			continue // stable: an addition stands before a removal of its key
		}
		to := old.seek(from, e.key)
		refs = append(refs, old.refs[from:to]...)
		if e.puts {
			refs = append(refs, e.put)
		}
		if from = to; from < len(old.refs) && bytes.Equal(old.key(from), e.key) {
			from++
		}
	}
	refs = append(refs, old.refs[from:]...)
	l.now.Store(&snapshot{blocks: l.store.blocks, refs: refs, dir: old.dir})
	return nil
}

// edit is one key's change: an object to put in its place, or nothing.
type edit struct {
	key  []byte
	put  ref
	puts bool
}
