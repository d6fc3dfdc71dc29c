package hostile_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/ledger/ledgertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const name = "*hostile.Ledger"

func TestKind(t *testing.T) {
	ledgertest.Run(t, name, ledgertest.Traits{}, func(*testing.T) ledgertest.Store {
		return hostile.New(1, hostile.Faults{})
	})
}

func TestHostile(t *testing.T) {
	for _, p := range []float64{0.05, 0.4} {
		ledgertest.Run(t, name, ledgertest.Traits{Lossy: true, Synctest: true}, func(*testing.T) ledgertest.Store {
			return hostile.New(1, hostile.Unkind(p))
		})
	}
}
