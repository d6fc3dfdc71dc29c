// Package ministack runs ministack, an emulator of many AWS services in Python,
// for tests.
package ministack

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ramify/ramify/internal/emulator"
)

// Versions of the Python packages. Its CloudWatch speaks what the SDK does, CBOR,
// only where cbor2 is installed, too.
const (
	version = "1.5.33"
	cbor2   = "6.3.0"
)

const need = "Python 3 with venv (Debian: apt-get install python3-venv)"

var server = sync.OnceValues(func() (*emulator.Server, error) {
	dir, err := emulator.Installed("ministack-"+version+"-cbor2-"+cbor2, install)
	if err != nil {
		return nil, err
	}
	port, err := emulator.FreePort()
	if err != nil {
		return nil, err
	}
	return emulator.Start(context.Background(), emulator.Command{
		Name: "ministack", Need: need, URL: fmt.Sprintf("http://127.0.0.1:%d", port), Path: "/_ministack/health",
		Args: []string{filepath.Join(dir, "bin", "ministack")},
		Env: []string{
			"BIND_HOST=127.0.0.1", // on all interfaces unless told, and so its MQTT
			"IOT_MTLS_ENABLED=0",
			"MINISTACK_HOST=127.0.0.1",
			fmt.Sprintf("GATEWAY_PORT=%d", port),
		},
	})
})

func install(dir string) error {
	if err := emulator.Run(dir, need, "python3", "-m", "venv", dir); err != nil {
		return err
	}
	return emulator.Run(dir, need, filepath.Join(dir, "bin", "python"),
		"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "ministack=="+version, "cbor2=="+cbor2)
}

// URL is the endpoint of the one server of this test binary, which is started
// when first asked for. A test where it cannot start fails.
func URL(t testing.TB) string {
	t.Helper()
	return emulator.URL(t, server)
}
