package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/guard"
)

// list answers with all runs.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	if _, err := query(r); err != nil {
		s.refuse(w, r, err)
		return
	}
	runs, err := s.o.Runs.List(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	all := make([]entry, 0, len(runs))
	for i := range runs {
		all = append(all, entryOf(&runs[i]))
	}
	guard.Answer(w, http.StatusOK, map[string]any{"runs": all})
}

// one is a handler of what is asked of one run: it returns what to answer with.
func (s *Server) one(h func(r *http.Request, w *watch) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("run")
		guard.Note(r.Context()).Run = name
		run, err := s.enter(r.Context(), name)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		defer s.leave(run)
		body, err := h(r, run)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		guard.Answer(w, http.StatusOK, body)
	}
}

func (s *Server) reading(r *http.Request, w *watch) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	text, _, _, err := w.last()
	return json.RawMessage(text), err
}

func (s *Server) history(r *http.Request, w *watch) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	return w.run.History(r.Context())
}

// mostFailures is the limit of a page of them.
const mostFailures = 1000

func (s *Server) failures(r *http.Request, w *watch) (any, error) {
	q, err := query(r, "after", "limit")
	if err != nil {
		return nil, err
	}
	limit, err := number(q, "limit", 100, mostFailures)
	if err != nil {
		return nil, err
	}
	some, next, err := w.run.Failures(r.Context(), q.Get("after"), limit)
	if some == nil {
		some = []console.Failure{}
	}
	return map[string]any{"failures": some, "next": next}, err
}

// mostChildren is the limit of those of a prefix.
const mostChildren = 1000

func (s *Server) tree(r *http.Request, w *watch) (any, error) {
	q, err := query(r, "prefix", "by", "top")
	if err != nil {
		return nil, err
	}
	a := Ask{Prefix: q.Get("prefix"), By: q.Get("by")}
	switch a.By {
	case "":
		a.By = "objects"
	case "objects", "bytes", "time":
	default:
		return nil, argument{fmt.Sprintf("by is %q, want objects, bytes or time", a.By)}
	}
	if a.Top, err = number(q, "top", 200, mostChildren); err != nil {
		return nil, err
	}
	t, err := w.run.Tree(r.Context(), a)
	if t.Children == nil {
		t.Children = []Child{}
	}
	return t, err
}

func (s *Server) histograms(r *http.Request, w *watch) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	h, err := w.run.Histograms(r.Context())
	if h.Sizes == nil {
		h.Sizes = []console.SizeClass{}
	}
	if h.Depths == nil {
		h.Depths = []console.DepthClass{}
	}
	return h, err
}

func (s *Server) slowest(r *http.Request, w *watch) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	nodes, err := w.run.Slowest(r.Context())
	if nodes == nil {
		nodes = []console.Slow{}
	}
	return map[string]any{"nodes": nodes}, err
}

// order does what a button says, and answers with the reading that follows.
func (s *Server) order(r *http.Request, w *watch) (any, error) {
	o := Order{Kind: OrderKind(r.PathValue("order"))}
	switch o.Kind {
	case Pause, Resume, Cancel, Redrive, Concurrency:
	default:
		return nil, argument{fmt.Sprintf("there is no %q to be done, want pause, resume, cancel, redrive or concurrency", o.Kind)}
	}
	if _, err := query(r); err != nil {
		return nil, err
	}
	// No form can send this, so no page of another site can, in any browser.
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, argument{fmt.Sprintf("Content-Type is %q, want application/json", r.Header.Get("Content-Type"))}
	}
	var body struct {
		Concurrency *int `json:"concurrency"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil && !errors.Is(err, io.EOF) || d.More() {
		return nil, argument{`the body is not what is wanted: nothing, {} or, for concurrency, {"concurrency": 64}`}
	}
	switch {
	case o.Kind == Concurrency && (body.Concurrency == nil || *body.Concurrency < 1 || *body.Concurrency > 10_000):
		return nil, argument{"concurrency is wanted, 1 to 10000"}
	case o.Kind == Concurrency:
		o.Concurrency = *body.Concurrency
	case body.Concurrency != nil:
		return nil, argument{"concurrency goes with the order of that name"}
	}
	if err := w.run.Do(r.Context(), o); err != nil {
		return nil, err
	}
	v, err := w.run.Look(r.Context())
	if err != nil {
		return nil, err
	}
	w.publish(v, nil)
	text, _, _, err := w.last()
	return json.RawMessage(text), err
}

// query is the parameters, of which no others may be there than are named.
func query(r *http.Request, names ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, argument{"the query cannot be read"}
	}
	for name, values := range q {
		switch {
		case !slices.Contains(names, name):
			return nil, argument{fmt.Sprintf("there is no parameter %q", name)}
		case len(values) > 1:
			return nil, argument{fmt.Sprintf("%s is there %d times, want it once", name, len(values))}
		}
	}
	return q, nil
}

func number(q url.Values, name string, usual, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, argument{fmt.Sprintf("%s is %q, want 1 to %d", name, text, most)}
	}
	return n, nil
}

// argument is an error about what was asked.
type argument struct{ text string }

func (a argument) Error() string        { return a.text }
func (a argument) Is(target error) bool { return target == ErrArgument }
