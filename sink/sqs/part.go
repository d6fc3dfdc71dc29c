package sqs

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// held is the bytes of rows that an attempt holds; what is beyond is sent before
// anybody knows whether the attempt will count.
const held = 8 << 20

// part is the results of one attempt: rows that are not sent yet, and the rest,
// which the inner sink has.
type part struct {
	sink.Part
	sink    *Sink
	attempt sink.Attempt

	mu   sync.Mutex
	rows []byte
	sent int   // messages
	err  error // rows are missing: the part cannot be committed
}

var errDone = errors.New("the part was committed or aborted before")

// Write holds rows until Commit, and sends some where they come to 8 MiB. A block
// of another stream goes to the inner sink, and that there is an attempt, too.
func (p *part) Write(ctx context.Context, stream string, block []byte, rows int) error {
	if stream != sink.Rows || len(block) == 0 {
		return p.Part.Write(ctx, stream, block, rows)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return fmt.Errorf("write results: %w", p.err)
	}
	if p.rows = append(p.rows, block...); len(p.rows) < held {
		return nil
	}
	if p.err = p.send(ctx); p.err != nil {
		return fmt.Errorf("write results: %w", p.err)
	}
	return nil
}

// send sends what is held.
func (p *part) send(ctx context.Context) error {
	var messages []message
	for rest := p.rows; len(rest) > 0; {
		m, n, err := p.sink.message(p.attempt, p.sent+len(messages)+1, rest)
		if err != nil {
			return err
		}
		messages, rest = append(messages, m), rest[n:]
	}
	if err := p.sink.deliver(ctx, messages); err != nil {
		return err
	}
	p.sent += len(messages)
	p.rows = p.rows[:0]
	return nil
}

// Commit sends the rows, then commits what the inner sink has: an attempt that dies
// in between is repeated, and its rows come again.
func (p *part) Commit(ctx context.Context, leaf bool, own schema.Account) (schema.Account, error) {
	if err := p.commit(ctx); err != nil {
		p.Part.Abort()
		return schema.Account{}, fmt.Errorf("commit results: %w", err)
	}
	return p.Part.Commit(ctx, leaf, own)
}

func (p *part) commit(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.err
	switch {
	case err != nil:
	case p.sink.closed.Load():
		err = errClosed
	default:
		err = p.send(ctx)
	}
	p.rows, p.err = nil, errDone
	return err
}

// Abort forgets what is held.
func (p *part) Abort() {
	p.mu.Lock()
	p.rows, p.err = nil, errDone
	p.mu.Unlock()
	p.Part.Abort()
}
