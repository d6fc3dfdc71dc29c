// Package ministack starts ministack, a light server that speaks many of AWS's
// protocols, for tests.
package ministack

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ramify/ramify/internal/emulator"
)

//go:embed launcher.py
var launcher []byte

//go:embed requirements.txt
var requirements []byte

// Server is a running ministack, empty at first and in memory.
type Server struct {
	URL     string // of every service's endpoint: http://127.0.0.1:port
	process *emulator.Process
}

// Start installs ministack where that has not been done, and starts one.
func Start() (*Server, error) {
	name := strings.ReplaceAll(strings.TrimSpace(string(requirements)), "==", "-")
	dir, err := emulator.Install(name, install)
	if err != nil {
		return nil, fmt.Errorf("%w\nministack needs Python 3.10 or later with venv, and pip that reaches its index: "+
			"install them, as with apt-get install python3-venv", err)
	}
	cmd := exec.CommandContext(context.Background(), filepath.Join(dir, "venv", "bin", "python"), filepath.Join(dir, "launcher.py"))
	cmd.Dir = dir
	p, port, err := emulator.Start(cmd)
	if err != nil {
		return nil, fmt.Errorf("start ministack: %w", err)
	}
	return &Server{URL: "http://127.0.0.1:" + port, process: p}, nil
}

// Stop ends the server; what it kept is gone.
func (s *Server) Stop() { s.process.Stop() }

func install(dir string) error {
	for file, text := range map[string][]byte{"requirements.txt": requirements, "launcher.py": launcher} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			return err
		}
	}
	if err := emulator.Output(dir, "python3", "-m", "venv", "venv"); err != nil {
		return err
	}
	return emulator.Output(dir, filepath.Join("venv", "bin", "python"), "-m", "pip", "install",
		"--quiet", "--disable-pip-version-check", "-r", "requirements.txt")
}
