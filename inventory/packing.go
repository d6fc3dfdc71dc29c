package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packing is how blocks become members. Members may be concatenated: RFC 1952
// (gzip) §2.2, RFC 8878 (zstd) §3.
type packing uint8

const (
	stored packing = iota
	gzipped
	zstandard
)

var gzipWriters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // only of a level that does not exist
	}
	return w
}}

// zstdEncoder keeps one encoder per processor and lends them out itself.
var zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(1<<20),
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // only of options that do not exist
	}
	return e
})

func (p packing) pack(dst, block []byte) []byte {
	switch p {
	case gzipped:
		out := bytes.NewBuffer(dst)
		w := gzipWriters.Get().(*gzip.Writer)
		w.Reset(out)
		_, err := w.Write(block)
		if err = errors.Join(err, w.Close()); err != nil {
			panic(fmt.Errorf("gzip into memory: %w", err)) // a bytes.Buffer takes everything
		}
		gzipWriters.Put(w)
		return out.Bytes()
	case zstandard:
		return zstdEncoder().EncodeAll(block, dst)
	default:
		return append(dst, block...)
	}
}

func (p packing) unpack(r io.Reader) (io.ReadCloser, error) {
	switch p {
	case gzipped:
		z, err := gzip.NewReader(r)
		if errors.Is(err, io.EOF) { // no member at all
			return io.NopCloser(bytes.NewReader(nil)), nil
		}
		return z, err
	case zstandard:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	default:
		return io.NopCloser(r), nil
	}
}
