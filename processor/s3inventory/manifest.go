package s3inventory

import (
	"bytes"
	"context"
	"crypto/md5" // #nosec G501 -- the layout asks for it
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ramify/ramify/filter"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/s3client"
)

const (
	maxManifest = 256 << 20 // bytes; of S3's, about a million files
	maxChecksum = 1 << 10

	// arn begins the destination of a manifest that S3 has written.
	arn = "arn:aws"
)

// Inventory is a manifest that was read.
type Inventory struct {
	*inventory.Manifest
	at  place
	md5 string // of the manifest
}

// Open reads a manifest: a manifest.json, s3://bucket/… or a path, or the folder
// that it lies in. It is held against manifest.checksum where that can be read.
func Open(ctx context.Context, from Getter, name string) (*Inventory, error) {
	p, err := parsePlace(name)
	if err != nil {
		return nil, fmt.Errorf("inventory is %q: %w", name, err)
	}
	return open(ctx, from, p, nil)
}

func open(ctx context.Context, from Getter, p place, count func(int64)) (*Inventory, error) {
	content := &bounded{left: maxManifest}
	if err := get(ctx, from, p, content, count); err != nil {
		return nil, err
	}
	sum := md5.Sum(content.Bytes())
	v := &Inventory{at: p, md5: hex.EncodeToString(sum[:])}
	if err := v.check(ctx, from, count); err != nil {
		return nil, err
	}
	var err error
	if v.Manifest, err = inventory.ParseManifest(content.Bytes()); err != nil {
		return nil, v.bad(err)
	}
	if f, _ := v.Format(); f == inventory.Keys {
		return nil, v.bad(errors.New("its files hold keys and nothing else: no sizes, no dates; want one of CSV, NDJSON or Parquet"))
	}
	seen := make(map[string]bool, len(v.Files))
	for _, f := range v.Files {
		if seen[f.Key] {
			return nil, v.bad(fmt.Errorf("it lists file %q twice: its objects would be counted twice", f.Key))
		}
		seen[f.Key] = true
	}
	return v, nil
}

// bad is what is wrong with the manifest's content: no retry mends it.
func (v *Inventory) bad(err error) error {
	return processor.Permanent(fmt.Errorf("read inventory %s: %w", v.at, err))
}

// check holds the manifest against its checksum, if there is one that can be read:
// without the right to list a bucket, what is missing is denied.
func (v *Inventory) check(ctx context.Context, from Getter, count func(int64)) error {
	p := v.at.beside(inventory.ChecksumName)
	content := &bounded{left: maxChecksum}
	err := get(ctx, from, p, content, count)
	switch {
	case errors.Is(err, fs.ErrNotExist), s3client.IsMissing(err):
		return nil
	case err != nil:
		return err
	}
	if want := strings.TrimSpace(content.String()); !strings.EqualFold(want, v.md5) {
		// Not permanent: it may be about to be written.
		return fmt.Errorf("read inventory %s: its MD5 is %s, but %s says %q", v.at, v.md5, inventory.ChecksumName, s3client.Shorten(s3client.Readable(want), 80))
	}
	return nil
}

// versions reports whether the inventory is of all versions of objects.
func (v *Inventory) versions() bool {
	return v.Columns().Has("VersionId") || v.Columns().Has("IsLatest") || v.Columns().Has("IsDeleteMarker")
}

// CanTell says what the inventory lacks for what a run wants of it.
func (v *Inventory) CanTell(versions, checksums bool, only *filter.Filter) error {
	has := v.Columns().Has
	switch {
	case versions && !v.versions():
		return v.bad(errors.New("it is of current versions only, and all are asked for (--versions)"))
	case !versions && v.versions() && (!has("IsLatest") || !has("IsDeleteMarker")):
		return v.bad(fmt.Errorf("its fileSchema %q has no IsLatest or no IsDeleteMarker, so it does not tell which versions are current; --versions takes them all", v.FileSchema))
	case checksums && (!has("Size") || !has("ETag")):
		return v.bad(fmt.Errorf("its fileSchema %q has no Size or no ETag, of which digests are made (--checksums)", v.FileSchema))
	}
	for _, column := range only.Needs() {
		if !has(column) {
			return v.bad(fmt.Errorf("its fileSchema %q has no %s, which a filter is about", v.FileSchema, column))
		}
	}
	return nil
}

// Root is the node that stands for the inventory as it was read: should the
// manifest be another by the time it is processed, that is refused.
func (v *Inventory) Root() processor.Child {
	return args{Manifest: string(v.at), MD5: v.md5}.child(0)
}

// bounded is a buffer for what others have written.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("it is longer than a file of its name can be")
	}
	return b.Buffer.Write(p)
}
