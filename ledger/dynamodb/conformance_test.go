package dynamodb_test

import (
	"testing"

	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/ledger/ledgertest"
)

func TestContract(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			ledgertest.Run(t, "*dynamodb.Ledger", ledgertest.Traits{}, func(t *testing.T) ledgertest.Store {
				return s.open(t, dynamodb.Options{})
			})
		})
	}
}
