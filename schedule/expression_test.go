package schedule_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/schedule"
)

func at(t assert.TestingT, s string) time.Time {
	v, err := time.Parse(time.RFC3339, s)
	assert.NoError(t, err)
	return v
}

func zone(t assert.TestingT, name string) *time.Location {
	z, err := time.LoadLocation(name)
	assert.NoError(t, err)
	return z
}

// TestTicks: each line is an expression, its zone, a time and the ticks after it.
func TestTicks(t *testing.T) {
	cases := map[string]struct {
		cron, zone, after string
		want              []string
	}{
		"every day":                         {"30 2 * * *", "UTC", "2026-11-26T02:30:00Z", []string{"2026-11-27T02:30:00Z", "2026-11-28T02:30:00Z"}},
		"by name":                           {"@daily", "Europe/Berlin", "2026-11-26T02:30:00Z", []string{"2026-11-27T00:00:00+01:00"}},
		"names of days":                     {"0 8 * jan MON-fri", "UTC", "2026-12-31T00:00:00Z", []string{"2027-01-01T08:00:00Z", "2027-01-04T08:00:00Z"}},
		"Sunday is 0 and 7":                 {"0 0 * * 7", "UTC", "2026-11-26T00:00:00Z", []string{"2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"}},
		"a day of the month or of the week": {"0 0 13 * 5", "UTC", "2026-11-01T00:00:00Z", []string{"2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"}},
		"leap day":                          {"0 0 29 2 *", "UTC", "2026-11-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
		"last day of the month":             {"0 0 L * ?", "UTC", "2026-11-01T00:00:00Z", []string{"2026-11-30T00:00:00Z", "2026-12-31T00:00:00Z"}},
		"half an hour off":                  {"0 0 * * *", "Asia/Kolkata", "2026-11-01T00:00:00Z", []string{"2026-11-02T00:00:00+05:30"}},
		"spring skips it":                   {"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-30T02:30:00+02:00"}},
		"spring, every hour":                {"0 * * * *", "Europe/Berlin", "2026-03-28T23:30:00Z", []string{"2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"}},
		"autumn has it once":                {"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		"autumn, between the two":           {"30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00Z", []string{"2026-10-26T02:30:00+01:00"}},
		"autumn, every half an hour": {"*/30 * * * *", "Europe/Berlin", "2026-10-24T23:40:00Z", []string{
			"2026-10-25T02:00:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00",
		}},
		"half an hour back": {"45 1 * * *", "Australia/Lord_Howe", "2026-04-03T20:00:00Z", []string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e, err := schedule.Parse(c.cron, zone(t, c.zone))
			require.NoError(t, err)
			tick := at(t, c.after)
			for _, want := range c.want {
				tick = e.Next(tick)
				require.Equal(t, want, tick.Format(time.RFC3339))
			}
		})
	}
}

// TestTicksAreThoseOfEachMinute: whatever the expression, the ticks are the minutes at
// which the clock on the wall shows what it says.
func TestTicksAreThoseOfEachMinute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minute := rapid.IntRange(0, 59).Draw(t, "minute")
		hour := rapid.IntRange(0, 4).Draw(t, "hour")
		z := zone(t, rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"}).Draw(t, "zone"))
		e, err := schedule.Parse(time.Date(0, 1, 1, hour, minute, 0, 0, time.UTC).Format("4 15")+" * * *", z)
		require.NoError(t, err)
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, z).Add(time.Duration(rapid.IntRange(0, 364).Draw(t, "day")) * 24 * time.Hour)
		var want []time.Time
		shown := map[string]bool{}
		for m := start.Add(time.Minute); !m.After(start.Add(72 * time.Hour)); m = m.Add(time.Minute) {
			if on := m.Format(time.DateOnly); m.Hour() == hour && m.Minute() == minute && !shown[on] {
				shown[on] = true
				want = append(want, m)
			}
		}
		require.Equal(t, want, e.Between(start, start.Add(72*time.Hour), 100))
	})
}

func TestBadExpressionsAreRefusedByField(t *testing.T) {
	for text, want := range map[string]string{
		"":                  "it has 0 fields, want five",
		"* * * *":           "it has 4 fields, want five",
		"* * * * * *":       "it has 6 fields",
		"@reboot":           "it has 1 fields",
		"60 * * * *":        `minute is "60", want numbers from 0 to 59`,
		"* 24 * * *":        `hour is "24"`,
		"* * 0 * *":         `day of month is "0"`,
		"* * * 13 *":        `month is "13"`,
		"* * * * 8":         `day of week is "8"`,
		"* * * * 5-1":       `a range that ascends`,
		"*/0 * * * *":       `minute is "*/0", want a step`,
		"*/70 * * * *":      `want a step from 1 to 59`,
		"1-2-3 * * * *":     `minute is "1-2-3"`,
		"1,,2 * * * *":      `minute is "1,,2"`,
		"+5 * * * *":        `minute is "+5"`,
		"a * * * *":         `minute is "A"`,
		"? * * * *":         `minute is "?"`,
		"0 0 30 2 *":        "it is never due",
		"0 0 31 4,6,9,11 *": "it is never due",
	} {
		_, err := schedule.Parse(text, nil)
		require.ErrorContains(t, err, want, text)
	}
}
