package pace

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Each beginning has an end in the log, and one that begins again all the time
// does not fill it.
func TestTurnsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		log := Log(slog.New(slog.NewTextHandler(&text, nil)))
		lines := func() (begun, ended int) {
			s := text.String()
			text.Reset()
			return strings.Count(s, "level=WARN"), strings.Count(s, "level=INFO")
		}
		for range 600 {
			log(Turn{To: "table", Slowed: true, Limit: 4})
			time.Sleep(500 * time.Millisecond)
			log(Turn{To: "table", Lasted: 500 * time.Millisecond})
			time.Sleep(500 * time.Millisecond)
		}
		if begun, ended := lines(); begun != 10 || ended != 10 {
			t.Errorf("in ten minutes %d beginnings and %d ends", begun, ended)
		}
		log(Turn{To: "queue", Slowed: true, Limit: 1})
		if begun, ended := lines(); begun != 1 || ended != 0 {
			t.Errorf("of another %d beginnings and %d ends", begun, ended)
		}
	})
}
