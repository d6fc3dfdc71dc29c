package sqs_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/sqs"
)

const fakeURL = "http://127.0.0.1/000000000000/nodes"

func TestErrorsSayWhatAndWayOut(t *testing.T) {
	cases := []struct {
		code string
		is   error
		says string
	}{
		{"QueueDoesNotExist", sqs.ErrNoQueue, "ramify setup"},
		{"AWS.SimpleQueueService.NonExistentQueue", sqs.ErrNoQueue, "ramify setup"},
		{"AccessDenied", sqs.ErrDenied, "allow it in the policy"},
		{"AccessDeniedException", sqs.ErrDenied, "sqs:GetQueueAttributes"},
		{"InvalidClientTokenId", sqs.ErrCredentials, "AWS_PROFILE"},
		{"KmsAccessDenied", sqs.ErrKey, "kms:Decrypt"},
	}
	for _, c := range cases {
		t.Run(c.code, func(t *testing.T) {
			f := newFake(t)
			f.on("GetQueueAttributes", fails(http.StatusBadRequest, c.code, "a message"))
			_, err := sqs.Open(t.Context(), f.config(), fakeURL)
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, "queue nodes")
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestNoSuchQueueOnServers(t *testing.T) {
	onServers(t, func(t *testing.T, _, url string) {
		_, err := sqs.Open(t.Context(), config(url), "no-such-queue")
		require.ErrorIs(t, err, sqs.ErrNoQueue)
		_, err = sqs.Open(t.Context(), config(url), url+"/000000000000/no-such-queue")
		require.ErrorIs(t, err, sqs.ErrNoQueue)
	})
}

func TestNames(t *testing.T) {
	for name, says := range map[string]string{
		"tree.fifo": "FIFO", "": "no name of a queue", "a b": "no name of a queue",
		strings.Repeat("a", 81): "no name of a queue", "https://sqs.eu-west-1.amazonaws.com/": "no name of a queue",
	} {
		_, err := sqs.Open(t.Context(), config("http://127.0.0.1:9"), name)
		require.ErrorContains(t, err, says, "%q", name)
	}
}

// Leases that are lost show in the answers to entries, under several codes.
func TestLeasesLost(t *testing.T) {
	codes := map[string][2]string{
		"0": {"ReceiptHandleIsInvalid", "..."},
		"1": {"AWS.SimpleQueueService.MessageNotInflight", "..."},
		"2": {"InvalidParameterValue", "Value x for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."},
		"3": {"InvalidParameterValue", "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]."},
		"4": {"InternalError", "try again"},
	}
	f := newFake(t)
	f.on("ChangeMessageVisibilityBatch", results(func(id string) (string, string) { return codes[id][0], codes[id][1] }))
	q := opened(t, f.config(), fakeURL)
	var leases []queue.Lease
	for _, r := range []queue.Receipt{"a", "b", "c", "d", "e", "f"} {
		leases = append(leases, queue.Lease{Receipt: r, Visibility: time.Minute})
	}
	errs := q.Extend(t.Context(), leases)
	for i := range 3 {
		require.ErrorIs(t, errs[i], queue.ErrLeaseLost)
	}
	for i := 3; i < 5; i++ {
		require.Error(t, errs[i])
		require.NotErrorIs(t, errs[i], queue.ErrLeaseLost)
	}
	require.NoError(t, errs[5])
}

// A queue with 120,000 messages in flight has none to give, which is no error.
func TestOverLimit(t *testing.T) {
	f := newFake(t)
	f.on("ReceiveMessage", fails(http.StatusForbidden, "OverLimit", "too many messages in flight"))
	q := opened(t, f.config(), fakeURL)
	start := time.Now()
	got, err := q.Receive(t.Context(), queue.Request{Max: 10, Wait: 20 * time.Second, Visibility: time.Minute})
	require.NoError(t, err)
	require.Empty(t, got)
	assert.GreaterOrEqual(t, time.Since(start), time.Second/2, "it backs off")
	assert.Len(t, f.requests("ReceiveMessage"), 1)
}
