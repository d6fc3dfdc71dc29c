package s3

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// part is the results of one attempt. Of each stream it holds one piece of an
// upload at most.
type part struct {
	sink    *Sink
	attempt sink.Attempt

	mu     sync.Mutex
	rows   *inventory.Packer
	packed *object // of the members that rows become, or nil
	files  []file  // of those that are full
	blocks *object // of the other stream, or nil
	err    error   // rows are missing: the part cannot be committed
}

var errDone = errors.New("the part was committed or aborted before")

// Write gathers and compresses rows, and blocks of the stream Prefixes; it uploads
// what comes to 8 MiB. Other streams are dropped.
func (p *part) Write(ctx context.Context, stream string, block []byte, rows int) error {
	if len(block) == 0 || stream == sink.Rows && p.sink.options.Layout == (inventory.Layout{}) {
		return nil
	}
	var err error
	switch stream {
	case sink.Rows:
		err = p.writeRows(ctx, block, int64(rows))
	case sink.Prefixes:
		err = p.writeBlock(ctx, block)
	}
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}

func (p *part) writeBlock(ctx context.Context, block []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	if p.blocks == nil {
		p.blocks = p.sink.newObject(p.sink.parts + "prefixes/" + attemptName(p.attempt.PID, p.attempt.ID))
	}
	p.err = p.blocks.write(ctx, frame(nil, block))
	return p.err
}

func (p *part) writeRows(ctx context.Context, block []byte, rows int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	return p.rows.Write(ctx, &p.mu, block, rows)
}

// add takes a member. An error stays: rows are lost to this attempt.
func (p *part) add(ctx context.Context, member []byte, rows int64) error {
	if p.err != nil {
		return p.err
	}
	if p.packed == nil {
		p.packed = p.sink.newObject(fmt.Sprintf("%srows/%s-%d", p.sink.parts, attemptName(p.attempt.PID, p.attempt.ID), len(p.files)+1))
	}
	p.packed.rows += rows
	p.err = p.packed.write(ctx, member)
	if p.err == nil && p.packed.size >= p.sink.options.PartSize {
		p.err = p.endFile(ctx)
	}
	return p.err
}

func (p *part) endFile(ctx context.Context) error {
	f, err := p.end(ctx, p.packed)
	if err != nil {
		return err
	}
	p.files, p.packed = append(p.files, f), nil
	return nil
}

// end makes an object durable and names it as records do.
func (p *part) end(ctx context.Context, o *object) (file, error) {
	f, err := o.end(ctx)
	f.Key = f.Key[len(p.sink.parts):]
	return f, err
}

// Commit uploads what is left and puts the unit's record: of a leaf only if there
// is none, else the account returned is that of the record that is there.
func (p *part) Commit(ctx context.Context, leaf bool, own schema.Account) (schema.Account, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.commit(ctx, leaf, own)
	p.forget()
	if err != nil {
		return schema.Account{}, fmt.Errorf("commit results: %w", err)
	}
	return account, nil
}

func (p *part) commit(ctx context.Context, leaf bool, own schema.Account) (schema.Account, error) {
	if p.sink.closed.Load() {
		return own, errClosed
	}
	if p.err != nil {
		return own, p.err
	}
	if err := p.rows.Flush(ctx); err != nil {
		return own, err
	}
	r := record{Attempt: fmt.Sprintf("%016x", p.attempt.ID), Account: own}
	if err := p.settle(ctx, &r); err != nil {
		return own, err
	}
	if !leaf && r.Held == nil && r.RowFiles == nil && r.Blocks == nil && r.BlockFile == nil {
		return own, nil // the ledger knows all there is to know
	}
	body, err := r.encode()
	if err != nil {
		return own, err
	}
	key := p.sink.unitKey(p.attempt.PID, p.attempt.ID, leaf)
	if !leaf {
		_, err = p.sink.put(ctx, key, body)
		return own, err
	}
	won, err := p.sink.put(ctx, key, body, ifAbsent)
	if err != nil || won {
		return own, err
	}
	first, err := p.sink.record(ctx, key)
	if err != nil {
		return own, err
	}
	return first.Account, nil
}

// settle puts rows and blocks into the record, or where it then says.
func (p *part) settle(ctx context.Context, r *record) error {
	switch o := p.packed; {
	case o == nil:
	case o.size <= holdable && len(p.files) == 0:
		r.Held, r.Rows = o.buf, o.rows
	default:
		if err := p.endFile(ctx); err != nil {
			return err
		}
	}
	r.RowFiles = p.files
	switch o := p.blocks; {
	case o == nil:
	case o.size <= holdable:
		r.Blocks = o.buf
	default:
		f, err := p.end(ctx, o)
		if err != nil {
			return err
		}
		r.BlockFile = &f
	}
	return nil
}

// record reads what a unit has committed.
func (s *Sink) record(ctx context.Context, key string) (*record, error) {
	body, err := s.get(ctx, key)
	if err != nil {
		return nil, err
	}
	r, err := decode(body)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.url(key), err)
	}
	return r, nil
}

// Abort forgets the part and its uploads. Objects that it has completed are left
// to the bucket's lifecycle rule.
func (p *part) Abort() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget()
}

func (p *part) forget() {
	p.packed.abort()
	p.blocks.abort()
	p.rows.Forget()
	p.packed, p.blocks, p.files = nil, nil, nil
	p.err = errDone
}
