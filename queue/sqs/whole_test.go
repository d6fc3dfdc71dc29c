package sqs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
)

// Whoever passes a message on knows what SQS knows of it: its id and when it was first
// received are the same at every receive.
func TestReceiveWhole(t *testing.T) {
	onServers(t, func(t *testing.T, _, url string) {
		q := made(t, config(url))
		began := time.Now().Add(-time.Second) // times are of the server, cut to milliseconds
		require.NoError(t, q.Send(t.Context(), []queue.Entry{{Body: []byte("one"), Attrs: map[string]string{"a": "b"}}})[0])
		var ids []string
		var first []time.Time
		for n := 1; n <= 2; n++ {
			got, err := q.ReceiveWhole(t.Context(), queue.Request{Max: 1, Wait: 10 * time.Second, Visibility: time.Minute})
			require.NoError(t, err)
			require.Len(t, got, 1)
			assert.Equal(t, "one", string(got[0].Body))
			assert.Equal(t, map[string]string{"a": "b"}, got[0].Attrs)
			assert.Equal(t, n, got[0].Receives)
			assert.NotEmpty(t, got[0].Sender)
			ids, first = append(ids, got[0].ID), append(first, got[0].FirstReceived)
			require.NoError(t, q.Extend(t.Context(), []queue.Lease{{Receipt: got[0].Receipt}})[0])
		}
		assert.NotEmpty(t, ids[0])
		assert.Equal(t, ids[0], ids[1])
		assert.Equal(t, first[0], first[1])
		assert.WithinRange(t, first[0], began, time.Now().Add(time.Second))
	})
}
