package sqs_test

import (
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
			began := time.Now() // an attempt has three seconds, and the machine may be busy
			if action == "DeleteMessageBatch" {
				require.NoError(t, q.Delete(t.Context(), []queue.Receipt{"r"})[0])
			} else {
				require.NoError(t, q.Extend(t.Context(), []queue.Lease{{Receipt: "r", Visibility: time.Minute}})[0])
			}
			assert.EqualValues(t, 2, calls.Load())
			assert.Less(t, time.Since(began), 30*time.Second)
		})
	}
}
