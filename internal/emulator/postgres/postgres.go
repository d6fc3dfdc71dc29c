// Package postgres runs PostgreSQL for tests.
package postgres

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/ramify/ramify/internal/emulator"
)

// version of io.zonky.test.postgres:embedded-postgres-binaries-…
const version = "17.6.0"

const need = "Maven and Python with lzma (Debian: apt-get install default-jre-headless maven python3)"

// Password is that of User.
const (
	User     = "ramify"
	Password = "not-a-secret-word"
)

// nobody runs the server where we are root, which it refuses to be.
const nobody = 65534

// artifact is the name of what there is for this machine.
func artifact() (string, error) {
	arch := map[string]string{"amd64": "amd64", "arm64": "arm64v8"}[runtime.GOARCH]
	if arch == "" || runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return "", fmt.Errorf("there is no PostgreSQL for %s/%s in Maven", runtime.GOOS, runtime.GOARCH)
	}
	return "embedded-postgres-binaries-" + runtime.GOOS + "-" + arch, nil
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>ramify</groupId>
  <artifactId>postgres</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.zonky.test.postgres</groupId>
      <artifactId>%s</artifactId>
      <version>` + version + `</version>
    </dependency>
  </dependencies>
</project>
`

var server = sync.OnceValues(func() (*emulator.Server, error) {
	dir, err := emulator.Installed("postgres-"+version, install)
	if err != nil {
		return nil, err
	}
	port, err := emulator.FreePort()
	if err != nil {
		return nil, err
	}
	owner := 0
	if os.Geteuid() == 0 {
		owner = nobody
	}
	data, programs, err := makeData(dir, owner)
	if err != nil {
		return nil, err
	}
	at := address(port)
	return emulator.Start(context.Background(), emulator.Command{
		Name: "PostgreSQL", Need: need, URL: at, Dir: data, Owner: owner,
		Args: []string{
			filepath.Join(programs, "bin", "postgres"), "-D", filepath.Join(data, "data"), "-p", fmt.Sprint(port),
			"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
			// It lives for seconds.
			"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "shared_buffers=64MB",
		},
		Ready: func(ctx context.Context) error {
			c, err := pgx.Connect(ctx, at)
			if err != nil {
				return err
			}
			return c.Close(ctx)
		},
	})
})

func address(port int) string {
	return (&url.URL{Scheme: "postgres", User: url.UserPassword(User, Password), Host: fmt.Sprintf("127.0.0.1:%d", port), Path: "/postgres"}).String()
}

// makeData makes a folder with an empty database. Somebody else who runs the server
// owns it, and finds a copy of the programs in it: those in the checkout may be out of
// his reach.
func makeData(dir string, owner int) (data, programs string, err error) {
	if data, err = os.MkdirTemp("", "ramify-postgres-"); err != nil {
		return "", "", fmt.Errorf("make database: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make database: %w", err), os.RemoveAll(data))
		}
	}()
	password := filepath.Join(data, "password")
	if err := os.WriteFile(password, []byte(Password), 0o600); err != nil {
		return "", "", err
	}
	if programs = dir; owner != 0 {
		programs = data
		for _, part := range []string{"bin", "lib", "share"} {
			if err := emulator.Run(data, need, "cp", "-R", filepath.Join(dir, part), data); err != nil {
				return "", "", err
			}
		}
		if err := emulator.Run(data, need, "chown", "-R", fmt.Sprintf("%d:%d", owner, owner), data); err != nil {
			return "", "", err
		}
	}
	cmd := exec.Command(filepath.Join(programs, "bin", "initdb"), //nolint:noctx // it ends by itself
		"-D", filepath.Join(data, "data"), "-U", User, "--pwfile", password, "-A", "scram-sha-256", "-E", "UTF8", "--locale", "C", "--no-sync")
	cmd.Dir = data
	emulator.Own(cmd, owner)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("initdb: %w (needs %s)\n%s", err, need, out)
	}
	return data, programs, nil
}

func install(dir string) error {
	name, err := artifact()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), fmt.Appendf(nil, pom, name), 0o600); err != nil {
		return err
	}
	if err := emulator.Run(dir, need, "mvn", "-q", "-B", "-ntp", "-Dmaven.repo.local="+filepath.Join(dir, "repository"),
		"dependency:copy-dependencies", "-DincludeArtifactIds="+name, "-DoutputDirectory="+dir); err != nil {
		return err
	}
	if err := unzip(filepath.Join(dir, name+"-"+version+".jar"), filepath.Join(dir, "server.txz")); err != nil {
		return err
	}
	// Python is among what tests need anyway; xz need not be there.
	if err := emulator.Run(dir, need, "python3", "-m", "tarfile", "-e", "server.txz"); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(dir, "repository"))
}

// unzip takes the one archive out of a jar.
func unzip(jar, to string) error {
	in, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	for _, f := range in.File {
		if strings.HasSuffix(f.Name, ".txz") {
			return extract(f, to)
		}
	}
	return fmt.Errorf("%s has no archive", jar)
}

func extract(f *zip.File, to string) error {
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from) // #nosec G110 -- of a version that we name
	return errors.Join(err, out.Close())
}

// URL is that of a new, empty database of the one server of this test binary,
// postgres://user:password@127.0.0.1:port/name; the server is started when first asked
// for. A test where it cannot start fails.
func URL(t testing.TB) string {
	t.Helper()
	at := emulator.URL(t, server)
	c, err := pgx.Connect(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // it has done its work
	made.Lock()
	made.n++
	name := fmt.Sprintf("test%d", made.n)
	made.Unlock()
	if _, err := c.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(at, "postgres") + name
}

var made struct {
	sync.Mutex
	n int
}
