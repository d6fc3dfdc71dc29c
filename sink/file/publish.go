package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ramify/ramify/inventory"
)

// place moves a finished file from the spool to where it belongs, without the
// tail that nobody committed; if it is there already there is nothing to do.
func (s *Sink) place(f dataFile) error {
	from, to := s.spoolPath(f.id), s.dataPath(f.part)
	waiting, err := exists(from)
	if err != nil {
		return err
	}
	if !waiting {
		there, err := exists(to)
		if err == nil && !there {
			err = missing(to)
		}
		return err
	}
	if err := trim(from, f.size); err != nil {
		return err
	}
	data := filepath.Dir(to)
	// #nosec G301 -- results are for whoever the umask lets read them
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return errors.Join(syncDir(data), syncDir(s.dir), syncDir(s.spoolDir()))
}

// trim cuts a file off at a size that it has at least.
func trim(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > size {
		err = errors.Join(f.Truncate(size), f.Sync())
	}
	return errors.Join(err, f.Close())
}

// describe writes the checksum and the manifest, each at once or not at all.
func (s *Sink) describe(m *inventory.Manifest) error {
	manifest, checksum, err := m.Encode()
	if err != nil {
		return err
	}
	if err := makeDir(s.spoolDir()); err != nil {
		return err
	}
	if err := s.replace(inventory.ChecksumName, checksum); err != nil {
		return err
	}
	return s.replace(inventory.ManifestName, manifest)
}

func (s *Sink) replace(name string, content []byte) error {
	temporary, final := filepath.Join(s.spoolDir(), name), filepath.Join(s.dir, name)
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644) // #nosec G302 -- results are for whoever the umask lets read them
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", final, err)
	}
	if err := os.Rename(temporary, final); err != nil {
		return err
	}
	return syncDir(s.dir)
}

// clean removes from the spool what the records do not know, and the spool if
// nothing is left.
func (s *Sink) clean(ctx context.Context) error {
	// Nobody makes a file meanwhile that has no record yet.
	s.spool.mu.Lock()
	defer s.spool.mu.Unlock()
	files, err := s.files(ctx, false)
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(files))
	for _, f := range files {
		known[filepath.Base(s.spoolPath(f.id))] = true
	}
	entries, err := os.ReadDir(s.spoolDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if !known[e.Name()] {
			if err := os.Remove(filepath.Join(s.spoolDir(), e.Name())); err != nil {
				return err
			}
		}
	}
	if len(known) == 0 {
		return os.Remove(s.spoolDir())
	}
	return nil
}
