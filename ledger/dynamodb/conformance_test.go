package dynamodb_test

import (
	"testing"
	"time"

	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/ledger/ledgertest"
)

func TestContract(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			ledgertest.Run(t, "*dynamodb.Ledger", ledgertest.Traits{}, func(t *testing.T) ledgertest.Store {
				// The suite takes Already for a mistake where nothing went wrong; on a
				// busy machine an attempt given up early would have acted.
				return s.open(t, dynamodb.Options{Timeout: 5 * time.Minute})
			})
		})
	}
}
