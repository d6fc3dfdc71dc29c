package inventory

import (
	"crypto/md5" // #nosec G501 -- the layout asks for it
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Names of the files that describe an inventory, beside its data files.
const (
	ManifestName = "manifest.json"
	ChecksumName = "manifest.checksum" // holds the MD5 of manifest.json in hexadecimal
)

// Manifest lists the files of an inventory, in the layout of S3 Inventory.
//
// Source: Amazon S3 User Guide, "Locating your inventory list", Inventory
// manifest. The formats that S3 does not have are called Keys and NDJSON.
type Manifest struct {
	SourceBucket      string `json:"sourceBucket"`
	DestinationBucket string `json:"destinationBucket"`
	Version           string `json:"version"`
	CreationTimestamp string `json:"creationTimestamp"` // milliseconds since 1970, in decimal
	FileFormat        string `json:"fileFormat"`
	FileSchema        string `json:"fileSchema"`
	Files             []File `json:"files"`
}

// File is a data file of an inventory.
type File struct {
	Key  string `json:"key"`  // its name relative to the destination
	Size int64  `json:"size"` // bytes
	MD5  string `json:"MD5checksum"`
}

// NewManifest describes an inventory in the layout, with no files yet.
func NewManifest(l Layout, source, destination string, created time.Time) *Manifest {
	return &Manifest{
		SourceBucket:      source,
		DestinationBucket: destination,
		Version:           "2016-11-30",
		CreationTimestamp: strconv.FormatInt(created.UnixMilli(), 10),
		FileFormat:        formats[l.format].manifest,
		FileSchema:        l.Schema(),
		Files:             []File{},
	}
}

// Encode is the content of manifest.json and that of manifest.checksum.
func (m *Manifest) Encode() (manifest, checksum []byte, err error) {
	manifest, err = json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, nil, fmt.Errorf("encode manifest: %w", err)
	}
	manifest = append(manifest, '\n')
	return manifest, Checksum(manifest), nil
}

// Checksum is the content of manifest.checksum for that of a manifest.json.
func Checksum(manifest []byte) []byte {
	sum := md5.Sum(manifest)
	return hex.AppendEncode(nil, sum[:])
}
