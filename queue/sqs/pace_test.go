package sqs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/pace"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/sqs"
)

// throttler stands before a fake server, and bears so many requests of each action
// in a tenth of a second. It is no server of its own, so that time can be made up.
type throttler struct {
	fake    *fake
	latency time.Duration

	mu              sync.Mutex
	bears           int // 0: any number; -1: none
	hangs           bool
	since           map[string]time.Time
	count           map[string]int
	served, refused map[string]int
}

func newThrottler(bears int) *throttler {
	f := &fake{asked: map[string][]map[string]any{}, actions: map[string]func(http.ResponseWriter, map[string]any){}}
	f.on("GetQueueAttributes", func(w http.ResponseWriter, _ map[string]any) {
		answer(w, map[string]any{"Attributes": map[string]string{"MaximumMessageSize": "1048576"}})
	})
	ok := results(func(string) (string, string) { return "", "" })
	f.on("SendMessageBatch", ok)
	f.on("DeleteMessageBatch", ok)
	f.on("ChangeMessageVisibilityBatch", ok)
	f.on("ReceiveMessage", func(w http.ResponseWriter, _ map[string]any) {
		answer(w, map[string]any{"Messages": []any{map[string]any{"MessageId": "a", "Body": "a", "ReceiptHandle": "a"}}})
	})
	return &throttler{
		fake: f, latency: 100 * time.Millisecond, bears: bears,
		since: map[string]time.Time{}, count: map[string]int{}, served: map[string]int{}, refused: map[string]int{},
	}
}

func (s *throttler) config() aws.Config {
	cfg := config("http://127.0.0.1")
	cfg.HTTPClient = s
	return cfg
}

// Do implements the SDK's client.
func (s *throttler) Do(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(s.latency):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	w := httptest.NewRecorder()
	switch action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS."); {
	case s.hung():
		<-r.Context().Done()
		return nil, r.Context().Err()
	case action != "GetQueueAttributes" && !s.bearsOne(action):
		fails(http.StatusBadRequest, "RequestThrottled", "slow down")(w, nil)
	default:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.fake.ServeHTTP(w, r)
	}
	out := w.Result()
	out.Request = r
	return out, nil
}

func (s *throttler) hung() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hangs
}

func (s *throttler) bearsOne(action string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.since[action]) >= 100*time.Millisecond {
		s.since[action], s.count[action] = time.Now(), 0
	}
	if s.count[action]++; s.bears != 0 && s.count[action] > s.bears {
		s.refused[action]++
		return false
	}
	s.served[action]++
	return true
}

// read is what was served and refused of an action since it was read last.
func (s *throttler) read(action string) (served, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	served, refused = s.served[action], s.refused[action]
	s.served[action], s.refused[action] = 0, 0
	return served, refused
}

func (s *throttler) set(bears int, hangs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bears, s.hangs = bears, hangs
}

// turns collects what is told of the pace.
type turns struct {
	mu   sync.Mutex
	told []pace.Turn
}

func (t *turns) add(turn pace.Turn) { t.mu.Lock(); t.told = append(t.told, turn); t.mu.Unlock() }

func (t *turns) take() []pace.Turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	told := t.told
	t.told = nil
	return told
}

var tenReceipts = []queue.Receipt{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}

// Each action on its own slows to what SQS bears, whether or not the SDK retries
// it, goes on all the while, and is back at full speed when SQS bears more.
func TestThrottlingSlowsAndPasses(t *testing.T) {
	const to = " on queue nodes"
	calls := map[string]func(context.Context, *sqs.Queue) error{
		"SendMessageBatch": func(ctx context.Context, q *sqs.Queue) error {
			return errors.Join(q.Send(ctx, entries("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"))...)
		},
		"DeleteMessageBatch": func(ctx context.Context, q *sqs.Queue) error {
			return errors.Join(q.Delete(ctx, tenReceipts)...)
		},
		"ReceiveMessage": func(ctx context.Context, q *sqs.Queue) error {
			_, err := q.Receive(ctx, queue.Request{Max: 10, Wait: 20 * time.Second, Visibility: time.Minute})
			return err
		},
	}
	for action, call := range calls {
		t.Run(action, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newThrottler(3)
				q, err := sqs.Open(t.Context(), s.config(), fakeURL)
				require.NoError(t, err)
				var told turns
				q.OnTurn(told.add)
				ctx, cancel := context.WithCancel(t.Context())
				var all sync.WaitGroup
				for range 16 {
					all.Go(func() {
						for ctx.Err() == nil {
							_ = call(ctx, q)
						}
					})
				}
				time.Sleep(5 * time.Second)
				s.read(action)
				time.Sleep(10 * time.Second)
				served, refused := s.read(action)
				// 16 at a time would ask 160 times a second, 13 of 16 in vain.
				assert.Greater(t, served, 150, "of 300 that are borne")
				assert.Less(t, refused, served)
				assert.Len(t, q.Slowed(), 1)
				assert.Positive(t, q.Slowed()["sqs:"+action+to])
				first := told.take()
				require.NotEmpty(t, first)
				assert.True(t, first[0].Slowed)
				assert.Equal(t, "sqs:"+action+to, first[0].To)

				s.set(0, false)
				time.Sleep(10 * time.Second)
				assert.Nil(t, q.Slowed(), "it recovers")
				last := told.take()
				require.NotEmpty(t, last)
				assert.False(t, last[len(last)-1].Slowed)
				s.read(action)
				time.Sleep(time.Second)
				served, _ = s.read(action)
				assert.Greater(t, served, 100, "of 160 a second")
				cancel()
				all.Wait()
				require.NoError(t, q.Close())
			})
		})
	}
}

// One entry of a batch that is throttled slows as well as a whole request.
func TestAThrottledEntrySlows(t *testing.T) {
	f := newFake(t)
	f.on("SendMessageBatch", results(func(id string) (string, string) {
		if id == "1" {
			return "RequestThrottled", "slow down"
		}
		return "", ""
	}))
	q := opened(t, f.config(), fakeURL)
	errs := q.Send(t.Context(), entries("a", "b"))
	require.NoError(t, errs[0])
	require.ErrorContains(t, errs[1], "SQS asks for fewer requests (RequestThrottled)")
	assert.Equal(t, map[string]int{"sqs:SendMessageBatch on queue nodes": 1}, q.Slowed())
}

// Who gives up while others have the turns leaves at once, and Close does not wait
// for all of them.
func TestNobodyIsHeldUpByAThrottledQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newThrottler(-1)
		q, err := sqs.Open(t.Context(), s.config(), fakeURL)
		require.NoError(t, err)
		require.Error(t, q.Send(t.Context(), entries("a"))[0])
		require.Equal(t, 1, q.Slowed()["sqs:SendMessageBatch on queue nodes"])
		s.set(0, true)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() { _ = q.Send(ctx, entries(fmt.Sprint(i, "a"))) })
		}
		time.Sleep(time.Second)
		began := time.Now()
		cancel()
		all.Wait()
		assert.Zero(t, time.Since(began))
		for i := range 30 {
			all.Go(func() { assert.Error(t, q.Send(t.Context(), entries(fmt.Sprint(i, "a")))[0]) })
		}
		time.Sleep(time.Second)
		began = time.Now()
		require.NoError(t, q.Close())
		all.Wait()
		assert.LessOrEqual(t, time.Since(began), 20*time.Second)
	})
}

// A receive without a turn before its wait is over has received nothing, which is
// no error.
func TestReceiveWithoutATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newThrottler(-1)
		q, err := sqs.Open(t.Context(), s.config(), fakeURL)
		require.NoError(t, err)
		receive := func(ctx context.Context, wait time.Duration) ([]queue.Delivery, error) {
			return q.Receive(ctx, queue.Request{Max: 1, Wait: wait, Visibility: time.Minute})
		}
		_, err = receive(t.Context(), 0)
		require.ErrorContains(t, err, "SQS asks for fewer requests")
		require.NotNil(t, q.Slowed())
		s.set(0, true)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _, _ = receive(ctx, 20*time.Second) })
		synctest.Wait()
		began := time.Now()
		got, err := receive(t.Context(), 3*time.Second)
		require.NoError(t, err)
		assert.Empty(t, got)
		assert.Equal(t, 3*time.Second, time.Since(began))
		cancel()
		all.Wait()
		require.NoError(t, q.Close())
	})
}
