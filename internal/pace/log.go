package pace

import (
	"log/slog"
	"sync"
	"time"
)

// quiet is for how long nothing more is logged of a dependency that begins to be
// slowed again: near its limit it may do so every second.
const quiet = time.Minute

// Log is for OnTurn: a line when a dependency begins to be slowed, at most one a
// minute, and one when it is at full speed again. Several pacers may share it.
func Log(log *slog.Logger) func(Turn) {
	var mu sync.Mutex
	said := map[string]time.Time{} // when the beginning was logged last
	open := map[string]bool{}      // and its end is not yet
	return func(t Turn) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case !t.Slowed && open[t.To]:
			delete(open, t.To)
			log.Info("requests are at full speed again", "to", t.To, "slowed_for", t.Lasted.Round(time.Millisecond).String())
		case t.Slowed && (said[t.To].IsZero() || time.Since(said[t.To]) >= quiet):
			said[t.To], open[t.To] = time.Now(), true
			log.Warn("requests are slowed, as they were asked to be", "to", t.To, "at_a_time", t.Limit)
		}
	}
}
