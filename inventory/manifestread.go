package inventory

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strings"
)

// ParseManifest reads a manifest.json, ours or that of S3 Inventory. A manifest
// whose files cannot be read here (ORC) is an error that says so.
func ParseManifest(content []byte) (*Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(content, &m); err != nil {
		return nil, fmt.Errorf("parse manifest: %w", err)
	}
	if m.FileFormat == "" || m.FileSchema == "" {
		return nil, errors.New("parse manifest: it has no fileFormat or no fileSchema, so it is not a manifest of S3 Inventory")
	}
	if _, err := m.Format(); err != nil {
		return nil, fmt.Errorf("parse manifest: %w", err)
	}
	if !m.Columns().has(keyColumn) {
		return nil, fmt.Errorf("parse manifest: its fileSchema %q has no Key", m.FileSchema)
	}
	for i, f := range m.Files {
		if f.Key == "" {
			return nil, fmt.Errorf("parse manifest: file %d has no key", i+1)
		}
	}
	return &m, nil
}

// Format is that of the files.
func (m *Manifest) Format() (Format, error) {
	var all []string
	for f := Keys; f <= Parquet; f++ {
		if strings.EqualFold(formats[f].manifest, m.FileFormat) {
			return f, nil
		}
		all = append(all, formats[f].manifest)
	}
	return 0, fmt.Errorf("fileFormat is %q, want one of %s", m.FileFormat, strings.Join(all, ", "))
}

// field finds the names in the schema of a Parquet file.
var field = regexp.MustCompile(`(?:required|optional)\s+\w+\s+(\w+)`)

// Columns are what the files say of each object, as far as it is known here.
func (m *Manifest) Columns() Columns {
	stated := m.FileSchema
	if strings.HasPrefix(strings.TrimSpace(stated), "message") {
		var all []string
		for _, found := range field.FindAllStringSubmatch(stated, -1) {
			all = append(all, found[1])
		}
		stated = strings.Join(all, ",")
	}
	var c Columns
	for _, known := range []byte(parseSchema(stated).list) {
		if column(known) != unknownColumn {
			c = c.with(column(known))
		}
	}
	return c
}

// Read yields the objects of one of the manifest's files, given its content as
// it lies there: gzipped CSV, for instance. Only Parquet is read out of order. It
// ends with the first error.
func (m *Manifest) Read(content io.ReaderAt, size int64) iter.Seq2[Object, error] {
	f, err := m.Format()
	if err != nil {
		return failed(err)
	}
	if f == Parquet {
		return ReadParquet(content, size)
	}
	return func(yield func(Object, error) bool) {
		rows, err := f.Unpack(io.NewSectionReader(content, 0, size))
		if err != nil {
			yield(Object{}, err)
			return
		}
		defer rows.Close()
		objects := ReadCSV(rows, m.FileSchema)
		if f != CSV {
			objects = f.With(m.Columns()).Read(rows)
		}
		for o, err := range objects {
			if !yield(o, err) {
				return
			}
		}
	}
}
