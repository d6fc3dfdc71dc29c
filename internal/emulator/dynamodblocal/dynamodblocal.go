// Package dynamodblocal starts DynamoDB Local, Amazon's own emulator, for tests.
//
// Source: Amazon DynamoDB Developer Guide, "DynamoDB local usage notes".
package dynamodblocal

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ramify/ramify/internal/emulator"
)

//go:embed Launcher.java
var launcher []byte

//go:embed pom.xml
var pom []byte

// name has the version: another one is another folder.
const name = "dynamodblocal-2.6.1"

// Server is a running DynamoDB Local, empty at first and in memory.
type Server struct {
	URL     string // of the endpoint: http://127.0.0.1:port
	process *emulator.Process
}

// Start installs DynamoDB Local where that has not been done, and starts one.
func Start() (*Server, error) {
	dir, err := emulator.Install(name, install)
	if err != nil {
		return nil, fmt.Errorf("%w\nDynamoDB Local needs a JDK 17 or later (java, javac) and Maven (mvn) that reaches Maven Central: "+
			"install them, as with apt-get install default-jdk-headless maven", err)
	}
	lib := filepath.Join(dir, "lib")
	cmd := exec.CommandContext(context.Background(), "java", "-Xmx512m", "-XX:+UseSerialGC", "-Djava.library.path="+lib,
		"-cp", dir+string(os.PathListSeparator)+filepath.Join(lib, "*"), "Launcher", "-inMemory", "-disableTelemetry")
	cmd.Dir = dir
	p, port, err := emulator.Start(cmd)
	if err != nil {
		return nil, fmt.Errorf("start DynamoDB Local, which needs Java 17 or later on linux-amd64 or macOS: %w", err)
	}
	return &Server{URL: "http://127.0.0.1:" + port, process: p}, nil
}

// Stop ends the server; its tables are gone.
func (s *Server) Stop() { s.process.Stop() }

func install(dir string) error {
	for file, text := range map[string][]byte{"pom.xml": pom, "Launcher.java": launcher} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			return err
		}
	}
	if err := emulator.Output(dir, "mvn", "--batch-mode", "--quiet", "dependency:copy-dependencies", "-DoutputDirectory=lib"); err != nil {
		return err
	}
	return emulator.Output(dir, "javac", "-cp", filepath.Join("lib", "*"), "-d", ".", "Launcher.java")
}
