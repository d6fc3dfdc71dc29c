package sqs_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/emulator/counter"
	"github.com/ramify/ramify/queue"
)

// TestRequestsPerMessage counts what SQS would charge for: fifty callers send
// forty messages each, one a call, and then receive and delete them, one a call.
func TestRequestsPerMessage(t *testing.T) {
	const callers, each = 50, 40
	onServers(t, func(t *testing.T, _, url string) {
		c := counter.New(t, url)
		q := made(t, config(c.URL))
		before := c.Requests()

		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				for j := range each {
					e := queue.Entry{Body: fmt.Appendf(nil, "message %d of %d", j, i), Group: "run"}
					assert.NoError(t, q.Send(t.Context(), []queue.Entry{e})[0])
				}
			})
		}
		all.Wait()

		receipts := make(chan queue.Receipt, callers*each)
		for n := 0; n < callers*each; {
			got, err := q.Receive(t.Context(), queue.Request{Max: 10, Wait: time.Second, Visibility: time.Minute})
			require.NoError(t, err)
			n += len(got)
			for _, d := range got {
				receipts <- d.Receipt
			}
		}
		close(receipts)
		for range callers {
			all.Go(func() {
				for r := range receipts {
					assert.NoError(t, q.Delete(t.Context(), []queue.Receipt{r})[0])
				}
			})
		}
		all.Wait()

		total := 0
		for operation, n := range c.Requests() {
			n -= before[operation]
			total += n
			t.Logf("%s: %d", operation, n)
		}
		perMessage := float64(total) / (callers * each)
		t.Logf("%.3f requests a message", perMessage)
		// 0.30 at best: who comes late, since the machine is busy, is in no batch of others.
		assert.LessOrEqual(t, perMessage, 0.4)
	})
}
