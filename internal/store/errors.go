package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"modernc.org/sqlite"
)

// Errors of a store. Their texts follow the path of the file and say the way out.
var (
	ErrClosed  = errors.New("state is closed")
	ErrExists  = errors.New("it exists already: go on with that run, or choose another name")
	ErrMissing = errors.New("there is no such run here: check its name and the state folder")
	ErrUnbegun = errors.New("the file is empty, its run never began: remove it and start again")
	ErrLocked  = errors.New("another process works on this run: wait until it ends, or stop it")
	ErrNoLock  = errors.New("its lock file was removed, and another process may work on this run: see that none does, and go on from the file")
	ErrForeign = errors.New("this is not a state file of ramify: choose another name or folder")
	ErrNewer   = errors.New("it was written by a newer ramify: use that version, or choose another name")
	ErrCorrupt = errors.New("the file is damaged: restore a copy, or remove it and run again")
	ErrFull    = errors.New("it cannot be written: make room on the disk and allow writing to the folder")
	ErrFiles   = errors.New("too many files are open: allow the process more (ulimit -n)")
	ErrBusy    = errors.New("another process keeps it locked: try again")
	ErrBroken  = errors.New("a write to it failed in a way that no later one can be trusted: stop and go on from the file")
)

// SQLite's result codes, the only ones told apart here. Source: "Result and
// Error Codes" in the SQLite documentation.
const (
	codePerm     = 3
	codeBusy     = 5
	codeLocked   = 6
	codeReadOnly = 8
	codeIO       = 10
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeProtocol = 15
	codeNotADB   = 26

	// Extended codes of codeIO that mean there is no room: the file system
	// says so when a write is given its place, which may be as late as fsync.
	codeIOWrite   = codeIO | 3<<8
	codeIOShmSize = codeIO | 19<<8
)

// classify wraps an error of the driver in the error of this package it stands
// for, if there is one.
func classify(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	kind := kindOf(e.Code())
	if e.Code()&0xff == codeCantOpen && exhausted() {
		kind = ErrFiles // SQLite says only that it could not open the file
	}
	if kind == nil {
		return err
	}
	return fmt.Errorf("%w (%w)", kind, err)
}

func kindOf(code int) error {
	switch code {
	case codeIOWrite, codeIOShmSize:
		return ErrFull
	}
	switch code & 0xff {
	case codePerm, codeReadOnly, codeFull, codeCantOpen:
		return ErrFull
	case codeBusy, codeLocked, codeProtocol:
		return ErrBusy
	case codeCorrupt:
		return ErrCorrupt
	case codeNotADB:
		return ErrForeign
	}
	return nil
}

// classifyOS does the same for the operating system's errors.
func classifyOS(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w (%w)", ErrFull, err)
	}
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return fmt.Errorf("%w (%w)", ErrFiles, err)
	}
	return err
}

// exhausted reports whether no file can be opened at the moment, whichever.
func exhausted() bool {
	f, err := os.Open(os.DevNull)
	if err == nil {
		_ = f.Close()
	}
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// lasting reports whether no later write can be trusted. After a failed fsync
// the kernel may have dropped the pages and report success the next time
// (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC
// 2020), so the process must open the file anew.
func lasting(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	return errors.Is(err, ErrCorrupt) || e.Code()&0xff == codeIO && !errors.Is(err, ErrFull)
}
