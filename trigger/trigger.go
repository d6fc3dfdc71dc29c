// Package trigger starts jobs that are asked for by HTTP: POST /jobs/NAME, and where
// it is enabled the GET /job_start?job_name=NAME that jobz had. Who may ask, and how
// often, is guard's.
package trigger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/ramify/ramify/guard"
)

// Job is a start that is asked for.
type Job struct {
	Name   string
	Params map[string]string
	Run    string // the name of the run; "": any
}

// Started is the answer.
type Started struct {
	Run   string `json:"run"`
	Job   string `json:"job"`
	Begun bool   `json:"begun"` // now, and not by an earlier request of the same key
}

// Errors that Options.Start may return, wrapped.
var (
	ErrUnknown = errors.New("no such job")
	ErrParams  = errors.New("not the parameters of the job")
	ErrBusy    = errors.New("too much is under way")
	ErrKey     = errors.New("the key has started something else")
)

// Options of the handlers.
type Options struct {
	// Start starts a job, or finds the run that was begun by the same name. It returns
	// once the run is there to stay.
	Start func(ctx context.Context, j Job) (Started, error)
	Old   bool // GET /job_start, too
}

// Mount adds the handlers to a mux.
func Mount(mux *http.ServeMux, o Options) {
	h := &handler{o}
	mux.HandleFunc("/jobs/{name}", only(http.MethodPost, h.post))
	if o.Old {
		mux.HandleFunc("/job_start", only(http.MethodGet, h.old))
	}
}

// only refuses other methods: a HEAD, too, which a pattern of the mux with GET would pass on.
func only(method string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.Header().Set("Allow", method)
			guard.Refuse(w, r, http.StatusMethodNotAllowed, fmt.Sprintf("%s is answered, and %s is not", method, r.Method))
			return
		}
		h(w, r)
	}
}

type handler struct{ o Options }

// KeyHeader names a start: a request that is repeated with the same key starts
// nothing more.
//
// Source: IETF draft, "The Idempotency-Key HTTP Header Field".
const KeyHeader = "Idempotency-Key"

const maxKey = 256

// post starts a job; the body is a JSON object of its parameters, or empty.
func (h *handler) post(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	guard.Note(r.Context()).Job = name
	j := Job{Name: name}
	key := r.Header.Get(KeyHeader)
	if len(key) > maxKey {
		guard.Refuse(w, r, http.StatusBadRequest, fmt.Sprintf("%s has %d bytes, want at most %d", KeyHeader, len(key), maxKey))
		return
	}
	if key != "" {
		j.Run = runOf(name, key)
	}
	body, err := io.ReadAll(r.Body)
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		guard.Refuse(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is too long, want at most %d bytes", large.Limit))
		return
	} else if err != nil {
		guard.Refuse(w, r, http.StatusBadRequest, "the body ended early")
		return
	}
	if len(bytes.TrimSpace(body)) > 0 {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			guard.Refuse(w, r, http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type is %q, want application/json", r.Header.Get("Content-Type")))
			return
		}
		if j.Params, err = params(body); err != nil {
			guard.Refuse(w, r, http.StatusBadRequest, err.Error())
			return
		}
	}
	h.start(w, r, j)
}

// params reads an object of texts, each name once; numbers and truth values are taken as
// they are written.
func params(body []byte) (map[string]string, error) {
	bad := errors.New(`the body is not an object of parameters, want {"name": "value"}`)
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, bad
	}
	all := map[string]string{}
	for d.More() {
		t, err := d.Token()
		name, is := t.(string)
		if err != nil || !is {
			return nil, bad
		}
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("parameter %s is there more than once", name)
		}
		if t, err = d.Token(); err != nil {
			return nil, bad
		}
		switch v := t.(type) {
		case string:
			all[name] = v
		case json.Number:
			all[name] = v.String()
		case bool:
			all[name] = strconv.FormatBool(v)
		default:
			return nil, fmt.Errorf("parameter %s is no text, number, true or false", name)
		}
	}
	if _, err := d.Token(); err != nil { // the end of the object
		return nil, bad
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, bad
	}
	return all, nil
}

// old starts a job as jobz did: all of the query but job_name are parameters.
func (h *handler) old(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // what cannot be read would be left out
		guard.Refuse(w, r, http.StatusBadRequest, "the query cannot be read, want PARAM=VALUE with & between them, escaped as in a URL")
		return
	}
	j := Job{Name: query.Get("job_name"), Params: map[string]string{}}
	guard.Note(r.Context()).Job = j.Name
	for name, values := range query {
		switch {
		case len(values) > 1:
			guard.Refuse(w, r, http.StatusBadRequest, fmt.Sprintf("%s is there %d times, want it once", name, len(values)))
			return
		case name != "job_name":
			j.Params[name] = values[0]
		}
	}
	if j.Name == "" {
		guard.Refuse(w, r, http.StatusBadRequest, "want /job_start?job_name=NAME&PARAM=VALUE")
		return
	}
	h.start(w, r, j)
}

func (h *handler) start(w http.ResponseWriter, r *http.Request, j Job) {
	s, err := h.o.Start(r.Context(), j)
	switch {
	case errors.Is(err, ErrUnknown):
		guard.Refuse(w, r, http.StatusNotFound, err.Error())
	case errors.Is(err, ErrParams):
		guard.Refuse(w, r, http.StatusBadRequest, err.Error())
		guard.Note(r.Context()).Reason = ErrParams.Error() // without the values, which may be secret
	case errors.Is(err, ErrKey):
		guard.Refuse(w, r, http.StatusUnprocessableEntity, err.Error())
	case errors.Is(err, ErrBusy):
		w.Header().Set("Retry-After", "10")
		guard.Refuse(w, r, http.StatusServiceUnavailable, err.Error())
	case err != nil:
		// What went wrong is for whoever runs this, not for whoever asks.
		guard.Refuse(w, r, http.StatusBadGateway, "the job could not be started: try again with the same "+KeyHeader)
		guard.Note(r.Context()).Reason = err.Error()
	default:
		guard.Note(r.Context()).Run = s.Run
		code := http.StatusAccepted
		if !s.Begun {
			code = http.StatusOK
		}
		guard.Answer(w, code, s)
	}
}

// runOf is the name of the run that a key of a job starts.
func runOf(job, key string) string {
	sum := sha256.Sum256([]byte(job + "\x00" + key))
	return "http-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:15]))
}
