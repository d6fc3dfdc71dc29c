package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/guard"
)

// A page stays, after the end of its run, as long as somebody looks: a page that is
// hidden asks once a minute. One that nobody has opened stays for a minute where people
// may come yet, else it does not.
func TestHowLongAPageStays(t *testing.T) {
	for name, c := range map[string]struct {
		mayCome bool
		every   time.Duration // between two requests of the page; 0: there are none
		closed  time.Duration // after the run's end, when there is the last
		want    time.Duration
	}{
		"nobody can come":           {want: time.Second},
		"nobody has opened it":      {mayCome: true, want: time.Minute},
		"open, then closed":         {every: 10 * time.Second, closed: 30 * time.Second, want: 106 * time.Second},
		"hidden for an hour":        {mayCome: true, every: time.Minute, closed: time.Hour, want: time.Hour + 76*time.Second},
		"hidden, nobody could come": {every: time.Minute, closed: time.Hour, want: time.Hour + 76*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				over := time.Now()
				p := &runPage{again: make(chan redriven), asked: func() time.Time {
					if c.every == 0 {
						return time.Time{}
					}
					return over.Add(min(time.Since(over).Truncate(c.every), c.closed))
				}}
				assert.Nil(t, p.stay(t.Context(), c.mayCome))
				assert.Equal(t, c.want, time.Since(over))
			})
		})
	}
}

// Whoever opens the page within the minute has it; and it ends at once when the command
// is told to, or goes on when a redrive is asked for.
func TestWhatEndsThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := time.Now()
		var asked time.Time
		p := &runPage{again: make(chan redriven), asked: func() time.Time {
			if time.Since(over) >= 59*time.Second && asked.IsZero() {
				asked = time.Now()
			}
			return asked
		}}
		assert.Nil(t, p.stay(t.Context(), true))
		assert.Equal(t, (59+76)*time.Second, time.Since(over))
	})
	synctest.Test(t, func(t *testing.T) {
		p := &runPage{again: make(chan redriven), asked: time.Now}
		button := make(redriven, 1)
		go func() {
			time.Sleep(time.Hour)
			p.again <- button
		}()
		assert.Equal(t, button, p.stay(t.Context(), false))
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Hour, func() { cancel(errStopping) })
		assert.Nil(t, p.stay(ctx, true))
	})
}

// What `run` has no flags for it does not advise.
func TestAPageBeyondLoopback(t *testing.T) {
	_, err := webFlag{address: "0.0.0.0:0"}.open(t.Context(), &work{}, "r")
	require.ErrorIs(t, err, guard.ErrBeyond)
	assert.Contains(t, err.Error(), "`ramify serve` shows it there")
	assert.NotContains(t, err.Error(), "--tls-cert")
}
