package s3inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// Kind is the kind of the nodes that this processor takes.
const Kind = "s3.inventory"

// args are those of a manifest or of a data file.
type args struct {
	Manifest string `json:"manifest,omitempty"` // its place
	MD5      string `json:"md5,omitempty"`      // in hexadecimal; "": not known

	File     string `json:"file,omitempty"` // its place
	Size     int64  `json:"size,omitempty"` // bytes
	Format   string `json:"format,omitempty"`
	Schema   string `json:"schema,omitempty"`   // as the manifest's, where the file does not tell
	Source   string `json:"source,omitempty"`   // the bucket that is listed
	Versions bool   `json:"versions,omitempty"` // the file is of all versions
}

func parseArgs(raw schema.Args) (a args, err error) {
	if len(raw) == 0 {
		return a, errors.New(`read args: none given, want {"manifest":"s3://…/manifest.json"}`)
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, fmt.Errorf("read args: %w", err)
	}
	at := &a.Manifest
	switch {
	case a.Manifest != "" && a.File != "":
		return a, errors.New("read args: want one of manifest and file")
	case a.File != "":
		at = &a.File
		if _, err := a.manifest().Format(); err != nil {
			return a, fmt.Errorf("read args: %w", err)
		}
	case a.Manifest == "":
		return a, fmt.Errorf("read args: %w", &schema.FieldError{Field: "manifest", Want: "s3://…/manifest.json, or a path"})
	}
	if _, isLocal := place(*at).path(); isLocal || a.File != "" {
		return a, nil
	}
	p, err := parsePlace(a.Manifest)
	a.Manifest = string(p)
	if err != nil {
		return a, fmt.Errorf("read args: manifest is %q: %w", a.Manifest, err)
	}
	return a, nil
}

// manifest is as much of a manifest as it takes to read the file.
func (a args) manifest() *inventory.Manifest {
	return &inventory.Manifest{FileFormat: a.Format, FileSchema: a.Schema}
}

func (a args) child(weight int64) processor.Child {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a); err != nil {
		panic(err) // strings and numbers
	}
	id := place(a.Manifest)
	if a.File != "" {
		id = place(a.File)
	}
	return processor.Child{ID: id.String(), Args: bytes.TrimSuffix(b.Bytes(), []byte("\n")), Weight: uint32(min(max(weight, 1), 1<<30))}
}
