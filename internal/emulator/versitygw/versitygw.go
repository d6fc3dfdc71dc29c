// Package versitygw runs versitygw, an S3 server over a folder, for tests: it has
// what gofakes3 lacks, copies of parts, uploads that can be listed, tags and
// conditions.
package versitygw

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ramify/ramify/internal/emulator"
)

// version is that of the Go module.
const version = "1.8.0"

// The one account there is.
const (
	AccessKey = "ramify"
	SecretKey = "ramify-secret"
	Region    = "us-east-1"
)

const need = "Go, and its module proxy within reach"

// program is the path of the server, which is built once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := emulator.Installed("versitygw-"+version, install)
	return filepath.Join(dir, "versitygw"), err
})

// install builds the program. `go install` asks for lists of versions, which not
// every proxy gives.
func install(dir string) error {
	return emulator.Run(dir, need, "sh", "-ec", `
module=$(go mod download -json github.com/versity/versitygw@v`+version+` | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
cp -R "$module/." "$source"
chmod -R u+w "$source"
out=$PWD
cd "$source"
GOWORK=off GOFLAGS= go build -mod=mod -trimpath -o "$out/versitygw" ./cmd/versitygw`)
}

// Start starts a server of the test's own, and returns its endpoint. It ends with
// the test, with all that is in it.
func Start(t testing.TB) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	port, err := emulator.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, d := range []string{"objects", "attributes"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	s, err := emulator.Start(context.Background(), emulator.Command{
		Name: "versitygw", Need: need, URL: "http://" + address, Path: "/health",
		Args: []string{
			path, "--port", address, "--region", Region, "--health", "/health", "--quiet", "--keep-alive",
			// Not every file system has room for attributes of files.
			"posix", "--sidecar", filepath.Join(dir, "attributes"), filepath.Join(dir, "objects"),
		},
		Env: []string{"ROOT_ACCESS_KEY=" + AccessKey, "ROOT_SECRET_KEY=" + SecretKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	s.Watch(t)
	return s.URL
}
