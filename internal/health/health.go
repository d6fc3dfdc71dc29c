// Package health says by HTTP whether a process is alive, to who would replace it
// if it is not: the health check of a container, or of a load balancer.
//
// Source: Amazon ECS Developer Guide, "Determine Amazon ECS task health using
// container health checks".
package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Path is where the state of health is.
const Path = "/healthz"

// DefaultAddress can be reached from within the container only, which is where
// the health check of ECS runs.
const DefaultAddress = "127.0.0.1:8080"

const (
	patience = time.Second // for the process to say how it is
	timeout  = 5 * time.Second
	maxHead  = 4 << 10
	maxBody  = 64 << 10
)

// state is the body of an answer.
type state struct {
	Status string `json:"status"` // ok, or unhealthy
	Reason string `json:"reason,omitempty"`
}

// Server answers GET Path: 200 where the process is alive, 503 where it is not,
// with a JSON object that has status (ok or unhealthy) and reason.
type Server struct {
	address string
	alive   func() error
	log     *slog.Logger

	listener net.Listener // nil: off, or not started
	server   *http.Server
	done     chan struct{}

	mu     sync.Mutex
	asking *question
}

// question is one call of alive, for all who ask at the time.
type question struct {
	answered chan struct{}
	err      error
}

// New makes a server for an address, host:port. Without a host it is loopback:
// to be reached from elsewhere it must be told so, as 0.0.0.0:8080. Port 0 is any
// that is free. An empty address switches the server off: Start and Stop do
// nothing. The process is alive while alive returns nil, within a second; its
// error is shown to whoever asks. A nil log discards.
func New(address string, alive func() error, log *slog.Logger) (*Server, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{alive: alive, log: log}
	if address == "" {
		return s, nil
	}
	var err error
	s.address, err = local(address)
	if err != nil {
		return nil, fmt.Errorf("read health address: %w", err)
	}
	return s, nil
}

// local is an address with loopback for its host where it has none.
func local(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%q is not host:port, as %s is: %w", address, DefaultAddress, err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("%q has no port from 0 to 65535", address)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// Start listens, and serves until Stop. An error says what address cannot be
// listened on, and why.
func (s *Server) Start(ctx context.Context) error {
	if s.address == "" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("listen for health checks on %s: %w", s.address, err)
	}
	s.listener, s.done = listener, make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc(Path, s.answer)
	s.server = &http.Server{
		Handler:           http.MaxBytesHandler(mux, 0),
		ReadHeaderTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout, IdleTimeout: timeout,
		MaxHeaderBytes: maxHead,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:    func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("health checks are not answered any more", "error", err)
		}
	}()
	return nil
}

// Address is where the server listens, empty where it does not.
func (s *Server) Address() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Stop lets requests under way be answered until ctx ends, and stops listening.
func (s *Server) Stop(ctx context.Context) {
	if s.server == nil {
		return
	}
	if s.server.Shutdown(ctx) != nil {
		_ = s.server.Close() // what is left has had its time
	}
	<-s.done
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
		return
	}
	status, body := http.StatusOK, state{Status: "ok"}
	if err := s.ask(r.Context()); err != nil {
		status, body = http.StatusServiceUnavailable, state{Status: "unhealthy", Reason: err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who asked may have gone
}

// ask calls alive. One call is under way at a time: a process that hangs in it is
// not alive, and shall not collect calls.
func (s *Server) ask(ctx context.Context) error {
	s.mu.Lock()
	q := s.asking
	if q == nil {
		q = &question{answered: make(chan struct{})}
		s.asking = q
		go func() {
			q.err = s.alive()
			s.mu.Lock()
			s.asking = nil
			s.mu.Unlock()
			close(q.answered)
		}()
	}
	s.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-q.answered:
		return q.err
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("the process has not said within %s how it is", patience)
	}
}

// Check asks the server of an address how it is, for five seconds at most: nil
// is alive. It is for the health check of a container that has no shell and no
// curl; there a server that listens on all addresses is asked on loopback.
func Check(ctx context.Context, address string) error {
	if err := check(ctx, address); err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	return nil
}

func check(ctx context.Context, address string) error {
	if address == "" {
		return errors.New("health checks are switched off: there is no address")
	}
	address, err := local(address)
	if err != nil {
		return err
	}
	if host, port, _ := net.SplitHostPort(address); net.ParseIP(host).IsUnspecified() {
		address = net.JoinHostPort("localhost", port)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+Path, http.NoBody)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true} // no proxy stands between us and ourselves
	out, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return err
	}
	defer out.Body.Close()
	body, err := io.ReadAll(io.LimitReader(out.Body, maxBody))
	if err != nil {
		return err
	}
	if out.StatusCode == http.StatusOK {
		return nil
	}
	var s state
	if json.Unmarshal(body, &s) != nil || s.Reason == "" {
		s.Reason = strings.TrimSpace(http.StatusText(out.StatusCode))
	}
	return fmt.Errorf("%s answered %d: %s", address, out.StatusCode, s.Reason)
}
