package mutant_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ramify/ramify/proof/exact"
	"github.com/ramify/ramify/proof/mutant"
)

// Most bugs are planted in a soak only, which is too late to learn that the source has
// moved away from under one.
func TestEveryBugCanStillBePlanted(t *testing.T) {
	for _, bug := range slices.Concat(mutant.All(), mutant.Elsewhere) {
		assert.NoError(t, exact.Fits(filepath.Join("..", ".."), bug.Edits...), bug.Name)
	}
}
