package web

import (
	"fmt"
	"net/http"
	"time"

	"github.com/ramify/ramify/guard"
)

// events streams the readings of a run until it is over: at most one a second, and
// only such as differ from the one before, with a comment now and then, by which a
// client that has gone is found.
//
// Source: WHATWG, HTML, "Server-sent events".
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("run")
	guard.Note(r.Context()).Run = name
	if _, err := query(r); err != nil {
		s.refuse(w, r, err)
		return
	}
	if !s.takeStream() {
		s.refuse(w, r, errBusy)
		return
	}
	defer s.dropStream()
	run, err := s.enter(r.Context(), name)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer s.leave(run)
	text, over, turn, err := run.last()
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{}) // the server's is for a request; a stream has none
	beat := time.NewTicker(s.o.Heartbeat)
	defer beat.Stop()
	send := func(format string, a ...any) bool {
		if out.SetWriteDeadline(time.Now().Add(s.o.Slow)) != nil {
			return false
		}
		_, err := fmt.Fprintf(w, format, a...)
		return err == nil && out.Flush() == nil
	}
	var sent time.Time
	for {
		if !send("event: reading\ndata: %s\n\n", text) || over {
			return
		}
		sent = time.Now()
		for same := true; same; {
			select {
			case <-s.stop:
				return
			case <-r.Context().Done():
				return
			case <-beat.C:
				if !send(": still there\n\n") {
					return
				}
			case <-turn:
				same = false
			}
		}
		// A button makes a reading out of turn.
		if early := s.o.Every/2 - time.Since(sent); early > 0 {
			rest := time.NewTimer(early)
			select {
			case <-s.stop:
			case <-r.Context().Done():
			case <-rest.C:
			}
			rest.Stop()
		}
		text, over, turn, _ = run.last()
	}
}

// takeStream takes one of the streams there may be.
func (s *Server) takeStream() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.streams >= maxStreams {
		return false
	}
	s.streams++
	s.running.Add(1)
	return true
}

func (s *Server) dropStream() {
	s.mu.Lock()
	s.streams--
	s.asked = time.Now() // who has followed a run to its end looks at it
	s.mu.Unlock()
	s.running.Done()
}
