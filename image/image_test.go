package image_test

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/image"
	"github.com/ramify/ramify/internal/lean"
)

var folder string // of binaries, built as `make` does

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ramify-image-test-*")
	if err != nil {
		panic(err)
	}
	folder = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

var binaries = sync.OnceValues(func() (built []string, err error) {
	for _, arch := range []string{"amd64", "arm64"} {
		path := filepath.Join(folder, "linux-"+arch, "ramify")
		cmd := exec.Command("make", "-C", "..", "binary-"+arch, "DIST="+folder)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, errors.New(string(out))
		}
		built = append(built, path)
	}
	return built, nil
})

// archived is the image as it is read from an archive: index, and layer and
// configuration of each architecture.
type archived struct {
	bytes  []byte
	index  v1.ImageIndex
	images map[string]v1.Image
}

func build(t *testing.T) archived {
	t.Helper()
	paths, err := binaries()
	require.NoError(t, err)
	var images []v1.Image
	for _, p := range paths {
		img, err := image.Build(p, "v1")
		require.NoError(t, err)
		images = append(images, img)
	}
	index, err := image.Index(images...)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "image.tar")
	require.NoError(t, image.Write(path, index))
	return read(t, path)
}

func read(t *testing.T, path string) archived {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	dir := t.TempDir()
	eachEntry(t, bytes.NewReader(data), func(h *tar.Header, content []byte) {
		to := filepath.Join(dir, h.Name)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		require.NoError(t, os.WriteFile(to, content, 0o644))
	})
	a := archived{bytes: data, images: map[string]v1.Image{}}
	archive, err := layout.ImageIndexFromPath(dir)
	require.NoError(t, err)
	require.NoError(t, validate.Index(archive))
	all, err := archive.IndexManifest()
	require.NoError(t, err)
	require.Len(t, all.Manifests, 1, "podman and skopeo load an archive of one image")
	assert.Equal(t, "ramify:latest", all.Manifests[0].Annotations["org.opencontainers.image.ref.name"])
	a.index, err = archive.ImageIndex(all.Manifests[0].Digest)
	require.NoError(t, err)
	manifest, err := a.index.IndexManifest()
	require.NoError(t, err)
	for _, m := range manifest.Manifests {
		img, err := a.index.Image(m.Digest)
		require.NoError(t, err)
		require.Equal(t, "linux", m.Platform.OS)
		a.images[m.Platform.Architecture] = img
	}
	return a
}

func eachEntry(t *testing.T, r io.Reader, do func(*tar.Header, []byte)) {
	t.Helper()
	in := tar.NewReader(r)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		content, err := io.ReadAll(in)
		require.NoError(t, err)
		do(h, content)
	}
}

func TestImage(t *testing.T) {
	a := build(t)
	require.NoError(t, validate.Index(a.index), "digests and sizes are those of the content")
	require.Len(t, a.images, 2)
	for arch, img := range a.images {
		t.Run(arch, func(t *testing.T) {
			c, err := img.ConfigFile()
			require.NoError(t, err)
			assert.Equal(t, arch, c.Architecture)
			assert.Equal(t, "linux", c.OS)
			assert.Equal(t, "65532:65532", c.Config.User)
			assert.Equal(t, []string{"/ramify"}, c.Config.Entrypoint)
			assert.Equal(t, []string{"task"}, c.Config.Cmd)
			assert.Equal(t, []string{"TMPDIR=/tmp"}, c.Config.Env)
			assert.Equal(t, map[string]struct{}{"/tmp": {}}, c.Config.Volumes)
			assert.Empty(t, c.Config.ExposedPorts)
			assert.Equal(t, "v1", c.Config.Labels["org.opencontainers.image.version"])

			layers, err := img.Layers()
			require.NoError(t, err)
			require.Len(t, layers, 1)
			packed, err := layers[0].Size()
			require.NoError(t, err)
			content, err := layers[0].Uncompressed()
			require.NoError(t, err)
			var names []string
			var program []byte
			whole := int64(0)
			eachEntry(t, content, func(h *tar.Header, data []byte) {
				names = append(names, h.Name)
				whole += h.Size
				switch h.Name {
				case "ramify":
					program = data
					assert.Equal(t, int64(0o755), h.Mode)
					assert.Zero(t, h.Uid, "the user cannot change the program")
				case "tmp/":
					assert.Equal(t, 65532, h.Uid)
					assert.Equal(t, int64(0o755), h.Mode)
				}
			})
			assert.Equal(t, []string{"ramify", "tmp/"}, names)
			t.Logf("%s: %.1f MB, %.1f MB to fetch", arch, float64(whole)/1e6, float64(packed)/1e6)
			assert.Less(t, whole, int64(most))
			trusts(t, program)
		})
	}
}

// most is what the image is promised to be at most, unpacked.
const most = 40e6

// TestNoMethodByName: nothing in the command looks methods up by names that the linker
// does not know, which would keep all methods of the AWS SDK in it.
func TestNoMethodByName(t *testing.T) {
	modules, err := lean.Modfile(t.Context())
	require.NoError(t, err)
	cmd := exec.Command("go", "build", "-trimpath", "-modfile="+modules, "-ldflags=-dumpdep", "-o", filepath.Join(t.TempDir(), "ramify"), "../cmd/ramify")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err)
	const arrow, flag = " -> ", "<ReflectMethod>"
	lines := strings.Split(string(out), "\n")
	require.Greater(t, len(lines), 10_000, "the linker says what needs what")
	for _, line := range lines {
		by, what, found := strings.Cut(line, arrow)
		if found && strings.Contains(what, flag) {
			t.Errorf("%s looks methods up by any name, and is in the binary because of %s: see package internal/lean", strings.TrimSuffix(what, " "+flag), by)
			return // those which come after are there because of it
		}
	}
}

// trusts requires roots of trust in the binary, which the image has no file of.
func trusts(t *testing.T, program []byte) {
	t.Helper()
	info, err := buildinfo.Read(bytes.NewReader(program))
	require.NoError(t, err)
	var found bool
	for _, d := range info.Deps {
		found = found || d.Path == "golang.org/x/crypto/x509roots/fallback"
	}
	assert.True(t, found, "cmd/ramify imports golang.org/x/crypto/x509roots/fallback no more")
	for _, s := range info.Settings {
		if s.Key == "CGO_ENABLED" {
			assert.Equal(t, "0", s.Value)
		}
	}
}

func TestReproducible(t *testing.T) {
	a, b := build(t), build(t)
	assert.True(t, bytes.Equal(a.bytes, b.bytes), "two archives of the same binaries differ")

	again := filepath.Join(t.TempDir(), "again")
	out, err := exec.Command("make", "-C", "..", "binary-amd64", "DIST="+again).CombinedOutput()
	require.NoError(t, err, string(out))
	first, err := os.ReadFile(filepath.Join(folder, "linux-amd64", "ramify"))
	require.NoError(t, err)
	second, err := os.ReadFile(filepath.Join(again, "linux-amd64", "ramify"))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(first, second), "two builds of the binary differ")
}

// TestMake is `make image` where there is no engine.
func TestMake(t *testing.T) {
	if _, err := binaries(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", "-C", "..", "image", "ENGINE=none", "DIST="+folder)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Len(t, read(t, filepath.Join(folder, "image.tar")).images, 2)
}

// TestDockerfile compares with what an engine builds: nothing here has one.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("../Dockerfile")
	require.NoError(t, err)
	c, err := build(t).images["amd64"].ConfigFile()
	require.NoError(t, err)
	entry, err := json.Marshal(c.Config.Entrypoint)
	require.NoError(t, err)
	command, err := json.Marshal(c.Config.Cmd)
	require.NoError(t, err)
	for _, line := range []string{
		"FROM scratch", "COPY dist/linux-${TARGETARCH}/ramify " + image.Binary, "COPY --chown=" + c.Config.User + " image/tmp " + image.Scratch,
		"ENV " + c.Config.Env[0], `VOLUME ["` + image.Scratch + `"]`, "USER " + c.Config.User,
		"ENTRYPOINT " + string(entry), "CMD " + string(command),
	} {
		assert.Contains(t, strings.Split(string(text), "\n"), line)
	}
}

func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	a := build(t)
	repository := strings.TrimPrefix(server.URL, "http://") + "/fleets/ramify"
	first, err := image.Push(t.Context(), repository, a.index, authn.Anonymous)
	require.NoError(t, err)
	second, err := image.Push(t.Context(), repository, a.index, authn.Anonymous)
	require.NoError(t, err)
	assert.Equal(t, first, second)

	digest, err := a.index.Digest()
	require.NoError(t, err)
	assert.Equal(t, repository+"@"+digest.String(), first)
	ref, err := name.ParseReference(first)
	require.NoError(t, err)
	tags, err := remote.List(ref.Context())
	require.NoError(t, err)
	require.Len(t, tags, 1)
	assert.Contains(t, first, tags[0], "cdk gc keeps an image whose tag it finds in a template")
	for arch := range a.images {
		img, err := remote.Image(ref, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}))
		require.NoError(t, err)
		require.NoError(t, validate.Image(img))
	}
}

func TestRefused(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	_, err := image.Build(none, "v1")
	require.ErrorContains(t, err, none)

	script := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755))
	_, err = image.Build(script, "v1")
	require.ErrorContains(t, err, "as a program for Linux")

	_, err = image.Push(t.Context(), "no repository", nil, authn.Anonymous)
	require.Error(t, err)

	_, err = image.Registry{Host: "registry.example"}.Bootstrapped()
	require.ErrorContains(t, err, "name a repository")
	at, err := image.Registry{Host: "123456789012.dkr.ecr.eu-central-1.amazonaws.com"}.Bootstrapped()
	require.NoError(t, err)
	assert.Equal(t, "123456789012.dkr.ecr.eu-central-1.amazonaws.com/cdk-hnb659fds-container-assets-123456789012-eu-central-1", at)
}
