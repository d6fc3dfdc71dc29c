// Command pack puts one program into a zip archive as AWS Lambda wants it: executable,
// at the top. The same program makes the same archive.
//
// Source: AWS Lambda Developer Guide, "Deploy Go Lambda functions with .zip file
// archives".
package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pack PROGRAM ARCHIVE")
		os.Exit(1)
	}
	if err := pack(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(2)
	}
}

// epoch is the earliest time that a zip archive knows.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

func pack(program, archive string) error {
	text, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	h := &zip.FileHeader{Name: filepath.Base(program), Method: zip.Deflate, Modified: epoch}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", archive, err)
	}
	return os.WriteFile(archive, out.Bytes(), 0o600)
}
