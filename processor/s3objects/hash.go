package s3objects

import (
	"context"
	"crypto/md5"  // #nosec G501 -- people ask for it
	"crypto/sha1" // #nosec G505 -- people ask for it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// HashKind is the kind of the nodes that Hash takes.
const HashKind = "s3.hash"

// Hash writes a row for each object, with a digest of its body:
//
//	{"bucket":"b","key":"k","size":3,"versionId":"v","sha256":"…"}
type Hash struct{}

var _ Content = Hash{}

// hashArgs are those of a node.
type hashArgs struct {
	Object
	Algorithm string `json:"algorithm,omitempty"` // "" is sha256
}

var hashes = map[string]func() hash.Hash{"sha256": sha256.New, "sha512": sha512.New, "sha1": sha1.New, "md5": md5.New}

// Object implements Content.
func (Hash) Object(_ context.Context, n *processor.Node, o *Object, body io.Reader, out processor.Out) error {
	var a hashArgs
	if err := ParseArgs(n.Args, &a); err != nil {
		return processor.Permanent(err)
	}
	if a.Algorithm == "" {
		a.Algorithm = "sha256"
	}
	h := hashes[a.Algorithm]
	if h == nil {
		return processor.Permanent(fmt.Errorf("read args: %w", &schema.FieldError{Field: "algorithm", Value: a.Algorithm, Want: "sha256, sha512, sha1 or md5"}))
	}
	sum := h()
	if _, err := io.Copy(sum, body); err != nil {
		return err
	}
	row, err := encode(struct {
		Bucket    string `json:"bucket"`
		Key       string `json:"key"`
		Size      int64  `json:"size"`
		VersionID string `json:"versionId,omitempty"`
	}{o.Bucket, o.Key, o.Size, o.VersionID})
	if err != nil {
		return err
	}
	row = fmt.Appendf(row[:len(row)-1], `,%q:"%s"}`+"\n", a.Algorithm, hex.EncodeToString(sum.Sum(nil)))
	if err := out.Write(sink.Rows, row, 1); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	return nil
}
