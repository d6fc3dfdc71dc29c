package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// The folder of a run while it lasts, and after Finish:
//
//	.ramify-OWNER      whose folder it is: the name says it, the file is empty
//	.spool/1, 2, …     what attempts have written; gone after Finish
//	data/part-00001…   the rows
//	manifest.checksum
//	manifest.json      written last: an inventory without it is not finished
const (
	ownerPrefix = ".ramify-"
	spoolName   = ".spool"
	dataName    = "data"
)

func (s *Sink) spoolDir() string           { return filepath.Join(s.dir, spoolName) }
func (s *Sink) spoolPath(id int64) string  { return filepath.Join(s.spoolDir(), fmt.Sprint(id)) }
func (s *Sink) dataPath(part int64) string { return filepath.Join(s.dir, dataName, s.dataName(part)) }

func (s *Sink) dataName(part int64) string {
	return fmt.Sprintf("part-%05d%s", part, s.options.Layout.Format().Ext())
}

// ErrFolder is wrapped by what is wrong with the folder that a run was to begin
// or go on in, so that another would do.
var ErrFolder = errors.New("the folder cannot take the results")

// folderError keeps the line of what is wrong as it is.
type folderError struct{ error }

func (e folderError) Unwrap() []error { return []error{e.error, ErrFolder} }

// claim makes the folder the owner's, unless it is somebody else's or holds
// anything at all. undo gives it back where it was not the owner's before: a mark of a
// run that never began would keep the folder from all others.
func claim(dir, owner string) (undo func() error, err error) {
	if err := makeFolders(dir); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	mine, err := claimed(dir, owner)
	if err != nil || mine {
		return func() error { return nil }, err
	}
	mark := filepath.Join(dir, ownerPrefix+owner)
	f, err := os.OpenFile(mark, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) // #nosec G302 -- results are for whoever the umask lets read them
	if err != nil {
		return nil, fmt.Errorf("mark folder: %w", err)
	}
	undo = func() error { return os.Remove(mark) }
	if err := errors.Join(f.Close(), syncDir(dir)); err != nil {
		return nil, errors.Join(fmt.Errorf("mark folder: %w", err), undo())
	}
	// Two runs that found it empty at the same time see each other's mark now.
	if _, err := claimed(dir, owner); err != nil {
		return nil, errors.Join(err, undo())
	}
	return undo, nil
}

// claimed reports whether the folder bears the owner's mark; an error says what
// else is in it.
func claimed(dir, owner string) (mine bool, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, fmt.Errorf("read folder: %w", err)
	}
	for _, e := range entries {
		switch name, marked := strings.CutPrefix(e.Name(), ownerPrefix); {
		case marked && name == owner:
			mine = true
		case marked:
			return false, fmt.Errorf("folder %s holds the results of another run: choose an empty or new folder", dir)
		}
	}
	if !mine && len(entries) > 0 {
		return false, fmt.Errorf("folder %s is not empty (it has %q): choose an empty or new folder", dir, entries[0].Name())
	}
	return mine, nil
}

// missing is the error for a file that the records know and the folder has not.
func missing(path string) error {
	return fmt.Errorf("file %s was moved or removed since the run wrote it: put it back, or start a new run in another folder", path)
}

func exists(path string) (bool, error) {
	switch _, err := os.Stat(path); {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		return false, err
	}
}

// makeFolders makes a folder and those above it, durably: what a run says is done
// must not be gone with a folder whose name a power failure took.
func makeFolders(dir string) error {
	changed := missingBelow(dir)
	// #nosec G301 -- results are for whoever the umask lets read them
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, parent := range changed {
		if err := syncDir(parent); err != nil {
			return err
		}
	}
	return nil
}

// missingBelow is the folders in which a name must be made for dir to be there,
// the innermost first.
func missingBelow(dir string) (parents []string) {
	for {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			return parents
		}
		above := filepath.Dir(dir)
		if above == dir {
			return parents
		}
		parents, dir = append(parents, above), above
	}
}

// makeDir makes a folder for its owner alone, durably.
func makeDir(dir string) error {
	switch err := os.Mkdir(dir, 0o700); {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// syncDir makes the names in a folder durable. Windows cannot, and does so by
// itself.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
