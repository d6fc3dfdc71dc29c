package inventory

import (
	"context"
	"sync"
)

// PackAt is the size in bytes from which a Packer compresses a block by itself.
const PackAt = 64 << 10

// Packer makes members of blocks of rows, each of which is whole in one of them: those of
// 64 KiB and more are compressed by themselves, side by side; smaller ones are gathered up
// to that size, which is what makes them small.
type Packer struct {
	layout Layout
	put    func(ctx context.Context, member []byte, rows int64) error

	block []byte // gathered
	rows  int64
}

// NewPacker makes a packer that gives each member to put, which must not keep it. Where put
// fails, rows are lost: all that comes later must fail as well.
func NewPacker(l Layout, put func(ctx context.Context, member []byte, rows int64) error) *Packer {
	return &Packer{layout: l, put: put}
}

// Write takes a block of so many rows. It is called with the lock that also put is called
// with, and lends it while it compresses a large block.
func (p *Packer) Write(ctx context.Context, lock sync.Locker, block []byte, rows int64) error {
	if len(block) < PackAt {
		p.block = append(p.block, block...)
		if p.rows += rows; len(p.block) < PackAt {
			return nil
		}
		return p.Flush(ctx)
	}
	if err := p.Flush(ctx); err != nil { // what the same goroutine wrote before comes before
		return err
	}
	lock.Unlock()
	member := packed.Get().(*[]byte)
	*member = p.layout.Pack((*member)[:0], block)
	lock.Lock()
	err := p.put(ctx, *member, rows)
	packed.Put(member)
	return err
}

// Flush makes a member of what was gathered. It is called with the lock.
func (p *Packer) Flush(ctx context.Context) error {
	if len(p.block) == 0 {
		return nil
	}
	member := packed.Get().(*[]byte)
	*member = p.layout.Pack((*member)[:0], p.block)
	err := p.put(ctx, *member, p.rows)
	packed.Put(member)
	p.block, p.rows = p.block[:0], 0
	return err
}

// Forget drops what was gathered, and its memory.
func (p *Packer) Forget() { p.block, p.rows = nil, 0 }

// packed are buffers of members.
var packed = sync.Pool{New: func() any { return new([]byte) }}
