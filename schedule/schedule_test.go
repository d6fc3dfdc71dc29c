package schedule_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/schedule"
)

// A schedule of the CDK app goes with each start of a task as JSON.
func TestAScheduleIsAFileOfItsOwn(t *testing.T) {
	f, err := schedule.ParseFile("cron.yaml", []byte(ours))
	require.NoError(t, err)
	for _, s := range f.Schedules {
		text, err := json.Marshal(s)
		require.NoError(t, err)
		again, err := schedule.ParseFile("-", text)
		require.NoError(t, err)
		want := *s
		want.About = ""
		assert.Equal(t, []*schedule.Schedule{&want}, again.Schedules)
		assert.Equal(t, s.Key(), again.Schedules[0].Key())
	}
}

// TestMissed: a tick of every ten minutes, looked after until 12:00.
func TestMissed(t *testing.T) {
	cases := []struct {
		policy string
		now    string
		want   []string
		missed int
	}{
		{"last", "12:09:59", nil, 0},
		{"last", "12:10:00", []string{"12:10"}, 0},
		{"last", "12:10:59", []string{"12:10"}, 0},
		{"skip", "12:11:00", []string{"12:10"}, 0}, // a minute: late, not missed
		{"skip", "12:15:00", nil, 1},
		{"skip", "12:30:30", []string{"12:30"}, 2},
		{"last", "12:35:00", []string{"12:30"}, 2},
		{"last", "12:30:30", []string{"12:30"}, 2},
		{"all", "12:35:00", []string{"12:10", "12:20", "12:30"}, 0},
	}
	for _, c := range cases {
		t.Run(c.policy+" "+c.now, func(t *testing.T) {
			f, err := schedule.ParseFile("cron.yaml", []byte("schedules: {a: {cron: '*/10 * * * *', job: x, missed: "+c.policy+"}}"))
			require.NoError(t, err)
			due, missed := f.Schedules[0].Due(at(t, "2026-11-26T12:00:00Z"), at(t, "2026-11-26T"+c.now+"Z"))
			var got []string
			for _, tick := range due {
				got = append(got, tick.Format("15:04"))
			}
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.missed, missed)
		})
	}
}

func TestOfManyMissedTicksTheNewestStart(t *testing.T) {
	f, err := schedule.ParseFile("cron.yaml", []byte("schedules: {a: {cron: '* * * * *', job: x, missed: all}}"))
	require.NoError(t, err)
	now := at(t, "2026-11-26T12:00:30Z")
	due, _ := f.Schedules[0].Due(now.AddDate(0, 0, -1), now)
	require.Len(t, due, schedule.MaxMissed)
	assert.Equal(t, now.Truncate(time.Minute), due[len(due)-1])
}

func TestATaskOfElasticBeanstalkIsAFileOfItsOwn(t *testing.T) {
	f, err := schedule.ParseFile("cron.yaml", []byte("cron: [{name: a task, url: /a, schedule: '* * * * *'}]"))
	require.NoError(t, err)
	text, err := json.Marshal(f.Schedules[0])
	require.NoError(t, err)
	again, err := schedule.ParseFile("-", text)
	require.NoError(t, err)
	assert.Equal(t, f.Schedules, again.Schedules)
}
