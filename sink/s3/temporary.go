package s3

import (
	"errors"
	"fmt"
	"os"
)

// temporary makes a file that goes with its descriptor, where the system lets an
// open file be removed; remove does the rest.
func temporary() (f *os.File, remove func() error, err error) {
	f, err = os.CreateTemp("", "ramify-s3-*")
	if err != nil {
		return nil, nil, fmt.Errorf("make a temporary file: %w; TMPDIR may name a folder that can be written to", err)
	}
	removed := os.Remove(f.Name()) == nil // not on Windows
	return f, func() error {
		err := f.Close()
		if !removed {
			err = errors.Join(err, os.Remove(f.Name()))
		}
		return err
	}, nil
}
