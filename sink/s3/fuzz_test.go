package s3

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
)

// A record that says that its block has a gigabyte, and has three bytes.
func TestABlockTakesNoMoreMemoryThanItHas(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, rest := range []string{"", "abc"} {
		_, err := newReader(bytes.NewReader([]byte("\xff\xff\xff\xff\x03" + rest))).block()
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v", err)
		}
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
		t.Errorf("%d bytes were taken", took)
	}
	long := bytes.Repeat([]byte("x"), 3<<20)
	if got, err := newReader(bytes.NewReader(frame(nil, long))).block(); err != nil || !bytes.Equal(got, long) {
		t.Errorf("a long block has %d bytes, %v", len(got), err)
	}
}

// FuzzRecord: no object in the place of a unit's record crashes who reads it, and no
// more comes out of it than is in it.
func FuzzRecord(f *testing.F) {
	r := &record{Attempt: "a", Rows: 2, Held: []byte("rows"), Blocks: frame(frame(nil, []byte("one")), nil)}
	body, err := r.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte("{\"held\":-1}\n"))
	f.Add([]byte("{}\n\xff\xff\xff\xff\x03"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := decode(bytes.Clone(body))
		if err != nil {
			return
		}
		in := newReader(bytes.NewReader(r.Blocks))
		size := 0
		for {
			block, err := in.block()
			if err != nil || block == nil {
				break
			}
			size += len(block)
		}
		if size > len(body) {
			t.Fatalf("%d bytes of blocks in a record of %d", size, len(body))
		}
		if len(r.Held) != r.HeldSize {
			t.Fatalf("%d bytes are held, and %d are said to be", len(r.Held), r.HeldSize)
		}
	})
}
