package ecs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/ecs"
)

// RoundTrip lets the agent answer without a connection. One that panics with
// http.ErrAbortHandler has lost its answer.
func (a *agent) RoundTrip(r *http.Request) (out *http.Response, err error) {
	w := httptest.NewRecorder()
	defer func() {
		if recover() != nil {
			out, err = nil, errLost
		}
	}()
	a.ServeHTTP(w, r)
	if r.Context().Err() != nil {
		return nil, context.Cause(r.Context())
	}
	return w.Result(), nil
}

func hangs(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }

// protect runs a test with a started Protection in made-up time.
func protect(t *testing.T, test func(t *testing.T, p *ecs.Protection, a *agent, l *logs)) {
	protectBy(t, ecs.Options{}, test)
}

func protectBy(t *testing.T, o ecs.Options, test func(t *testing.T, p *ecs.Protection, a *agent, l *logs)) {
	synctest.Test(t, func(t *testing.T) {
		a, l := &agent{}, &logs{}
		o.Agent, o.Log = "http://169.254.170.2/api/", l.logger()
		p := ecs.NewProtection(o)
		ecs.Through(p, a)
		p.Start(t.Context())
		test(t, p, a, l)
		p.Stop(t.Context())
	})
}

func busyFor(p *ecs.Protection, d time.Duration) {
	p.Busy(true)
	time.Sleep(d)
	p.Busy(false)
}

func TestOnAtTheEdgeOffWhenIdle(t *testing.T) {
	protect(t, func(t *testing.T, p *ecs.Protection, a *agent, l *logs) {
		time.Sleep(time.Hour)
		require.Empty(t, a.calls(), "an idle task asks for nothing")
		began := time.Now()
		for range 100 { // short pauses are no edges
			busyFor(p, time.Second)
			time.Sleep(14 * time.Second)
			require.True(t, a.protected())
		}
		calls := a.calls()
		assert.True(t, calls[0].at.Equal(began))
		assert.Len(t, calls, 1, "in 25 minutes")
		time.Sleep(time.Second)
		synctest.Wait()
		assert.False(t, a.protected(), "15 s idle")
		calls = a.calls()
		require.Len(t, calls, 1)
		assert.False(t, calls[0].on)
		assert.Zero(t, calls[0].minutes)
		time.Sleep(time.Hour)
		assert.Empty(t, a.calls())
		assert.Empty(t, l.lines())
	})
}

func TestRenewedWhileBusy(t *testing.T) {
	protect(t, func(t *testing.T, p *ecs.Protection, a *agent, _ *logs) {
		p.Busy(true)
		for range 10 * 60 {
			time.Sleep(time.Minute)
			require.True(t, a.protected())
		}
		assert.InDelta(t, 20, len(a.calls()), 1, "every half hour")
		p.Stop(t.Context())
		assert.False(t, a.protected())
	})
}

// A deployment on a fleet that is never idle ends: what it has replaced is protected
// for an hour at most. Where it is rolled back, protection is renewed again.
func TestNotRenewedOnceReplaced(t *testing.T) {
	var replaced atomic.Bool
	ask := func(context.Context) (bool, error) { return replaced.Load(), nil }
	protectBy(t, ecs.Options{Replaced: ask}, func(t *testing.T, p *ecs.Protection, a *agent, l *logs) {
		p.Busy(true)
		time.Sleep(170 * time.Minute)
		replaced.Store(true)
		time.Sleep(39 * time.Minute)
		assert.True(t, a.protected(), "since it was asked, after 10 minutes, what is under way has half an hour")
		time.Sleep(2 * time.Minute)
		assert.False(t, a.protected())
		assert.NotEmpty(t, l.lines())
		a.calls()
		time.Sleep(5 * time.Hour)
		assert.Empty(t, a.calls())
		assert.InDelta(t, 10, len(l.lines()), 1, "asked every half hour")

		replaced.Store(false)
		time.Sleep(31 * time.Minute)
		assert.True(t, a.protected())
	})
}

// While it is not known, and where nobody answers, protection goes on.
func TestRenewedWhileItIsNotKnownWhetherReplaced(t *testing.T) {
	for name, ask := range map[string]func(context.Context) (bool, error){
		"refused": func(context.Context) (bool, error) { return true, errLost },
		"silent":  func(ctx context.Context) (bool, error) { <-ctx.Done(); return true, ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			protectBy(t, ecs.Options{Replaced: ask}, func(t *testing.T, p *ecs.Protection, a *agent, l *logs) {
				p.Busy(true)
				for range 3 * 60 {
					time.Sleep(time.Minute)
					require.True(t, a.protected())
				}
				assert.NotEmpty(t, l.lines())
			})
		})
	}
}

// Failures are logged when they begin and when they are over, repeated with growing
// pauses, and hold up nobody.
func TestFailuresAreRepeatedAndLoggedOnce(t *testing.T) {
	for name, trouble := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"refused":   says(http.StatusOK, `{"failure":{"Arn":"`+taskARN+`","Detail":null,"Reason":"DEPLOYMENT_BLOCKED"}}`),
		"throttled": says(http.StatusTooManyRequests, `{"requestID":"1","error":{"Arn":"`+taskARN+`","Code":"ThrottlingException","Message":"Rate exceeded"}}`),
		"denied":    says(http.StatusBadRequest, `{"error":{"Code":"AccessDeniedException","Message":"not authorized"}}`),
		"broken":    says(http.StatusInternalServerError, "oops"),
		"no JSON":   says(http.StatusOK, "oops"),
		"ignored":   says(http.StatusOK, `{"protection":{"ProtectionEnabled":false}}`),
		"lost":      func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		"silent":    hangs,
	} {
		t.Run(name, func(t *testing.T) {
			protect(t, func(t *testing.T, p *ecs.Protection, a *agent, l *logs) {
				a.fails(trouble)
				began := time.Now()
				p.Busy(true)
				require.Zero(t, time.Since(began))
				time.Sleep(10 * time.Minute)
				lines := l.lines()
				require.Len(t, lines, 1)
				assert.Contains(t, lines[0], "scale-in protection fails, work goes on")
				n := len(a.calls())
				assert.GreaterOrEqual(t, n, 10)
				assert.LessOrEqual(t, n, 30)
				a.fails(nil)
				time.Sleep(2 * time.Minute)
				assert.True(t, a.protected())
				lines = l.lines()
				require.Len(t, lines, 1)
				assert.Contains(t, lines[0], "scale-in protection works again")
				assert.Len(t, a.calls(), 1)
			})
		})
	}
}

// An answer that is lost may have switched protection on: it is taken off though
// it was never seen to be on.
func TestALostAnswerIsTakenBack(t *testing.T) {
	protect(t, func(t *testing.T, p *ecs.Protection, a *agent, _ *logs) {
		a.fails(func(http.ResponseWriter, *http.Request) bool {
			a.mu.Lock()
			a.until = time.Now().Add(time.Hour)
			a.mu.Unlock()
			panic(http.ErrAbortHandler)
		})
		busyFor(p, 500*time.Millisecond)
		require.True(t, a.protected())
		a.fails(nil)
		time.Sleep(20 * time.Second)
		assert.False(t, a.protected())
	})
}

// A task that no service started is not protected, which is said once and asked
// for seldom.
func TestATaskOfNoService(t *testing.T) {
	protect(t, func(t *testing.T, p *ecs.Protection, a *agent, l *logs) {
		a.fails(says(http.StatusOK, `{"failure":{"Reason":"TASK_NOT_VALID"}}`))
		p.Busy(true)
		time.Sleep(59 * time.Minute) // the next is due after an hour
		assert.LessOrEqual(t, len(a.calls()), 7)
		lines := l.lines()
		require.Len(t, lines, 1)
		assert.Contains(t, lines[0], "level=INFO")
		p.Stop(t.Context())
		assert.Empty(t, a.calls(), "there is nothing to take off")
	})
}

// Stop takes as long as two requests at most, whatever the agent does.
func TestStopIsShort(t *testing.T) {
	protect(t, func(t *testing.T, p *ecs.Protection, a *agent, _ *logs) {
		p.Busy(true)
		synctest.Wait()
		require.True(t, a.protected())
		a.fails(hangs)
		began := time.Now()
		p.Stop(t.Context())
		assert.Equal(t, 4*time.Second, time.Since(began))
		for _, c := range a.calls()[1:] {
			assert.False(t, c.on)
		}
	})
}
