package inventory

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// maxPage bounds a page of a Parquet file, in bytes as in values. Writers end pages at
// about a megabyte.
const maxPage = 64 << 20

// checkFooter holds the length of the footer against the file: the library makes room
// for as much as is said.
//
// Source: Apache Parquet, "File Format": the last 8 bytes are that length and a magic.
func checkFooter(r io.ReaderAt, size int64) error {
	var end [8]byte
	if size < int64(2*len(end)) {
		return errors.New("the file is too short")
	}
	if _, err := r.ReadAt(end[:], size-int64(len(end))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if n := int64(binary.LittleEndian.Uint32(end[:])); n > size-int64(len(end)) {
		return fmt.Errorf("the file is damaged: its footer has %d bytes, and the file has %d", n, size)
	}
	return nil
}

// checkPages does the same for the pages of the columns that are read, and refuses
// codecs for which the library tries ever more memory on what is damaged. What a page
// unpacks to beyond what it says is for the codec to refuse, which not all do.
func checkPages(file *parquet.File, r io.ReaderAt, size int64, wanted [][]string) error {
	names := map[string]bool{}
	for _, path := range wanted {
		names[path[0]] = true
	}
	for _, group := range file.Metadata().RowGroups {
		for i := range group.Columns {
			c := &group.Columns[i].MetaData
			if len(c.PathInSchema) == 0 || !names[c.PathInSchema[0]] {
				continue
			}
			if err := checkChunk(c, r, size); err != nil {
				return fmt.Errorf("column %s: %w", c.PathInSchema[0], err)
			}
		}
	}
	return nil
}

func checkChunk(c *format.ColumnMetaData, r io.ReaderAt, size int64) error {
	switch c.Codec {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd:
	default:
		return fmt.Errorf("it is compressed by %s, want snappy, gzip, brotli, zstd or nothing", c.Codec)
	}
	begin := c.DataPageOffset
	if c.DictionaryPageOffset != 0 {
		begin = c.DictionaryPageOffset
	}
	if begin < 0 || c.TotalCompressedSize < 0 || begin > size-c.TotalCompressedSize {
		return fmt.Errorf("the file is damaged: %d bytes from byte %d, and the file has %d", c.TotalCompressedSize, begin, size)
	}
	pages := bufio.NewReader(io.NewSectionReader(r, begin, c.TotalCompressedSize))
	var protocol thrift.CompactProtocol
	decoder := thrift.NewDecoder(protocol.NewReader(pages))
	for {
		if _, err := pages.Peek(1); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var h format.PageHeader
		if err := decoder.Decode(&h); err != nil {
			return fmt.Errorf("the file is damaged: header of a page: %w", err)
		}
		for _, n := range []int32{h.CompressedPageSize, h.UncompressedPageSize, h.DataPageHeader.V.NumValues, h.DictionaryPageHeader.V.NumValues, h.DataPageHeaderV2.V.NumValues, h.DataPageHeaderV2.V.NumRows} {
			if n < 0 || n > maxPage {
				return fmt.Errorf("a page is said to have %d bytes or values, want at most %d", n, maxPage)
			}
		}
		if _, err := pages.Discard(int(h.CompressedPageSize)); err != nil {
			return fmt.Errorf("the file is damaged: a page is said to have %d bytes: %w", h.CompressedPageSize, err)
		}
	}
}
