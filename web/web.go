package web

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/ramify/ramify/guard"
)

//go:embed page
var files embed.FS

// policy is what browsers may do with the page: nothing but what this server sends.
//
// Source: W3C, "Content Security Policy Level 3".
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

// Options of a server.
type Options struct {
	Runs   Runs
	Tokens []string     // any of which requests to /api must bear; none: the guard knows who asks
	Log    *slog.Logger // nil discards

	// For tests; their defaults are meant for people.
	Every     time.Duration // between two readings; default 1 s
	Heartbeat time.Duration // between two comments of a stream; default 15 s
	Slow      time.Duration // for a client to accept an event, who is slower is dropped; default 10 s
}

// Server serves the page. It has no listener of its own.
type Server struct {
	o   Options
	log *slog.Logger

	mu      sync.Mutex
	watched map[string]*watch
	streams int
	asked   time.Time
	stopped bool
	stop    chan struct{}
	running sync.WaitGroup
	opening context.Context // of watches
	cancel  context.CancelCauseFunc
}

// What is served at a time, at most. A page has one stream.
const (
	maxStreams = 64
	maxWatched = 32
)

// New makes a server, to be mounted, and stopped in the end.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.Slow <= 0 {
		o.Slow = 10 * time.Second
	}
	s := &Server{o: o, log: o.Log, watched: map[string]*watch{}, stop: make(chan struct{})}
	s.opening, s.cancel = context.WithCancelCause(context.Background())
	return s
}

// Open reports whether a request is for a part of the page itself, which anybody may
// have: it holds nothing that is secret.
func Open(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && (r.URL.Path == "/" || pages.has(r.URL.Path))
}

// Mount adds the page and its API to a mux.
func (s *Server) Mount(mux *http.ServeMux) {
	mux.Handle("GET /{$}", pages)
	mux.Handle("GET /page/", pages)
	mux.HandleFunc("GET /api/runs", s.api(s.list))
	mux.HandleFunc("GET /api/runs/{run}", s.api(s.one(s.reading)))
	mux.HandleFunc("GET /api/runs/{run}/events", s.api(s.events))
	mux.HandleFunc("GET /api/runs/{run}/history", s.api(s.one(s.history)))
	mux.HandleFunc("GET /api/runs/{run}/failures", s.api(s.one(s.failures)))
	mux.HandleFunc("GET /api/runs/{run}/tree", s.api(s.one(s.tree)))
	mux.HandleFunc("GET /api/runs/{run}/histograms", s.api(s.one(s.histograms)))
	mux.HandleFunc("GET /api/runs/{run}/slowest", s.api(s.one(s.slowest)))
	mux.HandleFunc("POST /api/runs/{run}/{order}", s.api(s.one(s.order)))
	for _, part := range []string{"events", "history", "failures", "tree", "histograms", "slowest"} {
		mux.HandleFunc("POST /api/runs/{run}/"+part, s.api(wrongMethod(http.MethodGet)))
	}
	for _, order := range []OrderKind{Pause, Resume, Cancel, Redrive, Concurrency} {
		mux.HandleFunc("GET /api/runs/{run}/"+string(order), s.api(wrongMethod(http.MethodPost)))
	}
	other := wrongMethod(http.MethodGet)
	mux.HandleFunc("/api/", s.api(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			other(w, r)
			return
		}
		guard.Refuse(w, r, http.StatusNotFound, "nothing is there; docs/web.md says what is")
	}))
}

// wrongMethod refuses a request for something that is there, by another method.
func wrongMethod(allowed string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allowed)
		guard.Refuse(w, r, http.StatusMethodNotAllowed, r.Method+" is not for this: a GET shows, and a POST to /api/runs/RUN/pause and its like changes")
	}
}

// Stop ends all streams and looks, and returns when they have ended.
func (s *Server) Stop() {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		close(s.stop)
		s.cancel(errStopped)
	}
	s.mu.Unlock()
	s.running.Wait()
}

var errStopped = errors.New("the page is not served any more")

// api is a handler of /api: only who bears the token is let in.
func (s *Server) api(h http.HandlerFunc) http.HandlerFunc {
	bears := guard.Bearer(s.o.Tokens)
	return func(w http.ResponseWriter, r *http.Request) {
		if len(s.o.Tokens) > 0 && !bears(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			guard.Refuse(w, r, http.StatusUnauthorized, "want Authorization: Bearer and the token")
			return
		}
		s.mu.Lock()
		s.asked = time.Now()
		s.mu.Unlock()
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		h(w, r)
	}
}

// refuse answers for an error.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrUnknown):
		guard.Refuse(w, r, http.StatusNotFound, "no such run")
	case errors.Is(err, ErrRefused):
		guard.Refuse(w, r, http.StatusConflict, err.Error())
	case errors.Is(err, ErrArgument):
		guard.Refuse(w, r, http.StatusBadRequest, err.Error())
	case errors.Is(err, errBusy), errors.Is(err, errStopped):
		w.Header().Set("Retry-After", "10")
		guard.Refuse(w, r, http.StatusServiceUnavailable, err.Error())
	case r.Context().Err() != nil: // nobody reads it
	default:
		// What went wrong is for whoever serves.
		s.log.Warn("a request of the page failed", "path", r.URL.Path, "error", err)
		guard.Refuse(w, r, http.StatusBadGateway, "the run could not be read: the log of the server says why")
		guard.Note(r.Context()).Reason = err.Error()
	}
}

// page is the files of the page.
type page struct {
	names map[string]file // by path
}

type file struct {
	body []byte
	kind string
	etag string
}

var pages = mustLoad(files)

var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".mjs": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".json": "application/json", ".txt": "text/plain; charset=utf-8",
	".png": "image/png", ".ico": "image/x-icon", ".webmanifest": "application/manifest+json", ".woff2": "font/woff2",
}

func mustLoad(from fs.FS) *page {
	p := &page{names: map[string]file{}}
	err := fs.WalkDir(from, "page", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		f := file{body: body, kind: "text/plain; charset=utf-8"} // a licence has no ending
		if k, known := kinds[path.Ext(name)]; known {
			f.kind = k
		}
		f.etag = fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(body))[:24])
		p.names["/"+name] = f
		return nil
	})
	if err != nil {
		panic(err) // they are part of the program
	}
	p.names["/"] = p.names["/page/index.html"]
	return p
}

func (p *page) has(name string) bool {
	_, is := p.names[name]
	return is
}

// ServeHTTP implements http.Handler.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, is := p.names[r.URL.Path]
	if !is {
		guard.Refuse(w, r, http.StatusNotFound, "the page has no such part")
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "no-cache") // asked for again, and mostly not sent again
	h.Set("ETag", f.etag)
	if r.Header.Get("If-None-Match") == f.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(f.body) // who asked may have gone
}
