package web

// Streaming reports whether somebody follows a run.
func (s *Server) Streaming() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams > 0
}
