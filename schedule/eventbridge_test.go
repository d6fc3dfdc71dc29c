package schedule_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/schedule"
)

func TestEventBridge(t *testing.T) {
	for cron, want := range map[string][]string{
		"* * * * *":          {"cron(* * * * ? *)"},
		"30 2 * * *":         {"cron(30 2 * * ? *)"},
		"@hourly":            {"cron(0 * * * ? *)"},
		"*/15 8-10 * * *":    {"cron(0,15,30,45 8,9,10 * * ? *)"},
		"0 0 1 jan,6 *":      {"cron(0 0 1 1,6 ? *)"},
		"0 0 * * 0":          {"cron(0 0 ? * 1 *)"},
		"0 0 * * 7":          {"cron(0 0 ? * 1 *)"},
		"0 0 * * MON-FRI":    {"cron(0 0 ? * 2,3,4,5,6 *)"},
		"0 0 * * 5-7":        {"cron(0 0 ? * 1,6,7 *)"},
		"0 0 * * 0-6":        {"cron(0 0 * * ? *)"},
		"0 0 L * ?":          {"cron(0 0 L * ? *)"},
		"0 0 15W * ?":        {"cron(0 0 15W * ? *)"},
		"0 0 * * 5L":         {"cron(0 0 ? * 6L *)"},
		"0 0 * * 0#2":        {"cron(0 0 ? * 1#2 *)"},
		"0 0 13 * 5":         {"cron(0 0 13 * ? *)", "cron(0 0 ? * 6 *)"},
		"0 0 */2 * 1":        nil,
		"0 23-23/2 1/10 * *": {"cron(0 23 1,11,21,31 * ? *)"},
	} {
		e, err := schedule.Parse(cron, nil)
		require.NoError(t, err, cron)
		assert.Equal(t, want, e.EventBridge(), cron)
	}
}
