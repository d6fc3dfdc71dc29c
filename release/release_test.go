package release_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/release"
)

var (
	date  = time.Date(2026, 11, 26, 7, 0, 1, 5, time.FixedZone("", 3600))
	files = []release.File{{Name: "ramify", Body: []byte("program"), Program: true}, {Name: "LICENSE", Body: []byte("text")}}
)

func TestArchivesHoldWhatTheyShouldAndAreTheSameTwice(t *testing.T) {
	turned := slices.Clone(files)
	slices.Reverse(turned)
	for _, name := range []string{"a.tar.gz", "a.zip"} {
		one, err := release.Archive(name, "ramify-v1", files, date)
		require.NoError(t, err)
		other, err := release.Archive(name, "ramify-v1", turned, date.UTC())
		require.NoError(t, err)
		assert.Equal(t, one, other)
		got := map[string]string{}
		if strings.HasSuffix(name, ".zip") {
			z, err := zip.NewReader(bytes.NewReader(one), int64(len(one)))
			require.NoError(t, err)
			for _, f := range z.File {
				r, err := f.Open()
				require.NoError(t, err)
				body, err := io.ReadAll(r)
				require.NoError(t, err)
				got[f.Name] = fmt.Sprintf("%o %s", f.Mode().Perm(), body)
			}
		} else {
			z, err := gzip.NewReader(bytes.NewReader(one))
			require.NoError(t, err)
			r := tar.NewReader(z)
			for h, err := r.Next(); !errors.Is(err, io.EOF); h, err = r.Next() {
				require.NoError(t, err)
				body, err := io.ReadAll(r)
				require.NoError(t, err)
				assert.Zero(t, h.Uid+h.Gid)
				got[h.Name] = fmt.Sprintf("%o %s", h.Mode, body)
			}
		}
		assert.Equal(t, map[string]string{"ramify-v1/ramify": "755 program", "ramify-v1/LICENSE": "644 text"}, got)
	}
}

func TestSBOM(t *testing.T) {
	text := `{"bomFormat":"CycloneDX","specVersion":"1.6","serialNumber":"urn:uuid:%d","metadata":{"timestamp":"%d"},"components":[{"name":"a&b"},` +
		`{"name":"./dist/lean/kong-v1.17.0","version":"(devel)","purl":"pkg:golang/./dist/lean/kong-v1.17.0@(devel)?type=module"}]}`
	one, err := release.SBOM(fmt.Appendf(nil, text, 1, 1), "example.com/kong", date)
	require.NoError(t, err)
	other, err := release.SBOM(fmt.Appendf(nil, text, 2, 2), "example.com/kong", date)
	require.NoError(t, err)
	assert.Equal(t, string(one), string(other))
	assert.Contains(t, string(one), `"a&b"`)
	assert.Contains(t, string(one), `"pkg:golang/example.com/kong@v1.17.0?type=module"`)
	assert.Contains(t, string(one), `"version": "v1.17.0"`)
	assert.NotContains(t, string(one), "dist/lean")
	assert.Contains(t, string(one), `"2026-11-26T06:00:01Z"`)
	for _, bad := range []string{"", "{}", `{"bomFormat":"CycloneDX","metadata":{},"components":[]}`} {
		_, err := release.SBOM([]byte(bad), "", date)
		require.ErrorContains(t, err, "read SBOM")
	}
}

func TestSums(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b": "2", "a": "1", release.SumsFile: "old", release.SumsFile + ".sig": "old"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	got, err := release.Sums(dir)
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("%x  a\n%x  b\n", sha256.Sum256([]byte("1")), sha256.Sum256([]byte("2"))), string(got))
}

// What the Makefile builds a release with makes one program, wherever the code lies: a
// small one, built in two places.
func TestABuildIsTheSameTwice(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	_, line, found := strings.Cut(string(makefile), "\nRELEASE_BUILD")
	require.True(t, found)
	line, _, _ = strings.Cut(line, "\n\n")
	for _, flag := range []string{"-trimpath", "-buildvcs=false", "-buildid="} {
		require.Contains(t, line, flag)
	}
	info, ok := debug.ReadBuildInfo()
	require.True(t, ok)
	var built [2][]byte
	for i := range built {
		dir := filepath.Join(t.TempDir(), strings.Repeat("x", 1+5*i))
		require.NoError(t, os.MkdirAll(dir, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/small\n\ngo 1.24\n"), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { println(\"here\") }\n"), 0o600))
		out := filepath.Join(dir, "small")
		cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", out, ".")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=", "GOTOOLCHAIN=local")
		text, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s with %s", text, info.GoVersion)
		built[i], err = os.ReadFile(out)
		require.NoError(t, err)
	}
	assert.Equal(t, sha256.Sum256(built[0]), sha256.Sum256(built[1]))
}
