package fleet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/bench/fleet"
)

func TestNodes(t *testing.T) {
	require.Equal(t, 1, fleet.Nodes(10, 0))
	require.Equal(t, 1_111, fleet.Nodes(10, 3))
	require.Equal(t, 15, fleet.Nodes(2, 3))
}

// shell is a worker that chatters and answers every order with the same number.
func shell(nodes string) []string {
	return []string{"sh", "-c", `echo hello; echo '{"ready":true}'; while read -r order; do echo '{"nodes":` + nodes + `,"seconds":1.5}'; done`}
}

func TestAWorkerWalks(t *testing.T) {
	place := fleet.Place{Endpoint: "http://127.0.0.1:9", Name: "nodes", Fanout: 10}
	w, err := fleet.Start(t.Context(), place, shell("111"))
	require.NoError(t, err)
	for range 2 {
		took, err := w.Walk(t.Context(), 2)
		require.NoError(t, err)
		require.Equal(t, 1500*time.Millisecond, took)
	}
	_, err = w.Walk(t.Context(), 3)
	require.ErrorContains(t, err, "111 nodes, want 1111")
	require.NoError(t, w.Stop())
}

func TestAWorkerThatFailsSaysWhy(t *testing.T) {
	place := fleet.Place{Endpoint: "http://127.0.0.1:9", Name: "nodes", Fanout: 10}
	_, err := fleet.Start(t.Context(), place, []string{"sh", "-c", "echo no such module >&2; exit 1"})
	require.ErrorContains(t, err, "no such module")
	_, err = fleet.Start(t.Context(), place, []string{"no-such-program"})
	require.ErrorContains(t, err, "no-such-program")
}

func TestPeersAreFoundByName(t *testing.T) {
	for _, p := range fleet.Peers {
		found, err := fleet.Find(p.Name)
		require.NoError(t, err)
		require.Equal(t, p.About, found.About)
	}
	_, err := fleet.Find("sidekiq")
	require.ErrorContains(t, err, "sqs-consumer-batched")
}
