// Package dynamodblocal runs DynamoDB Local, Amazon's own emulator, for tests.
//
// Source: Amazon DynamoDB Developer Guide, "DynamoDB local usage notes".
package dynamodblocal

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/ramify/ramify/internal/emulator"
)

//go:embed Launcher.java
var launcher []byte

//go:embed pom.xml
var pom []byte

// name has the version: another one is another folder.
const name = "dynamodblocal-2.6.1"

const need = "a JDK of version 17 or later on linux-amd64 or macOS, and Maven (Debian: apt-get install default-jdk-headless maven)"

var server = sync.OnceValues(func() (*emulator.Server, error) {
	dir, err := emulator.Installed(name, install)
	if err != nil {
		return nil, err
	}
	port, err := emulator.FreePort()
	if err != nil {
		return nil, err
	}
	lib := filepath.Join(dir, "lib")
	return emulator.Start(context.Background(), emulator.Command{
		Name: "DynamoDB Local", Need: need, URL: fmt.Sprintf("http://127.0.0.1:%d", port),
		Path: "/", Code: http.StatusBadRequest, // there is no token in the request
		Args: []string{
			"java", "-Xmx512m", "-XX:+UseSerialGC", "-Djava.library.path=" + lib,
			"-cp", dir + string(os.PathListSeparator) + filepath.Join(lib, "*"),
			"Launcher", "-inMemory", "-disableTelemetry", "-port", strconv.Itoa(port),
		},
	})
})

func install(dir string) error {
	for file, text := range map[string][]byte{"pom.xml": pom, "Launcher.java": launcher} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			return err
		}
	}
	if err := emulator.Run(dir, need, "mvn", "-q", "-B", "-ntp", "-Dmaven.repo.local="+filepath.Join(dir, "repository"),
		"dependency:copy-dependencies", "-DoutputDirectory=lib"); err != nil {
		return err
	}
	return emulator.Run(dir, need, "javac", "-cp", filepath.Join("lib", "*"), "-d", ".", "Launcher.java")
}

// URL is the endpoint of the one server of this test binary, which is started
// when first asked for, empty and in memory. A test where it cannot start fails.
func URL(t testing.TB) string {
	t.Helper()
	return emulator.URL(t, server)
}
