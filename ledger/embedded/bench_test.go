package embedded_test

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/embedded"
	"github.com/ramify/ramify/queue"
	queueembedded "github.com/ramify/ramify/queue/embedded"
	"github.com/ramify/ramify/schema"
)

// BenchmarkCycle walks a tree of b.N nodes and fan-out 10 with 64 workers, one
// message a node, every write durable: what the store does for the engine and
// nothing else. One op is one node: a send (ten to a call), a receive, a settle
// or a plan (with the settle of its own slot), a delete.
func BenchmarkCycle(b *testing.B) {
	s := openStore(b, filepath.Join(b.TempDir(), "run.db"), store.Options{Create: true, Owner: true})
	q, err := queueembedded.Open(b.Context(), s, "main")
	require.NoError(b, err)
	defer q.Close()
	l := openLedger(b, s)
	require.NoError(b, l.Create(b.Context(), ledger.Run{ID: runName, State: ledger.Running}))
	ctx, finish := context.WithCancel(b.Context())
	defer finish()
	c := &cycle{ctx: ctx, finish: finish, queue: q, ledger: l}
	c.toPlan.Store(int64(b.N) / fanOut)
	require.NoError(b, q.Send(ctx, []queue.Entry{{Body: c.body(schema.Place{}, schema.Place{})}})[0])

	b.ResetTimer()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if err := c.work(); ctx.Err() == nil {
				assert.NoError(b, err)
				finish()
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	run, err := l.Run(b.Context(), runName)
	require.NoError(b, err)
	require.Equal(b, ledger.Finished, run.State)
	require.Equal(b, c.nodes.Load(), run.Totals.Nodes)
	b.ReportMetric(float64(c.nodes.Load())/b.Elapsed().Seconds(), "nodes/s")
}

const fanOut = 10

// cycle is a worker without an engine.
type cycle struct {
	ctx           context.Context
	finish        context.CancelFunc
	queue         *queueembedded.Queue
	ledger        *embedded.Ledger
	toPlan, nodes atomic.Int64
}

// body is a message of 400 bytes, with a node's place and its parent's.
func (c *cycle) body(at, up schema.Place) []byte {
	b := make([]byte, 0, 400)
	for _, p := range []schema.Place{at, up} {
		b = append(b, p.Parent[:]...)
		b = binary.BigEndian.AppendUint32(b, uint32(p.Slot))
	}
	return b[:400]
}

func placeIn(b []byte) (p schema.Place) {
	copy(p.Parent[:], b)
	p.Slot = int(binary.BigEndian.Uint32(b[16:]))
	return p
}

func (c *cycle) work() error {
	for {
		got, err := c.queue.Receive(c.ctx, queue.Request{Max: 1, Wait: 20 * time.Second, Visibility: time.Minute})
		if err != nil {
			return err
		}
		for _, d := range got {
			if err := c.unit(placeIn(d.Body), placeIn(d.Body[20:])); err != nil {
				return err
			}
			if err := c.queue.Delete(c.ctx, []queue.Receipt{d.Receipt})[0]; err != nil {
				return err
			}
		}
	}
}

func (c *cycle) unit(at, up schema.Place) error {
	c.nodes.Add(1)
	if c.toPlan.Add(-1) < 0 {
		return c.settle(ledger.Settlement{
			Run: runName, At: at, Account: schema.Account{Nodes: 1, Objects: 1000, Bytes: 1 << 30}, Unfenced: true, Header: header(up),
		})
	}
	pid := schema.PIDOf(runName, at)
	kids := make([]ledger.Kid, fanOut)
	entries := make([]queue.Entry, fanOut)
	for i := range kids {
		kids[i] = ledger.Kid{Kind: "bench", ID: "s3://bucket/prefix/of/some/length/" + string(rune('a'+i))}
		entries[i].Body = c.body(schema.Place{Parent: pid, Slot: i}, at)
	}
	p := ledger.Plan{PID: pid, Run: runName, Type: ledger.Live, Kids: kids, Own: schema.Account{Nodes: 1}, Up: at, MID: schema.NewMID()}
	if _, _, err := c.ledger.Plan(c.ctx, p); err != nil {
		return err
	}
	for _, err := range c.queue.Send(c.ctx, entries) {
		if err != nil {
			return err
		}
	}
	return nil
}

// settle climbs as long as what it settles completes a tally.
func (c *cycle) settle(s ledger.Settlement) error {
	for {
		t, _, err := c.ledger.Settle(c.ctx, s)
		if err != nil {
			return err
		}
		if s.At.IsRoot() {
			c.finish()
			return nil
		}
		if !t.Complete() {
			return nil
		}
		// The header of the plan above is not at hand, and is not needed: the
		// leaves of that plan bring it, or the settlement of its last child reads it.
		plan, err := c.ledger.Read(c.ctx, []ledger.Key{{PID: t.Header.Up.Parent}})
		if err != nil {
			return err
		}
		s = ledger.Settlement{Run: runName, At: t.Header.Up, Account: t.Sum.Add(t.Header.Own), Via: true}
		if plan[0].Plan != nil {
			s.Header = header(plan[0].Plan.Up)
		}
	}
}

func header(up schema.Place) *schema.Header {
	return &schema.Header{Required: fanOut, Own: schema.Account{Nodes: 1}, Up: up}
}
