package s3serve

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
)

// FromObjects returns a listing of the objects, in any order. Of several with
// the same key the last stands. Their content is zero bytes.
func FromObjects(objects []Object) (*Listing, error) {
	l := &Listing{}
	refs := make([]ref, 0, len(objects))
	for _, o := range objects {
		r, err := l.store.addObject(o, false)
		if err != nil {
			return nil, fmt.Errorf("list objects: %w", err)
		}
		refs = append(refs, r)
	}
	return l.publish(refs, ""), nil
}

// Keys returns a listing of the keys read, one a line, in any order; empty
// lines are passed over and a key that stands twice is listed once. Sizes,
// times and ETags are derived from the key, the same every time; the content
// is zero bytes. Five million keys of 57 bytes take about 400 MB.
func Keys(r io.Reader) (*Listing, error) {
	l := &Listing{}
	var refs []ref
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		ref, err := l.store.addKey(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("read keys: line %d: %w", n, err)
		}
		refs = append(refs, ref)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	return l.publish(slices.Clip(refs), ""), nil
}

// FromKeys is [Keys] for keys that may hold line feeds.
func FromKeys(keys iter.Seq[string]) (*Listing, error) {
	l := &Listing{}
	var refs []ref
	for key := range keys {
		ref, err := l.store.addKey(key)
		if err != nil {
			return nil, fmt.Errorf("list keys: %w", err)
		}
		refs = append(refs, ref)
	}
	return l.publish(slices.Clip(refs), ""), nil
}

// Tree returns a listing of the regular files below dir, their keys being their
// paths below it. Contents are read from disk when asked for. Symbolic links,
// special files, folders that cannot be read and names that no key can have are
// skipped, and counted by [Listing.Skipped]. Files that come, go or change
// later do not show.
func Tree(dir string) (*Listing, error) {
	// Walking does not follow links, not even the one it is given.
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, fmt.Errorf("walk tree: %w", err)
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("walk tree: %s is not a folder", dir)
	}
	l := &Listing{}
	var refs []ref
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil && path == dir {
			return err
		}
		if err == nil && d.IsDir() {
			return nil
		}
		o, ok := fileObject(dir, path, d, err)
		if !ok {
			l.skipped++
			return nil
		}
		if r, err := l.store.addObject(o, true); err == nil {
			refs = append(refs, r)
		} else {
			l.skipped++
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk tree: %w", err)
	}
	return l.publish(slices.Clip(refs), dir), nil
}

// fileObject describes the file at path, unless it cannot be served.
func fileObject(dir, path string, d fs.DirEntry, err error) (Object, bool) {
	if err != nil || !d.Type().IsRegular() {
		return Object{}, false
	}
	info, err := d.Info()
	if err != nil {
		return Object{}, false
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return Object{}, false
	}
	return Object{Key: filepath.ToSlash(rel), Size: info.Size(), LastModified: info.ModTime()}, true
}

// publish sorts refs and makes them the listing's content.
func (l *Listing) publish(refs []ref, dir string) *Listing {
	refs = sortRefs(l.store.blocks, refs)
	l.now.Store(&snapshot{blocks: l.store.blocks, refs: refs, dir: dir})
	return l
}

// sortRefs sorts by key and keeps the last added of each key.
func sortRefs(blocks [][]byte, refs []ref) []ref {
	byKey := func(a, b ref) int {
		if c := bytes.Compare(keyAt(blocks, a), keyAt(blocks, b)); c != 0 {
			return c
		}
		return cmp.Compare(b, a) // later places are higher
	}
	if !slices.IsSortedFunc(refs, byKey) {
		slices.SortFunc(refs, byKey)
	}
	return slices.CompactFunc(refs, func(a, b ref) bool {
		return bytes.Equal(keyAt(blocks, a), keyAt(blocks, b))
	})
}
