// Package sample holds 20,000 real keys, for tests and demonstrations that need
// the shape of an archive people really keep and must not depend on a download.
package sample

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"strings"
)

// Count is the number of keys.
const Count = 20_000

//go:embed keys.txt.gz
var packed []byte

// Keys returns the keys in the order of their bytes, as S3 lists them.
//
// They are paths of files from the packages of Debian 12, taken from the
// Contents-amd64 index of its archive (1,655,516 paths). To keep their shape
// they are whole subtrees and unbroken runs of it, not every n-th path: all of
// bin/, boot/, usr/lib/ispell/, usr/share/antimony/, usr/share/zoneminder/,
// Racket's web packages and the generated sources of the grpc gem, which are 17
// levels deep; runs of usr/bin/ (2,400 in one folder), man pages, Boost and
// Django; and 9,163 paths of usr/share/doc/ from libnabrit to libpocketsphinx
// (1,508 folders side by side). There are 2,761 prefixes, at 1 to 17 levels, and
// the mean length is 49 bytes.
func Keys() ([]string, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack sample keys: %w", err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("unpack sample keys: %w", err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), nil
}
