package schema_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/schema"
)

// Identities are keys of records in ledgers that exist: these texts, computed
// by hand with another SHA-256, must never change.
func TestIdentitiesNeverChange(t *testing.T) {
	run := "01JQ8Z4T9W"
	root := schema.PIDOf(run, schema.Place{})
	kid := schema.PIDOf(run, schema.Place{Parent: root, Slot: 255})
	for want, got := range map[string]schema.PID{
		"omC5CwA6BKjGvrfDtSrvag": root,
		"Rv84JUteuiELX5kji3aLzQ": schema.PIDOf(run, schema.Place{Parent: root}),
		"kjQ8DDGYcYPwJZq8FsbRlQ": kid,
		"kFVd8zqaHq5rJ4vKSUynAQ": schema.PIDOf(run, schema.Place{Parent: kid, Slot: 17}),
		"HPOkt5Ixp2P_zX8PxVGb6Q": schema.PIDOf("nightly-2026-11-23", schema.Place{}),
		"O-6LSFFlVPbgfwQsgxudUA": schema.GroupPID(root, 0, 0, 0),
		"xYzQrOk0TEQPmpSGPPWRaQ": schema.GroupPID(root, 0xdeadbeefcafef00d, 1, 300),
	} {
		assert.Equal(t, want, got.String())
	}
}

func TestOnlyTheZeroPlaceIsTheRoot(t *testing.T) {
	assert.True(t, schema.Place{}.IsRoot())
	assert.False(t, schema.Place{Parent: schema.PIDOf("r", schema.Place{})}.IsRoot())
	assert.NotEqual(t, schema.PID{}, schema.PIDOf("r", schema.Place{}), "the root itself is a node like any other")
}

func TestIdentitiesAreDistinct(t *testing.T) {
	seen := map[schema.PID]string{}
	see := func(p schema.PID, what string) {
		require.Empty(t, seen[p], "%s has the identity of another", what)
		seen[p] = what
	}
	root := schema.PIDOf("r", schema.Place{})
	see(schema.PID{}, "the run")
	see(root, "the root")
	see(schema.PIDOf("r2", schema.Place{}), "the root of another run")
	for slot := range schema.MaxSlots {
		child := schema.PIDOf("r", schema.Place{Parent: root, Slot: slot})
		see(child, "a child")
		see(schema.PIDOf("r2", schema.Place{Parent: root, Slot: slot}), "a child in another run")
		see(schema.PIDOf("r", schema.Place{Parent: child, Slot: slot}), "a grandchild")
		see(schema.GroupPID(root, 0, 0, slot), "a group")
		see(schema.GroupPID(root, 0, 1, slot), "a group a level up")
		see(schema.GroupPID(root, 1, 0, slot), "a group of another attempt")
		see(schema.GroupPID(child, 0, 0, slot), "a group of another node")
	}
}

func TestIdentitiesComeBackFromText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := pids.Draw(t, "pid")
		text, err := p.MarshalText()
		require.NoError(t, err)
		require.Equal(t, p.String(), string(text))
		require.Len(t, text, 22)

		got := pids.Draw(t, "before")
		require.NoError(t, got.UnmarshalText(text))
		require.Equal(t, p, got)
	})

	text, err := schema.PID{}.MarshalText()
	require.NoError(t, err)
	assert.Empty(t, text)
	got := schema.PID{1}
	require.NoError(t, got.UnmarshalText(nil))
	assert.Equal(t, schema.PID{}, got)
}

func TestIdentitiesHaveOneSpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(
			rapid.StringMatching(`[A-Za-z0-9_-]{22}`),
			rapid.StringMatching(`[A-Za-z0-9_+/=\n-]{20,24}`),
		).Draw(t, "text")
		var p schema.PID
		if p.UnmarshalText([]byte(text)) == nil {
			require.Equal(t, text, p.String())
		}
	})
}
