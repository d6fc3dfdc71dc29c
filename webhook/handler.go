package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/ramify/ramify/schema"
)

// PeriodicPath ends the path of periodic tasks.
const PeriodicPath = "/periodic_tasks"

// Task is a periodic task that is due.
type Task struct {
	Name string
	At   string // when it was scheduled, as the daemon says it
	Body []byte
}

// NodeFunc does the work of a node. An answer of nil is a node without children and
// rows. It may be called again for a node that is done already: Node.Key is the same
// then. ctx ends when the client is gone. An error is tried again, unless it is wrapped
// by GiveUp.
type NodeFunc func(ctx context.Context, n *Node) (*Answer, error)

// TaskFunc does a periodic task.
type TaskFunc func(ctx context.Context, t Task) error

// HandlerOptions of a Handler.
type HandlerOptions struct {
	Kinds map[string]NodeFunc // by the kind of the node
	Tasks map[string]TaskFunc // by the name of the task

	Keys     *schema.Keyring // whose signatures are accepted
	Unsigned bool            // without Keys: accept whatever comes
	Window   time.Duration   // for which a signature is valid, both ways; default 5 min
	MaxBody  int64           // bytes; default schema.MaxMessage
	Log      *slog.Logger    // default: discard
	Now      func() time.Time
}

// Handler is the side that receives: mount it where Ramify, or the daemon, posts to.
//
// It answers 200 once the work is done, 403 to what is not signed by a key of its
// own, 404 to a kind or task that it does not know, 405 to what is no POST, 413 to a
// body that is too large, 400 to one that is no node, and 500 where the work has
// failed or panicked, always with an Answer that says why.
type Handler struct{ o HandlerOptions }

var _ http.Handler = (*Handler)(nil)

// NewHandler makes a handler. Without keys it must be told to accept what is not
// signed.
func NewHandler(o HandlerOptions) (*Handler, error) {
	switch {
	case o.Keys == nil && !o.Unsigned:
		return nil, errors.New("make handler: there are no keys to verify requests with: set Keys, or Unsigned to accept what anybody sends")
	case o.Keys != nil && o.Unsigned:
		return nil, errors.New("make handler: Keys and Unsigned are both set: want one of them")
	}
	for kind := range o.Kinds {
		if err := schema.CheckKind(kind); err != nil {
			return nil, fmt.Errorf("make handler: %w", err)
		}
	}
	if o.Window <= 0 {
		o.Window = 5 * time.Minute
	}
	if o.MaxBody <= 0 {
		o.MaxBody = schema.MaxMessage
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Handler{o}, nil
}

// GiveUp marks an error that no retry will mend: the node is given up at once.
func GiveUp(err error) error {
	if err == nil {
		return nil
	}
	return giveUpError{err}
}

type giveUpError struct{ error }

func (e giveUpError) Unwrap() error { return e.error }

// refusal is what is wrong with a request.
type refusal struct {
	code int
	error
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := h.serve(w, r)
	code := http.StatusOK
	if a == nil {
		a = &Answer{}
	}
	if err != nil {
		code = http.StatusInternalServerError
		if no := (refusal{}); errors.As(err, &no) {
			code = no.code
		}
		*a = Answer{Error: err.Error(), GiveUp: errors.As(err, new(giveUpError))}
		h.o.Log.Warn("work refused or failed", "path", r.URL.Path, "status", code, "error", err)
	}
	body, err := json.Marshal(a)
	if err != nil { // of the application's: args or rows that are no JSON
		code, body = http.StatusInternalServerError, []byte(`{"error":"the answer is no JSON","give_up":true}`)
		h.o.Log.Error("answer is no JSON", "path", r.URL.Path, "error", err)
	}
	w.Header().Set("Content-Type", AnswerType)
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) (a *Answer, err error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, refusal{http.StatusMethodNotAllowed, fmt.Errorf("method is %s, want POST", r.Method)}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.o.MaxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, refusal{http.StatusRequestEntityTooLarge, fmt.Errorf("body has more than %d bytes", h.o.MaxBody)}
	}
	if err != nil {
		return nil, refusal{http.StatusBadRequest, fmt.Errorf("read body: %w", err)}
	}
	if h.o.Keys != nil {
		if err := Verify(h.o.Keys, r.Header, requestPath(r), body, h.o.Now(), h.o.Window); err != nil {
			return nil, refusal{http.StatusForbidden, err}
		}
	}
	defer func() {
		if p := recover(); p != nil {
			h.o.Log.Error("work panicked", "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			a, err = nil, fmt.Errorf("it panicked: %v", p)
		}
	}()
	if name := r.Header.Get(HeaderTask); name != "" || strings.HasSuffix(r.URL.Path, PeriodicPath) {
		return nil, h.task(r, name, body)
	}
	return h.node(r, body)
}

func (h *Handler) task(r *http.Request, name string, body []byte) error {
	do, known := h.o.Tasks[name]
	if !known {
		return refusal{http.StatusNotFound, fmt.Errorf("periodic task %q is not known", name)}
	}
	return do(r.Context(), Task{Name: name, At: r.Header.Get(HeaderAt), Body: body})
}

func (h *Handler) node(r *http.Request, body []byte) (*Answer, error) {
	var n Node
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, refusal{http.StatusBadRequest, fmt.Errorf("read node: %w", err)}
	}
	if n.V != Version {
		return nil, refusal{http.StatusBadRequest, fmt.Errorf("read node: v is %d, want %d", n.V, Version)}
	}
	do, known := h.o.Kinds[n.Kind]
	if !known {
		return nil, refusal{http.StatusNotFound, fmt.Errorf("kind %q is not known", n.Kind)}
	}
	return do(r.Context(), &n)
}
