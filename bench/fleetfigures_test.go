package bench

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func entrantOf(name string, batched bool, took time.Duration, requests int) entrant {
	r := round{took: took, nodes: 11_111, cpu: 11_111 * 250 * time.Microsecond}
	counted := r
	counted.asked = map[string]int{"ReceiveMessage": requests / 2, "SendMessageBatch": requests - requests/2, "GetQueueUrl": 0}
	return entrant{walker: walker{name: name, about: "about " + name, batched: batched}, rounds: []round{r, r, r}, counted: counted}
}

func TestGoalsOfTheFleet(t *testing.T) {
	field := []entrant{
		entrantOf("ramify", true, 2*time.Second, 3_400),
		entrantOf("by-hand", true, 6*time.Second, 3_400),
		entrantOf("plain", false, 9*time.Second, 23_000),
		entrantOf("slow", false, 90*time.Second, 23_000),
	}
	lines := strings.Join(fleetGoals(tree{10, 4}, field), "\n")
	require.Contains(t, lines, "met: 0.306 requests a node; at most 0.31")
	require.Contains(t, lines, "met: 5556 nodes/s; at least 4,000")
	require.Contains(t, lines, "met: 3.0 × by-hand")
	require.Contains(t, lines, "**not met**: 4.5 × plain")
	require.Equal(t, []string{"met: 0.306 requests a node; at most 0.35"}, fleetGoals(tree{2, 13}, field[:1]))

	field[2].wrong = errors.New("it ended\nno | module")
	text := fleetTable(tree{10, 4}, field)
	require.Contains(t, text, "| ramify | 3 | 5556 | 1.0 | 250 | 0.306 | 0.153 | 0.153 | 0.000 | 0.000 |")
	require.Contains(t, text, "| plain | 3 | failed: it ended no / module |")
}

func TestCostOfANode(t *testing.T) {
	c := cost{
		nodes: 1_000, took: time.Second, queue: map[string]int{"ReceiveMessage": 10, "SendMessageBatch": 5},
		ledger: map[string]int{"PutItem": 4, "UpdateItem": 6, "GetItem": 100}, units: map[string]float64{"PutItem": 16, "UpdateItem": 6, "GetItem": 50},
		stored: 80_000,
	}
	require.InDelta(t, 0.015, c.queueRequests(), 1e-9)
	require.InDelta(t, 0.010, c.writes(), 1e-9)
	require.InDelta(t, 0.022, c.writeUnits(), 1e-9)
	require.InDelta(t, 0.050, c.readUnits(), 1e-9)
	lines := strings.Join(costGoals(true, []cost{c}), "\n")
	require.Contains(t, lines, "met: 0.0150 requests to SQS")
	require.Contains(t, lines, "met: 0.0100 writes")
	require.Empty(t, costGoals(false, []cost{c}))
	require.Contains(t, costTable("inline", tree{10, 2}, []cost{c}), "| bytes stored | 80.0000 |")
}
