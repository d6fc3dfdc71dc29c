// Command cmd makes the files of a release, of programs that are built:
//
//	cmd --version V --date SECONDS --sbom FILE --to DIR OS-ARCH=PROGRAM ...
//
// The first program is the one that the SBOM is of: all have the same modules.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/ramify/ramify/internal/lean"
	"github.com/ramify/ramify/release"
)

func main() {
	var o options
	flag.StringVar(&o.version, "version", "", "`name` of the release")
	flag.Int64Var(&o.date, "date", 0, "its date, `seconds` since 1970")
	flag.StringVar(&o.sbom, "sbom", "", "`file` that cyclonedx-gomod wrote")
	flag.StringVar(&o.to, "to", "", "`folder` to write to, made anew")
	flag.Parse()
	if err := o.write(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(2)
	}
}

type options struct {
	version  string
	date     int64
	sbom, to string
}

var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+_-]{0,99}$`)

// papers go into every archive.
var papers = []string{"LICENSE", "README.md", "CHANGELOG.md"}

func (o options) write(programs []string) error {
	if !name.MatchString(o.version) || o.to == "" || len(programs) == 0 {
		return fmt.Errorf("version is %q, folder %q, and there are %d programs: want a version of letters, digits and .+_-, a folder and a program", o.version, o.to, len(programs))
	}
	at := time.Unix(o.date, 0)
	if err := os.RemoveAll(o.to); err != nil {
		return err
	}
	if err := os.MkdirAll(o.to, 0o700); err != nil {
		return err
	}
	text, err := os.ReadFile(o.sbom)
	if err != nil {
		return err
	}
	sbom, err := release.SBOM(text, lean.Module, at)
	if err != nil {
		return err
	}
	base := "ramify-" + o.version
	if err := o.put(base+".cdx.json", sbom); err != nil {
		return err
	}
	var files []release.File
	for _, paper := range papers {
		body, err := os.ReadFile(paper)
		if err != nil {
			return err
		}
		files = append(files, release.File{Name: paper, Body: body})
	}
	for _, arg := range programs {
		system, program, ok := strings.Cut(arg, "=")
		if !ok || !name.MatchString(system) {
			return fmt.Errorf("%q is no OS-ARCH=PROGRAM", arg)
		}
		body, err := os.ReadFile(program)
		if err != nil {
			return err
		}
		ending := ".tar.gz"
		if strings.HasPrefix(system, "windows-") {
			ending = ".zip"
		}
		folder := base + "-" + system
		packed, err := release.Archive(folder+ending, folder, append([]release.File{{Name: filepath.Base(program), Body: body, Program: true}}, files...), at)
		if err != nil {
			return err
		}
		if err := o.put(folder+ending, packed); err != nil {
			return err
		}
	}
	sums, err := release.Sums(o.to)
	if err != nil {
		return err
	}
	return o.put(release.SumsFile, sums)
}

func (o options) put(file string, body []byte) error {
	return os.WriteFile(filepath.Join(o.to, file), body, 0o600)
}
