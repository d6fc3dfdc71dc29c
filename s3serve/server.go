package s3serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// drainTime is how long [Server.Close] lets running requests go on.
const drainTime = 10 * time.Second

// Server is a handler on a loopback port.
type Server struct {
	http http.Server
	url  string
	done chan error

	mu      sync.Mutex
	closing bool
	fresh   map[net.Conn]struct{} // connections that have asked for nothing yet
}

// Start serves h on a free port of 127.0.0.1, and of no other address, until
// the server is closed.
func Start(h http.Handler) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on loopback: %w", err)
	}
	s := &Server{
		url:   "http://" + listener.Addr().String(),
		done:  make(chan error, 1),
		fresh: map[net.Conn]struct{}{},
	}
	s.http.Handler = h
	s.http.ReadHeaderTimeout = drainTime
	s.http.ConnState = s.track
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

// URL returns the address to give to a client as its endpoint.
func (s *Server) URL() string { return s.url }

// Close stops listening, lets running requests end for up to ten seconds, then
// cuts off the rest. It returns an error if it had to, or if the server had
// stopped before for a reason of its own.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	s.closeFresh()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close()
		return fmt.Errorf("drain server: %w", err)
	}
	err := <-s.done
	s.done <- http.ErrServerClosed // for the next Close
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// track keeps the set of connections on which nothing was ever asked. Clients
// open them in advance, and Shutdown would wait five seconds for each.
func (s *Server) track(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.fresh, c)
	case s.closing:
		_ = c.Close()
	default:
		s.fresh[c] = struct{}{}
	}
}

func (s *Server) closeFresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	for c := range s.fresh {
		_ = c.Close()
	}
}
