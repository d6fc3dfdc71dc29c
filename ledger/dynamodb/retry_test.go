package dynamodb

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An answer that does not come is asked for again; a caller that gave up is not
// made to wait.
func TestTimeoutsAreRetried(t *testing.T) {
	done := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	defer silent.Close()
	defer close(done)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, silent.URL, nil)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Millisecond}
	_, err = client.Do(r) //nolint:bodyclose // there is none
	require.Error(t, err)
	assert.True(t, newRetryer().IsErrorRetryable(&smithyhttp.RequestSendError{Err: err}), err)
	assert.False(t, newRetryer().IsErrorRetryable(context.Canceled))
}

func TestPausesGrowToABound(t *testing.T) {
	for attempt := range 100 {
		for range 100 {
			p := pause(attempt)
			assert.Positive(t, p)
			assert.LessOrEqual(t, p, longPause+time.Millisecond)
			assert.LessOrEqual(t, p, firstPause<<min(attempt, 20)+time.Millisecond)
		}
	}
}
