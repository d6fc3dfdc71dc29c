package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/ramify/ramify/console"
)

// errBusy is that as many look as may.
var errBusy = errors.New("as many look at runs as this server lets look: close a page")

// lasting is for how long a run is read that nobody looks at any more: whoever asks
// for one reading after the other gets rates.
const lasting = 15 * time.Second

// stale is for how many looks, one after the other, none has gone well when who looks
// is told that figures are old: one is made up for within a second.
const stale = 3

// watch reads one run once a second, for all who look at it.
type watch struct {
	s  *Server
	id string

	ready chan struct{} // closed when there is a first reading, or none can be had
	run   Run           // set before ready is closed; nil if it could not be opened

	// Guarded by Server.mu.
	holders int // who uses run: requests, and work; the last closes it
	asked   time.Time
	meter   console.Meter
	reading reading
	text    []byte // of the reading, as JSON
	view    View
	good    time.Time     // when the last look went well
	err     error         // of the last look
	turn    chan struct{} // closed, and made anew, with each reading that differs
}

// enter finds or begins the watch of a run; leave it in the end.
func (s *Server) enter(ctx context.Context, id string) (*watch, error) {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return nil, errStopped
	}
	w := s.watched[id]
	if w == nil {
		if len(s.watched) >= maxWatched {
			s.mu.Unlock()
			return nil, errBusy
		}
		w = &watch{s: s, id: id, ready: make(chan struct{}), turn: make(chan struct{}), holders: 1}
		s.watched[id] = w
		s.running.Go(w.work)
	}
	w.holders++
	w.asked = time.Now()
	s.mu.Unlock()
	select {
	case <-w.ready:
	case <-ctx.Done():
		s.leave(w)
		return nil, ctx.Err()
	}
	if w.run == nil {
		s.leave(w)
		return nil, w.err
	}
	return w, nil
}

// leave is called once for each enter.
func (s *Server) leave(w *watch) {
	s.mu.Lock()
	w.holders--
	w.asked = time.Now()
	last := w.holders == 0
	s.mu.Unlock()
	if last && w.run != nil {
		w.run.Close()
	}
}

// work reads until nobody has looked for a while, or the server stops.
func (w *watch) work() {
	s := w.s
	ctx := s.opening
	defer s.leave(w)
	run, err := s.o.Runs.Open(ctx, w.id)
	if err != nil {
		s.mu.Lock()
		w.err = err
		delete(s.watched, w.id)
		s.mu.Unlock()
		close(w.ready)
		return
	}
	w.run = run
	tick := time.NewTicker(s.o.Every)
	defer tick.Stop()
	for first := true; ; first = false {
		v, err := run.Look(ctx)
		w.publish(v, err)
		if first {
			close(w.ready)
		}
		if w.forgotten() {
			return
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// publish makes a reading of a look, and wakes who waits for one that differs.
func (w *watch) publish(v View, err error) {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if w.err == nil && s.opening.Err() == nil {
			s.log.Warn("a run could not be read", "run", w.id, "error", err)
		}
		w.err = err
		if w.text == nil || w.reading.Stale || time.Since(w.good) < stale*s.o.Every {
			return
		}
		w.reading.Stale = true
	} else {
		w.err, w.view, w.good = nil, v, time.Now()
		w.reading = readingOf(&v, w.meter.Observe(v.Snapshot))
	}
	text, encoding := json.Marshal(w.reading)
	if encoding != nil {
		w.err = encoding
		return
	}
	if bytes.Equal(text, w.text) {
		return
	}
	w.text = text
	close(w.turn)
	w.turn = make(chan struct{})
}

// forgotten reports whether nobody wants readings any more, or the server stops; then
// the next who asks begins a watch of his own.
func (w *watch) forgotten() bool {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped && (w.holders > 1 || time.Since(w.asked) < lasting) {
		return false
	}
	delete(s.watched, w.id)
	close(w.turn)
	w.turn = make(chan struct{})
	return true
}

// last is the reading as it now is, or the error for which there is none, and a
// channel that is closed when there is another.
func (w *watch) last() (text []byte, over bool, turn <-chan struct{}, err error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if w.text == nil {
		err = w.err
	}
	return w.text, w.view.State.Over(), w.turn, err
}

// Asked is when somebody last asked for anything but the page's parts: a page that is
// open does so every ten seconds at least. It is now while somebody follows a run.
func (s *Server) Asked() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams > 0 {
		return time.Now()
	}
	return s.asked
}
