package sqlrows

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// No error shows a password, in whichever way it is in the DSN and in the error.
func TestHushed(t *testing.T) {
	for _, dsn := range []string{
		"postgres://me:hunt%65r%202@h/d", "POSTGRES://me:hunt%65r%202@h/d", "postgres://me@h/d?password=hunt%65r%202",
		"postgres://me@h/d?p%61ssword=hunt%65r%202", "postgres://me@h/d?PASSWORD=hunt%65r%202", "postgres://me:x1y2@h/d?sslpassword=hunt%65r%202",
	} {
		d, err := open(dsn, 1)
		require.NoError(t, err, dsn)
		got := d.hushed(errors.New("dial: hunter 2 of hunt%65r%202")).Error()
		assert.Equal(t, "dial: … of …", got, dsn)
	}
	d, err := open("postgres://me:x1y2@h/d?sslpassword=q1r2", 1)
	require.NoError(t, err)
	assert.Equal(t, "… …", d.hushed(errors.New("x1y2 q1r2")).Error())
	plain := errors.New("no such table")
	assert.Same(t, plain, d.hushed(plain))
}
