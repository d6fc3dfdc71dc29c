package sqsd_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/sqs"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sqsd"
	"github.com/ramify/ramify/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a queue that keeps leases and counts receives.
type source struct {
	mu       sync.Mutex
	messages []*message
	asked    int   // receives
	fault    error // of receives
	most     int   // messages held at a time
}

type message struct {
	sqs.Whole
	visible time.Time
	deleted bool
	at      []time.Time // of its receives
}

func (s *source) add(m sqs.Whole) *message {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := &message{Whole: m}
	in.Receipt = queue.Receipt("receipt of " + m.ID)
	s.messages = append(s.messages, in)
	return in
}

func (s *source) Name() string { return "jobs" }

func (s *source) ReceiveWhole(ctx context.Context, r queue.Request) ([]sqs.Whole, error) {
	until := time.After(r.Wait)
	for {
		s.mu.Lock()
		s.asked++
		if err := s.fault; err != nil {
			s.mu.Unlock()
			return nil, err
		}
		var got []sqs.Whole
		held := 0
		now := time.Now()
		for _, m := range s.messages {
			switch {
			case m.deleted:
			case m.visible.After(now):
				held++
			case len(got) < r.Max:
				m.Receives++
				m.visible = now.Add(r.Visibility)
				m.at = append(m.at, now)
				got = append(got, m.Whole)
			}
		}
		s.most = max(s.most, held+len(got))
		s.mu.Unlock()
		if len(got) > 0 {
			return got, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-until:
			return nil, nil
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (s *source) find(r queue.Receipt) *message {
	for _, m := range s.messages {
		if m.Receipt == r && !m.deleted {
			return m
		}
	}
	return nil
}

func (s *source) Delete(_ context.Context, receipts []queue.Receipt) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.find(receipts[0]).deleted = true
	return []error{nil}
}

func (s *source) Extend(_ context.Context, leases []queue.Lease) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.find(leases[0].Receipt)
	if m == nil || m.visible.Before(time.Now()) {
		return []error{queue.ErrLeaseLost}
	}
	m.visible = time.Now().Add(leases[0].Visibility)
	return []error{nil}
}

// application is one made of a function.
type application struct {
	post  func(ctx context.Context, w *webhook.Work) error
	await func(ctx context.Context) error
}

func (a *application) Post(ctx context.Context, w *webhook.Work) (webhook.Answer, error) {
	return webhook.Answer{}, a.post(ctx, w)
}

func (a *application) Await(ctx context.Context) error {
	if a.await == nil {
		return nil
	}
	return a.await(ctx)
}

func start(t *testing.T, s *source, a *application, o sqsd.Options) *sqsd.Daemon {
	t.Helper()
	o.Queue, o.Application = s, a
	d := sqsd.New(o)
	d.Start(t.Context())
	return d
}

func TestMessagesAreWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		first := time.Now()
		s.add(sqs.Whole{
			Delivery: queue.Delivery{Body: []byte("plain text"), Attrs: map[string]string{"message-digest": "x", "beanstalk.sqsd.path": "/not-a-task"}},
			ID:       "1", Sender: "AIDA", FirstReceived: first,
		})
		s.add(sqs.Whole{
			Delivery: queue.Delivery{Body: []byte("elasticbeanstalk scheduled job"), Attrs: map[string]string{
				"beanstalk.sqsd.task_name": "audit", "beanstalk.sqsd.path": "/audit", "beanstalk.sqsd.scheduled_time": "then", "other": "y",
			}},
			ID: "2",
		})
		got := map[string]webhook.Work{}
		var mu sync.Mutex
		d := start(t, s, &application{post: func(_ context.Context, w *webhook.Work) error {
			mu.Lock()
			defer mu.Unlock()
			got[w.ID] = *w
			return nil
		}}, sqsd.Options{})
		synctest.Wait()
		d.Stop()
		assert.Equal(t, map[string]webhook.Work{
			"1": {
				ID: "1", Queue: "jobs", Received: first, Receives: 1, Sender: "AIDA", Body: []byte("plain text"),
				Attrs: map[string]string{"message-digest": "x", "beanstalk.sqsd.path": "/not-a-task"},
			},
			"2": {
				ID: "2", Queue: "jobs", Receives: 1, Body: []byte("elasticbeanstalk scheduled job"),
				Task: "audit", At: "then", Path: "/audit", Attrs: map[string]string{"other": "y"},
			},
		}, got)
		for _, m := range s.messages {
			assert.True(t, m.deleted)
		}
		delivered, failed := d.Counts()
		assert.EqualValues(t, 2, delivered)
		assert.Zero(t, failed)
		assert.True(t, d.Idle())
	})
}

// What is not answered by 200 comes back after the error visibility, or when the
// application asks for it; what is 200 with an answer that is no use is done.
func TestWhatBecomesOfAMessage(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		gone bool
		back time.Duration
	}{
		"done":           {nil, true, 0},
		"500":            {&webhook.StatusError{Code: 500}, false, 7 * time.Second},
		"later":          {&webhook.StatusError{Code: 503, After: time.Minute}, false, time.Minute},
		"soon":           {&webhook.StatusError{Code: 503, After: time.Second}, false, 7 * time.Second},
		"unreachable":    {webhook.ErrUnreachable, false, 7 * time.Second},
		"silent":         {errors.New("nothing for 180s"), false, 7 * time.Second},
		"a bad answer":   {webhook.ErrAnswer, true, 0},
		"for ever later": {&webhook.StatusError{Code: 503, After: 100 * time.Hour}, false, 12*time.Hour - time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &source{}
				m := s.add(sqs.Whole{ID: "1"})
				d := start(t, s, &application{post: func(context.Context, *webhook.Work) error { return test.err }}, sqsd.Options{ErrorVisibility: 7 * time.Second})
				time.Sleep(13 * time.Hour)
				d.Stop()
				assert.Equal(t, test.gone, m.deleted)
				if test.gone {
					assert.Len(t, m.at, 1)
					return
				}
				require.Greater(t, len(m.at), 1)
				assert.InDelta(t, test.back.Seconds(), m.at[1].Sub(m.at[0]).Seconds(), 0.6)
			})
		})
	}
}

// An application that works for long keeps its message, and is given grace.
func TestAMessageIsHeldWhileTheApplicationWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		m := s.add(sqs.Whole{ID: "1"})
		d := start(t, s, &application{post: func(ctx context.Context, _ *webhook.Work) error {
			select {
			case <-time.After(5 * time.Hour):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}}, sqsd.Options{Visibility: 30 * time.Second, Grace: 6 * time.Hour})
		time.Sleep(time.Minute)
		d.Stop()
		assert.True(t, m.deleted)
		assert.Len(t, m.at, 1)
	})
}

// What is under way when the grace is over is returned at once.
func TestStopReturnsWhatIsNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		m := s.add(sqs.Whole{ID: "1"})
		d := start(t, s, &application{post: func(ctx context.Context, _ *webhook.Work) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}}, sqsd.Options{Grace: time.Second, ErrorVisibility: time.Hour})
		synctest.Wait()
		d.Stop()
		assert.False(t, m.deleted)
		assert.False(t, m.visible.After(time.Now()))
		_, failed := d.Counts()
		assert.Zero(t, failed, "it is nobody's failure")
	})
}

// A message that somebody else has by now ends the request.
func TestALostMessageEndsItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		m := s.add(sqs.Whole{ID: "1"})
		ended := make(chan error, 1)
		d := start(t, s, &application{post: func(ctx context.Context, _ *webhook.Work) error {
			s.mu.Lock()
			m.visible, m.deleted = time.Time{}, true
			s.mu.Unlock()
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return context.Cause(ctx)
		}}, sqsd.Options{})
		require.ErrorIs(t, <-ended, queue.ErrLeaseLost)
		d.Stop()
	})
}

// No more is received than there are connections, and nothing while the application
// is away.
func TestConnectionsAndHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		for i := range 100 {
			s.add(sqs.Whole{ID: string(rune('a' + i))})
		}
		up := time.Now().Add(time.Hour)
		d := start(t, s, &application{
			await: func(ctx context.Context) error {
				if time.Now().After(up) {
					return nil
				}
				select {
				case <-time.After(time.Minute):
					return webhook.ErrUnreachable
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			},
			post: func(context.Context, *webhook.Work) error {
				time.Sleep(time.Second)
				return nil
			},
		}, sqsd.Options{Connections: 7})
		time.Sleep(59 * time.Minute)
		s.mu.Lock()
		assert.Zero(t, s.asked)
		s.mu.Unlock()
		time.Sleep(time.Hour)
		d.Stop()
		delivered, _ := d.Counts()
		assert.EqualValues(t, 100, delivered)
		assert.LessOrEqual(t, s.most, 7)
	})
}

func TestOurOwnMessagesAreNotPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := schema.Message{V: schema.Version, Run: "r", Op: schema.OpNode, Kind: "synthetic", ID: "0"}
		body, err := node.Encode()
		require.NoError(t, err)
		s := &source{}
		s.add(sqs.Whole{ID: "1", Delivery: queue.Delivery{Body: body}})
		s.add(sqs.Whole{ID: "2", Delivery: queue.Delivery{Body: []byte("x"), Attrs: map[string]string{schema.AttrSignature: "s"}}})
		d := start(t, s, &application{post: func(_ context.Context, w *webhook.Work) error {
			t.Errorf("%s was passed on", w.ID)
			return nil
		}}, sqsd.Options{ErrorVisibility: time.Minute})
		time.Sleep(4*time.Minute + 30*time.Second)
		d.Stop()
		for _, m := range s.messages {
			assert.False(t, m.deleted)
			assert.Len(t, m.at, 5)
		}
	})
}

func TestReceivesThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{fault: errors.New("away")}
		m := s.add(sqs.Whole{ID: "1"})
		troubles := 0
		d := start(t, s, &application{post: func(context.Context, *webhook.Work) error { return nil }}, sqsd.Options{Trouble: func(err error) {
			assert.ErrorIs(t, err, s.fault)
			troubles++
		}})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		s.mu.Lock()
		s.fault = nil
		s.mu.Unlock()
		time.Sleep(2 * time.Second)
		d.Stop()
		assert.True(t, m.deleted)
		assert.InDelta(t, 10, troubles, 1)
	})
}
