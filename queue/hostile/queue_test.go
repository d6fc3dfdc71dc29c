package hostile_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const name = "*hostile.Queue"

func TestKind(t *testing.T) {
	queuetest.Run(t, name, queuetest.Traits{Synctest: true}, func(*testing.T) queue.Queue {
		return hostile.New(1, hostile.Faults{})
	})
}

func TestKindInRealTime(t *testing.T) {
	queuetest.Run(t, name, queuetest.Traits{}, func(*testing.T) queue.Queue {
		return hostile.New(1, hostile.Faults{})
	})
}

func TestKindButSlow(t *testing.T) {
	queuetest.Run(t, name, queuetest.Traits{Synctest: true}, func(*testing.T) queue.Queue {
		return hostile.New(1, hostile.Faults{Latency: time.Millisecond, Reorder: 1})
	})
}

func TestHostile(t *testing.T) {
	for _, p := range []float64{0.05, 0.3} {
		traits := queuetest.Traits{AtLeastOnce: true, Lossy: true, RoughDepth: true, Synctest: true}
		queuetest.Run(t, name, traits, func(*testing.T) queue.Queue {
			return hostile.New(7, hostile.Unkind(p))
		})
	}
}
