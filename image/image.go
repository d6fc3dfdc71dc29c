// Package image puts Ramify's binary into a container image, without a container
// engine: one layer with the binary and a folder to write to, and nothing else. The
// same binary makes the same image, bit for bit, on any machine.
//
// The Dockerfile makes the same for who has an engine. Roots of trust are in the
// binary (golang.org/x/crypto/x509roots/fallback), so that the image needs no file of
// them; SSL_CERT_FILE names others.
//
// Source: the OCI Image Format Specification.
package image

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// Binary is where the program is in the image.
	Binary = "/ramify"

	// Scratch is the one folder that the user may write to, a volume: the root file
	// system can be read-only.
	//
	// Source: Amazon ECS Developer Guide, "Use bind mounts with Amazon ECS": a volume
	// takes its owner from the folder of the image that VOLUME names.
	Scratch = "/tmp"

	uid = 65532 // nobody's in particular, and not root
)

// epoch is when everything in the image was made: no clock makes images differ.
var epoch = time.Unix(0, 0).UTC()

// Build makes an image of a static Linux binary, for amd64 or arm64. The version is
// its label.
func Build(binary, version string) (v1.Image, error) {
	arch, err := architecture(binary)
	if err != nil {
		return nil, fmt.Errorf("build image of %s: %w", binary, err)
	}
	files, err := archive(binary)
	if err != nil {
		return nil, fmt.Errorf("build image of %s: %w", binary, err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("build image of %s: %w", binary, err)
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.Append(img, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "image.Build", Comment: Binary + " and " + Scratch},
	})
	if err != nil {
		return nil, fmt.Errorf("build image of %s: %w", binary, err)
	}
	img, err = mutate.ConfigFile(img, config(img, arch, version))
	if err != nil {
		return nil, fmt.Errorf("build image of %s: %w", binary, err)
	}
	return img, nil
}

// config is the same as the Dockerfile's.
func config(img v1.Image, arch, version string) *v1.ConfigFile {
	c, err := img.ConfigFile()
	if err != nil {
		c = &v1.ConfigFile{} // which an image made here has
	}
	c = c.DeepCopy()
	c.OS, c.Architecture, c.Created = "linux", arch, v1.Time{Time: epoch}
	c.Config = v1.Config{
		User:       fmt.Sprintf("%d:%d", uid, uid),
		Entrypoint: []string{Binary},
		Cmd:        []string{"task"},
		Env:        []string{"TMPDIR=" + Scratch},
		Volumes:    map[string]struct{}{Scratch: {}},
		WorkingDir: "/",
		Labels: map[string]string{
			"org.opencontainers.image.title":    "ramify",
			"org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.version":  version,
		},
	}
	return c
}

// architecture refuses what does not run in an empty image.
func architecture(binary string) (string, error) {
	f, err := elf.Open(binary)
	if err != nil {
		return "", fmt.Errorf("read it as a program for Linux: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return "", fmt.Errorf("it is linked to libraries of the system, which an empty image has not: build it with CGO_ENABLED=0")
		}
	}
	switch f.Machine {
	case elf.EM_X86_64:
		return "amd64", nil
	case elf.EM_AARCH64:
		return "arm64", nil
	}
	return "", fmt.Errorf("it is for %v, want amd64 or arm64", f.Machine)
}

// archive is the layer.
func archive(binary string) ([]byte, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range []struct {
		tar.Header
		content []byte
	}{
		{tar.Header{Typeflag: tar.TypeReg, Name: filepath.Base(Binary), Mode: 0o755, Size: int64(len(program))}, program},
		{tar.Header{Typeflag: tar.TypeDir, Name: filepath.Base(Scratch) + "/", Mode: 0o755, Uid: uid, Gid: uid}, nil},
	} {
		e.ModTime, e.Format = epoch, tar.FormatPAX
		if err := w.WriteHeader(&e.Header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Index is one image for several architectures.
func Index(images ...v1.Image) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, img := range images {
		c, err := img.ConfigFile()
		if err != nil {
			return nil, fmt.Errorf("join images: %w", err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: c.OS, Architecture: c.Architecture}},
		})
	}
	return index, nil
}

// Name is what the image of an archive is called once it is loaded.
const Name = "ramify:latest"

// Write writes an index as an OCI archive, a tar file that podman and skopeo load, and
// docker where it keeps images in containerd's store. Of what is there already nothing
// stays.
//
// The archive has one image, which is for several architectures: podman and skopeo
// refuse one with several images, unless they are told which.
//
// Source: the OCI Image Format Specification, "OCI Image Layout Specification".
func Write(path string, index v1.ImageIndex) (err error) {
	dir, err := os.MkdirTemp("", "ramify-image-*")
	if err != nil {
		return fmt.Errorf("write image %s: %w", path, err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // of a temporary folder
	one := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add: index, Descriptor: v1.Descriptor{Annotations: map[string]string{
			"org.opencontainers.image.ref.name": Name,
			"io.containerd.image.name":          "docker.io/library/" + Name, // what docker calls it by that name
		}},
	})
	if _, err = layout.Write(dir, one); err != nil {
		return fmt.Errorf("write image %s: %w", path, err)
	}
	// #nosec G301 -- as any build folder
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write image %s: %w", path, err)
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write image %s: %w", path, err)
	}
	if err := pack(f, dir); err != nil {
		_ = f.Close()
		return fmt.Errorf("write image %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write image %s: %w", path, err)
	}
	return nil
}

// pack writes the files of a folder, in the order of their names.
func pack(to io.Writer, dir string) error {
	w := tar.NewWriter(to)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: filepath.ToSlash(name), Mode: 0o644, Size: int64(len(data)), ModTime: epoch, Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}
