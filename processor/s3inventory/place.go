package s3inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/s3client"
)

// Getter gets objects; *s3client.Client is one. It retries what may pass and
// tells how many requests went out.
type Getter interface {
	Get(ctx context.Context, bucket, key string, w io.Writer, count func(requests int64)) (permanent bool, err error)
}

// place is where a file lies: s3://bucket/key, the key as it is, or file: and a
// path of this machine.
type place string

const (
	onS3  = "s3://"
	local = "file:"
)

// parsePlace finds a manifest by what people call it: a manifest.json, or the
// folder that it lies in.
func parsePlace(s string) (place, error) {
	if rest, ok := strings.CutPrefix(s, onS3); ok {
		bucket, key, _ := strings.Cut(rest, "/")
		if bucket == "" {
			return "", errors.New("want s3://bucket/…/" + inventory.ManifestName)
		}
		if !strings.HasSuffix(key, ".json") {
			key = strings.TrimSuffix(key, "/") + "/" + inventory.ManifestName
		}
		return place(onS3 + bucket + "/" + strings.TrimPrefix(key, "/")), nil
	}
	s = strings.TrimPrefix(strings.TrimPrefix(s, local+"//"), local)
	if s == "" || strings.Contains(s, "://") {
		return "", errors.New("want s3://bucket/…/" + inventory.ManifestName + " or a folder of this machine")
	}
	full, err := filepath.Abs(s)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(full); err == nil && info.IsDir() {
		full = filepath.Join(full, inventory.ManifestName)
	}
	return place(local + full), nil
}

// object takes an s3:// place apart.
func (p place) object() (bucket, key string, ok bool) {
	rest, ok := strings.CutPrefix(string(p), onS3)
	bucket, key, _ = strings.Cut(rest, "/")
	return bucket, key, ok
}

// path is that of a file of this machine.
func (p place) path() (string, bool) { return strings.CutPrefix(string(p), local) }

// beside is a file in the same folder.
func (p place) beside(name string) place {
	return p[:strings.LastIndexAny(string(p), `/\`)+1] + place(name)
}

// String is the place as people read it.
func (p place) String() string {
	name := string(p)
	if local, ok := p.path(); ok {
		name = local
	}
	return s3client.Shorten(s3client.Readable(name), 300)
}

// resolve finds a data file by its key in the manifest at p. S3 writes keys of
// the destination bucket, which is taken to be the one that the manifest lies in:
// an inventory that was copied whole can be read where it is. Other manifests,
// ours among them, name files relative to themselves.
func (p place) resolve(key string, byS3 bool) (place, error) {
	bucket, manifest, ok := p.object()
	switch {
	case ok && byS3:
		return place(onS3 + bucket + "/" + key), nil
	case ok:
		return place(onS3 + bucket + "/" + path.Join(path.Dir(manifest), key)), nil
	case !filepath.IsLocal(filepath.FromSlash(key)), path.Clean(key) == ".":
		return "", fmt.Errorf("file %q of the manifest lies outside of its folder", key)
	}
	full, _ := p.path()
	folder := filepath.Dir(full)
	near := filepath.Join(folder, filepath.FromSlash(key))
	if byS3 {
		// Where S3 puts it: in data/, beside the folder of the manifest.
		if _, err := os.Stat(near); err != nil {
			near = filepath.Join(filepath.Dir(folder), "data", path.Base(path.Clean(key)))
		}
	}
	return place(local + near), nil
}

// get writes what lies at a place. Its errors are permanent where no retry will
// mend them.
func get(ctx context.Context, from Getter, p place, w io.Writer, count func(int64)) error {
	if bucket, key, ok := p.object(); ok {
		permanent, err := from.Get(ctx, bucket, key, w, count)
		if permanent {
			return processor.Permanent(err)
		}
		return err
	}
	name, _ := p.path()
	f, err := os.Open(name)
	if err != nil {
		return processor.Permanent(fmt.Errorf("open file of inventory: %w", err))
	}
	defer func() { _ = f.Close() }() // it was only read
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("read file of inventory: %w", err)
	}
	return nil
}
