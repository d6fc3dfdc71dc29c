// Package release puts what is given to people into files: an archive for each system,
// what it is made of (SBOM), and the checksums of all. The same programs make the same
// files, byte for byte, whoever makes them and when.
package release

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// SumsFile is the name of the file of checksums.
const SumsFile = "SHA256SUMS"

// File is one of an archive.
type File struct {
	Name    string // within the archive's folder
	Body    []byte
	Program bool // may be executed
}

// Archive packs files below a folder: a zip where the name ends in .zip, else a
// gzipped tar. They are sorted by name, are nobody's, and have one date.
func Archive(name, folder string, files []File, at time.Time) ([]byte, error) {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	var out bytes.Buffer
	write := writeTar
	if strings.HasSuffix(name, ".zip") {
		write = writeZip
	}
	if err := write(&out, folder, files, at.UTC().Truncate(2*time.Second)); err != nil { // a zip counts in twos
		return nil, fmt.Errorf("write archive %s: %w", name, err)
	}
	return out.Bytes(), nil
}

func (f File) mode() fs.FileMode {
	if f.Program {
		return 0o755
	}
	return 0o644
}

func writeTar(w io.Writer, folder string, files []File, at time.Time) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: path.Join(folder, f.Name), Size: int64(len(f.Body)), Mode: int64(f.mode()), ModTime: at, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(f.Body); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}

func writeZip(w io.Writer, folder string, files []File, at time.Time) error {
	z := zip.NewWriter(w)
	for _, f := range files {
		h := &zip.FileHeader{Name: path.Join(folder, f.Name), Method: zip.Deflate, Modified: at}
		h.SetMode(f.mode())
		in, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := in.Write(f.Body); err != nil {
			return err
		}
	}
	return z.Close()
}

// lean is the copy of a module that the command is built with (internal/lean).
var lean = regexp.MustCompile(`\./dist/lean/[a-z]+-(v[0-9][0-9A-Za-z.+-]*)`)

// SBOM is a CycloneDX document as a tool wrote it, without what differs each time: it has
// no serial number, and the time of the release. What was built from a copy of module
// edited is named by that module, and says so.
//
// Source: CycloneDX 1.6, "metadata.timestamp" and "serialNumber", both optional, and
// "components.pedigree".
func SBOM(text []byte, edited string, at time.Time) ([]byte, error) {
	text = regexp.MustCompile(lean.String()+`@\(devel\)`).ReplaceAll(text, []byte(edited+"@$1"))
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("read SBOM: %w", err)
	}
	metadata, ok := doc["metadata"].(map[string]any)
	all, _ := doc["components"].([]any)
	if !ok || doc["bomFormat"] != "CycloneDX" || len(all) == 0 {
		return nil, fmt.Errorf("read SBOM: it is no CycloneDX document with metadata and components")
	}
	for _, one := range all {
		c, _ := one.(map[string]any)
		name, _ := c["name"].(string)
		if m := lean.FindStringSubmatch(name); m != nil {
			c["name"], c["version"] = edited, m[1]
			c["pedigree"] = map[string]any{"notes": "edited: methods that are looked up by name are spelled out (internal/lean)"}
		}
	}
	delete(doc, "serialNumber")
	metadata["timestamp"] = at.UTC().Format(time.RFC3339)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("write SBOM: %w", err)
	}
	return out.Bytes(), nil
}

// Sums are the checksums of the files in a folder, as sha256sum writes and checks them.
func Sums(dir string) ([]byte, error) {
	entries, err := os.ReadDir(dir) // by name
	if err != nil {
		return nil, fmt.Errorf("sum up files: %w", err)
	}
	var out bytes.Buffer
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), SumsFile) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("sum up files: %w", err)
		}
		fmt.Fprintf(&out, "%x  %s\n", sha256.Sum256(text), e.Name())
	}
	return out.Bytes(), nil
}
