package s3

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ramify/ramify/schema"
)

// record is what a unit has committed: a line of JSON, its rows and its blocks.
// Of rows and blocks it has the bytes, or names the objects that have them.
type record struct {
	Attempt   string         `json:"attempt"`
	Account   schema.Account `json:"account"`
	Rows      int64          `json:"rows,omitempty"`     // in Held
	Held      []byte         `json:"-"`                  // packed rows
	HeldSize  int            `json:"held,omitempty"`     // bytes
	RowFiles  []file         `json:"files,omitempty"`    // in the order of writing
	Blocks    []byte         `json:"-"`                  // framed
	Front     int            `json:"front,omitempty"`    // bytes of Blocks, which come before Held: who follows a run reads no rows
	BlockFile *file          `json:"prefixes,omitempty"` // or they are here
}

// holdable is the bytes that a record holds itself, of rows and of blocks each:
// Finish holds many records at a time.
const holdable = 256 << 10

func (r *record) encode() ([]byte, error) {
	r.HeldSize, r.Front = len(r.Held), len(r.Blocks)
	head, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	body := make([]byte, 0, len(head)+1+len(r.Held)+len(r.Blocks))
	body = append(append(body, head...), '\n')
	return append(append(body, r.Blocks...), r.Held...), nil
}

func decode(body []byte) (*record, error) {
	r, rest, err := decodeHead(body)
	if err == nil && (r.Front < 0 || r.HeldSize < 0 || r.Front+r.HeldSize > len(rest)) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("the record of a unit is damaged: %w", err)
	}
	r.Blocks, rest = rest[:r.Front], rest[r.Front:]
	r.Held = rest[:r.HeldSize]
	if r.Front == 0 { // as it was before blocks came first
		r.Blocks = rest[r.HeldSize:]
	}
	return r, nil
}

// decodeBlocks reads what it can of the beginning of a record: io.ErrUnexpectedEOF where
// its blocks are not all there.
func decodeBlocks(body []byte) (*record, error) {
	r, rest, err := decodeHead(body)
	switch {
	case err != nil:
		return nil, err
	case r.Front == 0 || r.Front > len(rest):
		return decode(body)
	}
	r.Blocks = rest[:r.Front]
	return r, nil
}

func decodeHead(body []byte) (r *record, rest []byte, err error) {
	head, rest, ok := bytes.Cut(body, []byte{'\n'})
	if !ok {
		return nil, nil, io.ErrUnexpectedEOF
	}
	r = &record{}
	return r, rest, json.Unmarshal(head, r)
}

// frame appends a block after its length.
func frame(b, block []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(block))), block...)
}

// maxBlock is the bytes of a block that a reader believes.
const maxBlock = 1 << 30

// sure is the bytes of a block that room is made for at once.
const sure = 1 << 20

// reader reads framed blocks.
type reader struct{ *bufio.Reader }

func newReader(r io.Reader) *reader { return &reader{bufio.NewReaderSize(r, 64<<10)} }

// block is the next one, to keep; nil at the end.
func (r *reader) block() ([]byte, error) {
	size, err := binary.ReadUvarint(r)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err == nil && size > maxBlock {
		err = fmt.Errorf("a block of %d bytes: the object is damaged", size)
	}
	if err != nil {
		return nil, err
	}
	// Room is made as bytes come in: what an object says of itself may be wrong.
	block := make([]byte, min(size, sure))
	_, err = io.ReadFull(r, block)
	if rest := size - uint64(len(block)); err == nil && rest > 0 {
		b := bytes.NewBuffer(block)
		_, err = io.CopyN(b, r, int64(rest))
		block = b.Bytes()
	}
	if errors.Is(err, io.EOF) { // within a block it is none
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return block, nil
}
