package model

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWorldsHold(t *testing.T) {
	for _, w := range Worlds() {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			r := Check(w, 0)
			t.Log(r)
			require.Empty(t, r.Wrong)
			require.True(t, r.Complete, "the search ended early")
			require.Zero(t, r.Crowded, "steps were left out")
		})
	}
}

// TestBugsShow plants each bug: a model that cannot fail proves nothing.
func TestBugsShow(t *testing.T) {
	for _, b := range Bugs {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			w := world(b.World)
			require.NotNil(t, w, "there is no world %s", b.World)
			r := Check(w, b.Bug)
			t.Log(r)
			require.NotEmpty(t, r.Wrong, b.About)
			require.NotEmpty(t, r.Trace)
		})
	}
}

// endless is the one world that is too large to be searched to its end: it stops at its
// limit and says so. Of any other, half a search would prove nothing.
const endless = "everything"

// TestDeepWorldsHold is minutes long.
func TestDeepWorldsHold(t *testing.T) {
	for _, w := range Deep() {
		require.Equal(t, w.Name == endless, w.Limit > 0, "%s: does its search end early?", w.Name)
	}
	if os.Getenv("RAMIFY_SOAK") == "" {
		for _, w := range Deep() {
			w.build() // that they can be searched at all
		}
		return
	}
	for _, w := range Deep() {
		t.Run(w.Name, func(t *testing.T) {
			r := Check(w, 0)
			t.Log(r)
			require.Empty(t, r.Wrong)
			require.Equal(t, w.Name != endless, r.Complete, "the search ended early, or no longer does")
			require.Zero(t, r.Crowded, "steps were left out")
		})
	}
}

// TestStateIsWholeInItsBytes reads states back from the bytes that they are known by.
func TestStateIsWholeInItsBytes(t *testing.T) {
	w := world("redrive").build()
	walk(w, 7, 300, func(_ label, _ call, x *State) {
		out := codec{}
		out.state(w, x)
		var y State
		in := codec{buf: out.buf, reading: true}
		in.state(w, &y)
		require.Equal(t, *x, y)
		require.Equal(t, len(out.buf), in.at)
	})
}

func world(name string) *World {
	for _, w := range Worlds() {
		if w.Name == name {
			return w
		}
	}
	return nil
}
