package plan

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// fleetOf is a service with tasks that have run from the beginning.
func fleetOf(warm, desired int) *service {
	return newService(defaultLaunches(), warm, desired, rand.New(rand.NewPCG(1, 1)))
}

func TestLaunches(t *testing.T) {
	s := fleetOf(0, 1000)
	s.tick(0, 0)
	assert.Equal(t, 100, s.pending, "a burst")
	s.tick(1, 0)
	s.tick(2, 0)
	assert.Equal(t, 140, s.pending, "and twenty a second")
	for now := 3; now < 200; now++ {
		s.tick(now, 0)
		launched := s.running + s.pending
		assert.LessOrEqual(t, float64(launched), 500+float64(now+1)*500/60, "one service gets 500 a minute")
		if now < 30 {
			assert.Zero(t, s.running)
		}
	}
	assert.Equal(t, 1000, s.running)
	assert.GreaterOrEqual(t, s.first, 30)
	assert.LessOrEqual(t, s.first, 45)
}

func TestWhatIsStopped(t *testing.T) {
	s := fleetOf(10, 10)
	s.set(4)
	s.tick(10, 7)
	assert.Equal(t, 7, s.running, "busy tasks are protected")
	assert.InDelta(t, 3*60, s.billed, 1e-9, "a minute at least")
	s.tick(100, 0)
	assert.Equal(t, 4, s.running)
	assert.InDelta(t, 3*60+3*100, s.billed, 1e-9)

	s = fleetOf(0, 50)
	s.tick(0, 0)
	s.set(0)
	s.tick(1, 0)
	assert.Zero(t, s.pending, "launches are called off")
	assert.Zero(t, s.billed, "before they cost anything")
	s.set(50)
	s.tick(2, 0)
	s.set(10)
	s.tick(22, 0)
	assert.Equal(t, 10, s.pending)
	assert.Positive(t, s.billed, "images were pulled")
	for now := 23; now < 60; now++ {
		s.tick(now, 0)
	}
	assert.Equal(t, 10, s.running)
	assert.Equal(t, 3, s.changes)
}

func TestAlarms(t *testing.T) {
	m := &series{}
	var fired []int
	a := &alarm{of: m, period: 60, periods: 3, breach: func(v float64) bool { return v > 10 }, act: func(now int, _ float64) { fired = append(fired, now) }}
	for now := range 1000 {
		switch {
		case now >= 300 && now < 420: // missing
		case now%10 == 0:
			v := 20.0
			if now < 60 || now >= 600 {
				v = 0
			}
			m.put(now, v)
		}
		a.tick(now, 1)
	}
	// Periods 1 to 4 breach: the third is over at 240 and evaluated 30 s later. Then two
	// are missing, and 7 to 9 breach.
	assert.Equal(t, []int{270, 330, 630}, fired)

	fired = nil
	one := &alarm{of: m, period: 60, periods: 3, eager: true, breach: a.breach, act: a.act}
	for now := range 200 {
		one.tick(now, 0)
	}
	assert.Equal(t, []int{150}, fired, "while no task runs, one period is enough")

	fired = nil
	fast := &alarm{of: m, period: 10, periods: 1, maximum: true, breach: a.breach, act: a.act}
	for now := range 200 {
		fast.tick(now, 0)
	}
	assert.Equal(t, []int{80, 140}, fired, "at once, then every minute")
}
