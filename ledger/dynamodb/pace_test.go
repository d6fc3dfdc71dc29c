package dynamodb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/pace"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/dynamodb"
)

// narrow is a table that bears so many requests in a tenth of a second, and
// remembers nothing. It is no server, so that time can be made up.
type narrow struct {
	code string // of a refusal

	mu              sync.Mutex
	bears           int // 0: any number
	hangs           bool
	since           time.Time
	count           int
	served, refused int
}

func (s *narrow) open() *dynamodb.Ledger {
	url := "http://127.0.0.1"
	return dynamodb.New(aws.Config{
		Region: "us-east-1", BaseEndpoint: &url, HTTPClient: s,
		Credentials: credentials.NewStaticCredentialsProvider("ledger", "secret", ""),
	}, "nodes", dynamodb.Options{})
}

// Do implements the SDK's client.
func (s *narrow) Do(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(100 * time.Millisecond):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	bears, hangs := s.ask()
	switch {
	case hangs:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case !bears:
		return refuse(r, 400, s.code), nil
	}
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(strings.NewReader("{}")),
	}, nil
}

func (s *narrow) ask() (bears, hangs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.since) >= 100*time.Millisecond {
		s.since, s.count = time.Now(), 0
	}
	if s.count++; s.bears > 0 && s.count > s.bears {
		s.refused++
		return false, s.hangs
	}
	s.served++
	return true, s.hangs
}

// read is what was served and refused since it was read last.
func (s *narrow) read() (served, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	served, refused = s.served, s.refused
	s.served, s.refused = 0, 0
	return served, refused
}

func (s *narrow) set(bears int, hangs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bears, s.hangs = bears, hangs
}

// Writes slow to what the table bears, go on all the while, and are back at full
// speed when it bears more.
func TestThrottlingSlowsAndPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &narrow{code: "ThrottlingException", bears: 6}
		l := s.open()
		var mu sync.Mutex
		var told []pace.Turn
		l.OnTurn(func(turn pace.Turn) { mu.Lock(); told = append(told, turn); mu.Unlock() })
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var failed atomic.Int64
		for i := range 32 {
			all.Go(func() {
				for ctx.Err() == nil {
					if l.Create(ctx, ledger.Run{ID: fmt.Sprint("run", i)}) != nil && ctx.Err() == nil {
						failed.Add(1)
					}
				}
			})
		}
		time.Sleep(5 * time.Second)
		s.read()
		time.Sleep(10 * time.Second)
		served, refused := s.read()
		// 32 at a time would ask 320 times a second, and be refused 26 of 32 times.
		assert.Greater(t, served, 300, "of 600 that are borne")
		assert.Less(t, refused, served)
		assert.Zero(t, failed.Load(), "a call's retries are not used up")
		mu.Lock()
		require.NotEmpty(t, told)
		assert.True(t, told[0].Slowed)
		assert.Equal(t, "writes to table nodes", told[0].To)
		mu.Unlock()

		s.set(0, false)
		time.Sleep(10 * time.Second)
		assert.Nil(t, l.Slowed(), "it recovers")
		mu.Lock()
		assert.False(t, told[len(told)-1].Slowed)
		mu.Unlock()
		s.read()
		time.Sleep(time.Second)
		served, _ = s.read()
		assert.Greater(t, served, 250, "of 320 a second")
		cancel()
		all.Wait()
		require.NoError(t, l.Close())
	})
}

// All that DynamoDB says when it is asked too much slows, though the call then
// succeeds; nothing else does.
func TestWhatSlows(t *testing.T) {
	for code, slows := range map[string]bool{
		"ThrottlingException": true, "ProvisionedThroughputExceededException": true, "RequestLimitExceeded": true,
		"InternalServerError": false, "ConditionalCheckFailedException": false,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &narrow{code: code, bears: 1}
			l := s.open()
			var told atomic.Int64
			l.OnTurn(func(pace.Turn) { told.Add(1) })
			var all sync.WaitGroup
			for i := range 2 {
				all.Go(func() { _ = l.Create(t.Context(), ledger.Run{ID: fmt.Sprint("run", i)}) })
			}
			all.Wait()
			assert.Equal(t, slows, told.Load() > 0, code)
			require.NoError(t, l.Close())
		})
	}
}

// Who gives up while others have the turns leaves at once.
func TestACallerLeavesAThrottledTableAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &narrow{code: "ThrottlingException", bears: 1}
		l := s.open()
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() { _ = l.Create(t.Context(), ledger.Run{ID: fmt.Sprint("run", i)}) })
		}
		all.Wait()
		require.NotNil(t, l.Slowed())
		s.set(0, true)
		ctx, cancel := context.WithCancelCause(t.Context())
		for i := range 30 {
			all.Go(func() {
				err := l.Create(ctx, ledger.Run{ID: fmt.Sprint("run", i)})
				assert.ErrorIs(t, err, context.Canceled)
			})
		}
		time.Sleep(time.Second)
		began := time.Now()
		cancel(errors.New("drained"))
		all.Wait()
		assert.Zero(t, time.Since(began))
		require.NoError(t, l.Close())
	})
}
