package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http/httptrace"
	"time"
)

// silentError ends a request whose application sends nothing for too long.
type silentError struct{ d time.Duration }

func (e silentError) Error() string {
	return fmt.Sprintf("the application has sent nothing for %v", e.d)
}

// silence ends a request whose application sends nothing for a while.
type silence struct {
	timer  *time.Timer
	most   time.Duration
	cancel context.CancelCauseFunc
}

// watch begins to count when the request is written; each sign of life begins anew.
func (c *Client) watch(ctx context.Context) (context.Context, *silence) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &silence{most: c.o.Inactivity, cancel: cancel}
	s.timer = time.AfterFunc(s.most+c.o.Connect, func() { cancel(silentError{s.most}) })
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest:         func(httptrace.WroteRequestInfo) { s.heard() },
		Got100Continue:       s.heard,
		GotFirstResponseByte: s.heard,
	}), s
}

func (s *silence) heard() { s.timer.Reset(s.most) }

func (s *silence) stop() {
	s.timer.Stop()
	s.cancel(nil)
}

// heard is a body each part of which is a sign of life.
type heard struct {
	io.Reader
	s *silence
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if n > 0 {
		h.s.heard()
	}
	return n, err
}
