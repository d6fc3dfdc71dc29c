package sqs_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
)

// An answer that never comes costs one attempt and not the call: a lease must be
// extended in time, and a message that is done be deleted.
func TestAnAnswerThatNeverComesCostsOneAttempt(t *testing.T) {
	for _, action := range []string{"DeleteMessageBatch", "ChangeMessageVisibilityBatch"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			var calls atomic.Int64
			gone := make(chan struct{})
			t.Cleanup(func() { close(gone) })
			fine := results(func(string) (string, string) { return "", "" })
			f.on(action, func(w http.ResponseWriter, in map[string]any) {
				if calls.Add(1) == 1 {
					<-gone
					return
				}
				fine(w, in)
			})
			q := opened(t, f.config(), fakeURL)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // an attempt has three seconds
			defer cancel()
			if action == "DeleteMessageBatch" {
				require.NoError(t, q.Delete(ctx, []queue.Receipt{"r"})[0])
			} else {
				require.NoError(t, q.Extend(ctx, []queue.Lease{{Receipt: "r", Visibility: time.Minute}})[0])
			}
			assert.GreaterOrEqual(t, calls.Load(), int64(2)) // more, if the machine stands still for three seconds
		})
	}
}
