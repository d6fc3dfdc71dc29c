package ecs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options of a Protection; each has a default.
type Options struct {
	// Agent is the value of AgentVar. Empty, outside of ECS, nothing is done.
	Agent string

	Expires time.Duration // what ECS is asked for, in whole minutes, 1 to 2,880; renewed at half; default 60 min
	Idle    time.Duration // without work before protection is taken off; default 15 s
	Log     *slog.Logger  // default: discard

	// Replaced says whether the service has gone on to another version of the task. It
	// is asked before protection is renewed, which it then is not: what is under way
	// has the half of Expires that is left, and a deployment ends on a fleet that is
	// never idle. While it cannot say, protection is renewed. Default: never.
	Replaced func(context.Context) (bool, error)
}

const (
	defaultExpires = time.Hour
	maxExpires     = 48 * time.Hour
	defaultIdle    = 15 * time.Second
	timeout        = 2 * time.Second // of one request
	firstPause     = time.Second     // before it is repeated, doubled each time
	longPause      = time.Minute
	uselessPause   = 10 * time.Minute
	lastTries      = 2 // at the end

	replacedTimeout = 10 * time.Second // AWS's SDK tries again meanwhile
)

// Protection keeps the task it runs in from being stopped by scale-in and
// deployments while the task is busy: on when work begins, renewed while it lasts,
// off after a while without. The agent is asked on these edges only, since ECS
// throttles UpdateTaskProtection. What fails is logged once, until it succeeds
// again, and repeated; work never waits for it.
type Protection struct {
	o         Options
	uri       string
	client    *http.Client
	closeIdle func()
	changed   chan struct{} // holds one

	mu    sync.Mutex
	busy  bool
	since time.Time // when busy changed last

	cancel context.CancelCauseFunc // nil: not started
	done   chan struct{}

	// Of the loop.
	held    bool      // the agent may think that the task is protected
	renew   time.Time // when it is to be told again, if it does
	failing bool      // the last request failed, which has been logged
	useless bool      // and will go on to: ECS has nothing to protect here
}

// ErrStopped is the cause with which requests end that are under way at Stop.
var ErrStopped = errors.New("scale-in protection stops")

// NewProtection makes a Protection that is not yet started.
func NewProtection(o Options) *Protection {
	if o.Expires <= 0 {
		o.Expires = defaultExpires
	}
	o.Expires = min(max(o.Expires.Truncate(time.Minute), time.Minute), maxExpires)
	if o.Idle <= 0 {
		o.Idle = defaultIdle
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Protection{o: o, changed: make(chan struct{}, 1)}
	p.client, p.closeIdle = newClient()
	if o.Agent != "" {
		p.uri = strings.TrimSuffix(o.Agent, "/") + "/task-protection/v1/state"
	}
	return p
}

// Busy says whether the task has work. It returns at once, and may be called by
// any goroutine, before Start and after Stop, too.
func (p *Protection) Busy(busy bool) {
	p.mu.Lock()
	if p.busy != busy {
		p.busy, p.since = busy, time.Now()
	}
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Start begins to protect, until Stop; ctx gives values only.
func (p *Protection) Start(ctx context.Context) {
	if p.uri == "" {
		return
	}
	ctx, p.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	p.done = make(chan struct{})
	go func() {
		defer close(p.done)
		p.run(ctx)
	}()
}

// Stop ends the service and takes protection off, which takes as long as two
// requests at most, or until ctx ends.
func (p *Protection) Stop(ctx context.Context) {
	if p.cancel == nil {
		return
	}
	p.cancel(ErrStopped)
	p.cancel = nil
	<-p.done
	defer p.closeIdle()
	for try := 0; p.held && try < lastTries && ctx.Err() == nil; try++ {
		p.tell(ctx, false)
	}
}

// run does what is due, and waits for the next thing to be.
func (p *Protection) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	pause := firstPause
	for ctx.Err() == nil {
		wait, done := p.step(ctx)
		changed := p.changed
		switch {
		case done:
			pause = firstPause
		case p.useless:
			wait, changed = uselessPause, nil
		default: // what happens meanwhile does not hasten it
			wait, changed = pause/2+rand.N(pause/2), nil
			pause = min(2*pause, longPause)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
	}
}

// step tells the agent what it is to know, if anything, and returns for how long
// there is nothing more, and whether all is done.
func (p *Protection) step(ctx context.Context) (wait time.Duration, done bool) {
	p.mu.Lock()
	busy, since := p.busy, p.since
	p.mu.Unlock()
	now := time.Now()
	off := since.Add(p.o.Idle)
	done = true
	switch {
	case busy && (!p.held || p.failing):
		done = p.tell(ctx, true)
	case busy && !now.Before(p.renew):
		if p.replaced(ctx) { // until a rollback takes that back
			p.renew = now.Add(p.o.Expires / 2)
		} else {
			done = p.tell(ctx, true)
		}
	case !busy && p.held && !now.Before(off):
		done = p.tell(ctx, false)
	}
	switch {
	case busy && p.held:
		return time.Until(p.renew), done
	case p.held:
		return time.Until(off), done
	}
	return time.Hour, done // until something changes
}

// replaced asks whether this version of the task is over.
func (p *Protection) replaced(ctx context.Context) bool {
	if p.o.Replaced == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, replacedTimeout)
	defer cancel()
	is, err := p.o.Replaced(ctx)
	switch {
	case err != nil:
		p.o.Log.Warn("it is not known whether a deployment has replaced this task: its scale-in protection is renewed", "error", err)
	case is:
		p.o.Log.Info("a deployment has replaced this task: its scale-in protection is not renewed")
	}
	return is && err == nil
}

// tell asks the agent to switch protection on or off, and reports whether it has.
func (p *Protection) tell(ctx context.Context, on bool) bool {
	p.held = true // until it is known that it is not: the answer may be lost
	err := p.put(ctx, on)
	if errors.Is(context.Cause(ctx), ErrStopped) {
		return false
	}
	switch {
	case err == nil:
		p.held = on
		p.renew = time.Now().Add(p.o.Expires / 2)
		if p.failing {
			p.o.Log.Info("scale-in protection works again", "protected", on)
		}
		p.failing, p.useless = false, false
	case errors.Is(err, errNoService):
		if !p.useless {
			p.o.Log.Info("ECS has no scale-in to protect this task from", "error", err)
		}
		p.held, p.failing, p.useless = false, on, true
	case !p.failing || p.useless:
		p.failing, p.useless = true, false
		p.o.Log.Warn("scale-in protection fails, work goes on", "protected", on, "error", err)
	}
	return err == nil
}

// errNoService is for tasks that are not part of a service, which ECS neither
// scales in nor protects.
var errNoService = errors.New("the task is not part of a service")

// put is one request.
func (p *Protection) put(ctx context.Context, on bool) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	in := struct {
		ProtectionEnabled bool
		ExpiresInMinutes  int `json:",omitempty"`
	}{ProtectionEnabled: on}
	if on {
		in.ExpiresInMinutes = int(p.o.Expires / time.Minute)
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	status, answer, err := ask(ctx, p.client, http.MethodPut, p.uri, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the ECS agent: %w", err)
	}
	return understand(status, answer, on)
}

// understand reads an answer of the agent: protection as it is now, a failure of
// ECS, or an error.
func understand(status int, answer []byte, on bool) error {
	var out struct {
		Protection *struct{ ProtectionEnabled bool } `json:"protection"`
		Failure    *struct{ Reason, Detail string }  `json:"failure"`
		Error      *struct{ Code, Message string }   `json:"error"`
	}
	err := json.Unmarshal(answer, &out)
	switch {
	case out.Failure != nil && out.Failure.Reason == "TASK_NOT_VALID":
		return fmt.Errorf("ask the ECS agent: %w (%s)", errNoService, out.Failure.Reason)
	case out.Failure != nil:
		return fmt.Errorf("ask the ECS agent: %s %s", out.Failure.Reason, out.Failure.Detail)
	case out.Error != nil && out.Error.Code == "AccessDeniedException":
		return fmt.Errorf("ask the ECS agent: %s: allow ecs:GetTaskProtection and ecs:UpdateTaskProtection in the policy of the task role", out.Error.Code)
	case out.Error != nil:
		return fmt.Errorf("ask the ECS agent: %s: %s", out.Error.Code, out.Error.Message)
	case status != http.StatusOK:
		return fmt.Errorf("ask the ECS agent: it answered %d %s", status, http.StatusText(status))
	case err != nil:
		return fmt.Errorf("ask the ECS agent: read its answer: %w", err)
	case out.Protection == nil || out.Protection.ProtectionEnabled != on:
		return fmt.Errorf("ask the ECS agent: protection is not %t as it was asked to be", on)
	}
	return nil
}
