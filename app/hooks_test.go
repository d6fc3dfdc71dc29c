package app

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestNoProviders: what kong would take from methods Provide… is not in the command as
// it is built (internal/lean).
func TestNoProviders(t *testing.T) {
	seen := 0
	var look func(reflect.Type)
	look = func(s reflect.Type) {
		seen++
		for m := range reflect.PointerTo(s).Methods() {
			assert.False(t, strings.HasPrefix(m.Name, "Provide"), "%s.%s", s, m.Name)
		}
		for f := range s.Fields() {
			if _, command := f.Tag.Lookup("cmd"); command || f.Anonymous && f.Type.Kind() == reflect.Struct {
				look(f.Type)
			}
		}
	}
	look(reflect.TypeFor[cli]())
	assert.Greater(t, seen, 15, "commands")
}
