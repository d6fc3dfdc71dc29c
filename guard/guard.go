// Package guard stands before what Ramify serves by HTTP: who may ask, how much and
// how often, and a line of audit for each request, whatever becomes of it.
//
// It refuses to listen beyond loopback unless requests are encrypted and whoever
// sends them is known, by a certificate or a token. Handlers behind it know who asks
// by Note.
package guard

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Options of a guard.
type Options struct {
	Address string   // host:port; without a host it is loopback
	Hosts   []string // names that requests may be for, beside loopback's and those of the certificate
	Tokens  []string // any of which a request must bear; none: the certificate says who asks, or nobody does
	TLS     TLS

	// Open reports whether anybody may have what a request asks for, with no token and
	// as often as he likes: files that hold nothing secret. nil: nothing is open.
	Open func(*http.Request) bool

	MaxBody int64   // bytes; default 64 KiB
	Rate    float64 // requests a second of those who may ask, all together; 0: no limit
	Burst   int     // requests at once; default twice the rate

	Audit io.Writer    // gets a JSON object a line; nil: nowhere
	Log   *slog.Logger // nil discards
}

// ErrBeyond is in the error of New for an address that it must not listen on so.
var ErrBeyond = errors.New("that is beyond loopback")

// minToken is the fewest bytes of a token.
const minToken = 16

// maxBody is the default of MaxBody.
const maxBody = 64 << 10

// timeouts of one request.
const (
	headTime = 5 * time.Second
	readTime = 10 * time.Second
	idleTime = time.Minute
	workTime = time.Minute
	maxHead  = 16 << 10
)

// Server serves a handler behind the guard.
type Server struct {
	o       Options
	bears   func(*http.Request) bool
	hosts   map[string]bool
	tls     *loaded // nil: without
	limiter *rate.Limiter

	listener net.Listener
	server   *http.Server
	done     chan struct{}
	audit    sync.Mutex
}

// New makes a server, or says why it must not listen there.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxBody <= 0 {
		o.MaxBody = maxBody
	}
	host, port, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: want HOST:PORT, such as 127.0.0.1:8008", o.Address)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	o.Address = net.JoinHostPort(host, port)
	s := &Server{o: o, hosts: map[string]bool{}, limiter: rate.NewLimiter(rate.Inf, 0)}
	for _, t := range o.Tokens {
		if len(t) < minToken {
			return nil, fmt.Errorf("listen on %s: a token has %d bytes, want at least %d, such as `openssl rand -base64 24` makes", o.Address, len(t), minToken)
		}
	}
	s.bears = Bearer(o.Tokens)
	if s.tls, err = o.TLS.load(); err != nil {
		return nil, err
	}
	known := s.tls.clients() || len(s.o.Tokens) > 0
	if !loopback(host) && (s.tls == nil || !known) {
		return nil, fmt.Errorf("listen on %s: %w, where requests must be encrypted and who sends them be known: set --tls-cert and --tls-key, and --client-ca or RAMIFY_TOKEN; or listen on 127.0.0.1:%s", o.Address, ErrBeyond, port)
	}
	for _, h := range o.Hosts {
		s.hosts[strings.ToLower(h)] = true
	}
	if o.Rate > 0 {
		burst := o.Burst
		if burst <= 0 {
			burst = max(1, int(2*o.Rate))
		}
		s.limiter = rate.NewLimiter(rate.Limit(o.Rate), burst)
	}
	return s, nil
}

// loopback reports whether a host is this machine's own.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}

// Start listens, and serves a handler until Stop.
func (s *Server) Start(ctx context.Context, h http.Handler) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.o.Address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.o.Address, err)
	}
	s.listener, s.done = l, make(chan struct{})
	s.server = &http.Server{
		Handler: s.Wrap(h), ReadHeaderTimeout: headTime, ReadTimeout: readTime, WriteTimeout: readTime + workTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHead, TLSConfig: s.tls.config(),
		ErrorLog:    slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	go func() {
		defer close(s.done)
		var err error
		if s.tls == nil {
			err = s.server.Serve(l)
		} else {
			err = s.server.ServeTLS(l, "", "")
		}
		if !errors.Is(err, http.ErrServerClosed) {
			s.o.Log.Error("requests are not answered any more", "error", err)
		}
	}()
	return nil
}

// Address is where it listens.
func (s *Server) Address() string { return s.listener.Addr().String() }

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

// Entry is a line of audit: what was asked, by whom, and what became of it. It holds
// no values of parameters, no bodies and no queries, which may be secret.
type Entry struct {
	Event     string    `json:"event"` // REQUEST
	Timestamp time.Time `json:"timestamp"`
	Remote    string    `json:"remote"`
	Client    string    `json:"client,omitempty"` // by its certificate, or "token"
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	Status    int       `json:"status"`
	Job       string    `json:"job,omitempty"`
	Run       string    `json:"run,omitempty"`
	Reason    string    `json:"reason,omitempty"` // of a refusal
	Millis    int64     `json:"ms"`
}

type entryKey struct{}

// Note is the line of a request, for a handler to say more in.
func Note(ctx context.Context) *Entry {
	if e, ok := ctx.Value(entryKey{}).(*Entry); ok {
		return e
	}
	return &Entry{}
}

// Wrap puts a handler behind the guard, for who listens himself.
func (s *Server) Wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		e := &Entry{Event: "REQUEST", Timestamp: begun.UTC(), Remote: r.RemoteAddr, Method: r.Method, Path: r.URL.Path}
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			e.Status, e.Millis = rec.status, time.Since(begun).Milliseconds()
			s.write(e)
		}()
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if code, reason := s.refuse(r, e); reason != "" {
			if code == http.StatusUnauthorized {
				rec.Header().Set("WWW-Authenticate", "Bearer")
			}
			if code == http.StatusTooManyRequests {
				rec.Header().Set("Retry-After", "1")
			}
			e.Reason = reason
			Answer(rec, code, map[string]string{"error": reason})
			return
		}
		r.Body = http.MaxBytesReader(rec, r.Body, s.o.MaxBody)
		h.ServeHTTP(rec, r.WithContext(context.WithValue(r.Context(), entryKey{}, e)))
		if e.Reason == "" && rec.status >= 400 {
			e.Reason = http.StatusText(rec.status)
		}
	})
}

// refuse says why a request is not passed on; no reason: it is.
func (s *Server) refuse(r *http.Request, e *Entry) (code int, reason string) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	open := s.o.Open != nil && s.o.Open(r)
	switch {
	case !s.mine(host):
		// A page of another site can have its name point here: what a browser then sends
		// is for that name.
		return http.StatusMisdirectedRequest, "the request is for another host: ask by an address of loopback, or a name of --host or of the certificate"
	case foreign(r) && (!open || !followed(r)):
		return http.StatusForbidden, "a page of another site sent it"
	case open:
		return 0, ""
	case !s.knows(r, e):
		return http.StatusUnauthorized, "want Authorization: Bearer and the token"
	case r.ContentLength > s.o.MaxBody:
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has %d bytes, want at most %d", r.ContentLength, s.o.MaxBody)
	case !s.limiter.Allow():
		return http.StatusTooManyRequests, "too many requests: try again in a second"
	}
	return 0, ""
}

// mine reports whether a host is one that this server is called by.
func (s *Server) mine(host string) bool {
	host = strings.ToLower(strings.Trim(host, "[]"))
	own, _, _ := net.SplitHostPort(s.o.Address)
	return s.hosts[host] || loopback(host) || host == strings.Trim(own, "[]") || s.tls.named(host)
}

// foreign reports whether a browser sent a request for a page that is not ours.
//
// Source: MDN, "Sec-Fetch-Site" and "Origin": browsers say where a request comes
// from, and no page can have them say otherwise.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	return origin != "" && origin != "http://"+r.Host && origin != "https://"+r.Host
}

// followed reports whether somebody followed a link, which may stand in a mail or in a
// terminal that is a page itself: what comes is shown, and not read by the page that has
// the link.
//
// Source: MDN, "Sec-Fetch-Mode" and "Sec-Fetch-Dest".
func followed(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// knows reports whether who asks is known, and says in the entry who it is.
func (s *Server) knows(r *http.Request, e *Entry) bool {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		e.Client = nameOf(r.TLS.VerifiedChains[0][0])
	}
	if len(s.o.Tokens) == 0 {
		return true // the handshake refused who has no certificate, if one is wanted
	}
	bears := s.bears(r)
	if bears && e.Client == "" {
		e.Client = "token"
	}
	return bears
}

// Bearer reports of requests whether they bear one of the tokens: for a handler that
// asks for more than the guard before it does.
func Bearer(tokens []string) func(*http.Request) bool {
	sums := make([][sha256.Size]byte, 0, len(tokens))
	for _, t := range tokens {
		sums = append(sums, sha256.Sum256([]byte(t)))
	}
	return func(r *http.Request) bool {
		given, is := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		sum, equal := sha256.Sum256([]byte(given)), 0
		for _, t := range sums {
			equal |= subtle.ConstantTimeCompare(sum[:], t[:])
		}
		return is && equal == 1
	}
}

// Refuse answers with an error, and notes it.
func Refuse(w http.ResponseWriter, r *http.Request, code int, reason string) {
	Note(r.Context()).Reason = reason
	Answer(w, code, map[string]string{"error": reason})
}

// Answer answers with an object.
func Answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // it is no page: nosniff
	_ = e.Encode(body)     // who asked may have gone
}

// recorder knows how a request was answered.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(code int) {
	r.status = code
	r.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (s *Server) write(e *Entry) {
	if s.o.Audit == nil {
		return
	}
	line, err := json.Marshal(e)
	if err != nil {
		return
	}
	s.audit.Lock()
	defer s.audit.Unlock()
	if _, err := s.o.Audit.Write(append(line, '\n')); err != nil {
		s.o.Log.Error("a request was not audited", "path", e.Path, "error", err)
	}
}
