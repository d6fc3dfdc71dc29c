package totals

import "time"

// spent is what it took to find the objects to come, in microseconds.
type spent struct {
	each int64 // of them
	rest int64 // the next one, besides
}

// Spend says how long it took to find the next n objects: they have equal parts of it.
// What finds nothing is a part of what finds something next, or of all there is.
func (s *spent) Spend(d time.Duration, n int) {
	took := s.rest + d.Microseconds()
	if n == 0 {
		s.each, s.rest = 0, took
		return
	}
	s.each, s.rest = took/int64(n), took%int64(n)
}

// next is what the next object took.
func (s *spent) next() int64 {
	took := s.each + s.rest
	s.rest = 0
	return took
}
