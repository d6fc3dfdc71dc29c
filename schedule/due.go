package schedule

import "time"

// Due are the ticks after a time, and up to now, that start something; what has been
// missed, as the policy says.
func (s *Schedule) Due(after, now time.Time) (due []time.Time, missed int) {
	all := s.When.Between(after, now, MaxMissed)
	late := 0
	for late < len(all) && all[late].Before(now.Add(-Late)) {
		late++
	}
	switch {
	case late == 0, s.Missed == All:
		return all, 0
	case s.Missed == Last && late == len(all):
		return all[late-1:], late - 1
	default: // one that is not late makes up for all before it
		return all[late:], late
	}
}
