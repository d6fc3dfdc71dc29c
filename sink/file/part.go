package file

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// part is the results of one attempt. It holds at most inventory.PackAt of rows, where
// the others are, and the blocks of streams that are not rows.
type part struct {
	sink       *Sink
	attempt    sink.Attempt
	generation int64

	mu      sync.Mutex
	rows    *inventory.Packer
	extents []extent
	ends    []end // of the files of the extents
	blobs   []blob
	err     error // rows are missing: the part cannot be committed
}

// extent is a range of a spool file with whole members of one attempt.
type extent struct {
	file, off, length, rows int64
}

// end is how far a file must be durable.
type end struct {
	file *spoolFile
	off  int64
}

type blob struct {
	stream string
	block  []byte
}

var (
	errDone     = errors.New("the part was committed or aborted before")
	errFinished = errors.New("the results were finished or closed since the attempt began")
)

// Write compresses a block of rows into the spool; a block of another stream is
// held until Commit.
func (p *part) Write(ctx context.Context, stream string, block []byte, rows int) error {
	if len(block) == 0 || stream == sink.Rows && p.sink.dir == "" {
		return nil
	}
	if err := p.write(ctx, stream, block, int64(rows)); err != nil {
		return fmt.Errorf("write results: %w", full(err))
	}
	return nil
}

func (p *part) write(ctx context.Context, stream string, block []byte, rows int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.err != nil:
		return p.err
	case stream != sink.Rows:
		p.blobs = append(p.blobs, blob{stream, append([]byte(nil), block...)})
		return nil
	}
	return p.rows.Write(ctx, &p.mu, block, rows)
}

// append spools a member. An error stays: rows are lost to this attempt.
func (p *part) append(ctx context.Context, member []byte, rows int64) error {
	if p.err != nil {
		return p.err
	}
	file, off, err := p.sink.spool.append(ctx, member)
	if err != nil {
		p.err = err
		return err
	}
	p.extents = join(p.extents, extent{file: file.id, off: off, length: int64(len(member)), rows: rows})
	upTo := off + int64(len(member))
	if i := len(p.ends) - 1; i >= 0 && p.ends[i].file == file {
		p.ends[i].off = max(p.ends[i].off, upTo)
	} else {
		p.ends = append(p.ends, end{file, upTo})
	}
	return nil
}

// Commit syncs the rows, then writes the part's record. The record of a leaf is
// put if its unit has none; the account returned is that of the record.
func (p *part) Commit(ctx context.Context, leaf bool, own schema.Account) (schema.Account, error) {
	account, err := p.commit(ctx, leaf, own)
	p.end()
	if err != nil {
		return schema.Account{}, fmt.Errorf("commit results: %w", full(err))
	}
	return account, nil
}

func (p *part) commit(ctx context.Context, leaf bool, own schema.Account) (schema.Account, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return own, p.err
	}
	if err := p.rows.Flush(ctx); err != nil {
		return own, err
	}
	for _, e := range p.ends {
		if err := e.file.sync(e.off); err != nil {
			return own, err
		}
	}
	if !leaf && len(p.extents) == 0 && len(p.blobs) == 0 {
		return own, nil // the ledger knows all there is to know
	}
	return p.sink.insertPart(ctx, p, unitKey(p.attempt.PID, p.attempt.ID, leaf), own)
}

// Abort forgets the part: what it has spooled is left out by Finish.
func (p *part) Abort() { p.end() }

func (p *part) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows.Forget()
	p.extents, p.ends, p.blobs = nil, nil, nil
	p.err = errDone
}
