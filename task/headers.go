package task

import (
	"sync"

	"github.com/ramify/ramify/schema"
)

// headers remembers the headers of plans that this task wrote, read or had a child
// of, so that a settlement above brings one along: the tally keeps it, and nobody
// after reads the plan for it. A header never changes within an epoch.
type headers struct {
	mu        sync.Mutex
	now, then map[planEpoch]schema.Header // what is not asked for again goes with then
}

type planEpoch struct {
	pid   schema.PID
	epoch int
}

// mostHeaders is how many are remembered in each half, of about 200 bytes.
const mostHeaders = 32 << 10

func (c *headers) put(pid schema.PID, epoch int, h schema.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.now) >= mostHeaders || c.now == nil {
		c.now, c.then = map[planEpoch]schema.Header{}, c.now
	}
	c.now[planEpoch{pid, epoch}] = h
}

// get is the header of a plan in an epoch, or nil.
func (c *headers) get(pid schema.PID, epoch int) *schema.Header {
	key := planEpoch{pid, epoch}
	c.mu.Lock()
	h, ok := c.now[key]
	if !ok {
		h, ok = c.then[key]
	}
	c.mu.Unlock()
	if !ok {
		return nil
	}
	return &h
}
