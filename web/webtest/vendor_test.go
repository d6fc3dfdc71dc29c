package webtest

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/emulator"
)

// TestLibrariesAreThoseOfTheRegistry compares each file of a library in the page with
// that of the package it was taken from: nobody has changed one.
func TestLibrariesAreThoseOfTheRegistry(t *testing.T) {
	t.Parallel()
	const vendor = "../page/vendor"
	libraries, err := os.ReadDir(vendor)
	require.NoError(t, err)
	require.NotEmpty(t, libraries)
	explained, err := os.ReadFile("../../docs/dependencies.md")
	require.NoError(t, err)
	for _, l := range libraries {
		at := strings.LastIndex(l.Name(), "-")
		name, version := l.Name()[:at], l.Name()[at+1:]
		assert.Contains(t, string(explained), "`"+name+"` "+version, "docs/dependencies.md says why it is here")
		dir, err := emulator.Installed("npm-"+l.Name(), func(dir string) error {
			return emulator.Run(dir, "Node.js with npm", "sh", "-ec", "npm pack --silent "+name+"@"+version+" >/dev/null; tar xzf *.tgz; rm -f *.tgz")
		})
		require.NoError(t, err)
		files, err := os.ReadDir(filepath.Join(vendor, l.Name()))
		require.NoError(t, err)
		var licence bool
		for _, f := range files {
			ours, err := os.ReadFile(filepath.Join(vendor, l.Name(), f.Name()))
			require.NoError(t, err)
			path := filepath.Join(dir, "package", "dist", f.Name())
			if f.Name() == "LICENSE" {
				licence, path = true, filepath.Join(dir, "package", "LICENSE")
			}
			theirs, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, sha256.Sum256(theirs), sha256.Sum256(ours), "%s/%s is not what the registry has", l.Name(), f.Name())
		}
		assert.True(t, licence, "%s has no licence beside it", l.Name())
	}
}
