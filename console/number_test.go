package console

import (
	"math"
	"testing"
	"time"
)

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{exact(0), "0"},
		{exact(999), "999"},
		{exact(1000), "1,000"},
		{exact(1_234_567), "1,234,567"},
		{exact(-1_234), "-1,234"},
		{exact(math.MinInt64), "-9,223,372,036,854,775,808"},

		{short(0), "0"},
		{short(999), "999"},
		{short(999.6), "1.0k"},
		{short(1_000), "1.0k"},
		{short(1_240_000), "1.2M"},
		{short(9_960), "10k"},
		{short(81_499), "81k"},
		{short(999_499), "999k"},
		{short(999_500), "1.0M"},
		{short(-1_200), "-1.2k"},
		{short(math.MaxInt64), "9.2E"},

		{size(0), "0 B"},
		{size(1023), "1023 B"},
		{size(1024), "1.0 KiB"},
		{size(3_650_722_201), "3.4 GiB"},
		{size(220_200_960), "210 MiB"},
		{size(1 << 40), "1.0 TiB"},

		{perSecond(0), "0/s"},
		{perSecond(0.04), "0.0/s"},
		{perSecond(3.46), "3.5/s"},
		{perSecond(9.96), "10/s"},
		{perSecond(81_400), "81k/s"},
		{exactPerSecond(3.46), "3.5/s"},
		{exactPerSecond(86_941.6), "86,942/s"},

		{percent(0, 0), "0%"},
		{percent(0.429, 0), "42%"},
		{percent(0.9999, 1), "99.9%"},
		{percent(almost, 1), "99.9%"},
		{percent(1, 1), "100.0%"},
		{percent(1, 0), "100%"},

		{some(0, "key"), "0 keys"},
		{some(1, "key"), "1 key"},
		{some(1_000, "key"), "1,000 keys"},

		{span(0), "0s"},
		{span(99 * time.Second), "99s"},
		{span(99_600 * time.Millisecond), "1m40s"},
		{span(120 * time.Second), "2m"},
		{span(125 * time.Second), "2m05s"},
		{span(time.Hour - 400*time.Millisecond), "1h"},
		{span(200*time.Minute + 40*time.Second), "3h21m"},
		{span(48*time.Hour - time.Second), "48h"},
		{span(53 * time.Hour), "2d05h"},
		{span(mostETA), "years"},

		{elapsed(0.417), "0.42 s"},
		{elapsed(14.23), "14.2 s"},
		{elapsed(99.96), "1m40s"},

		{ETA{}.left(true), "ETA —"},
		{ETA{true, 14 * time.Second, 11 * time.Second, 19 * time.Second}.left(true), "ETA 14s (11–19s)"},
		{ETA{true, 14 * time.Second, 11 * time.Second, 19 * time.Second}.left(false), "ETA 14s"},
		{ETA{true, 14 * time.Second, 14 * time.Second, 14 * time.Second}.left(true), "ETA 14s"},
		{ETA{true, 95 * time.Second, 80 * time.Second, 130 * time.Second}.left(true), "ETA 95s (80s–2m10s)"},
		{ETA{true, time.Second, 0, time.Hour}.left(true), "ETA 1s (0s–1h)"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// Counts stop at the largest number; their speed must not turn negative.
func TestSpeedOfCountsThatAreFull(t *testing.T) {
	s := Snapshot{Objects: math.MaxInt64, Seconds: 0.001}
	if got := exactPerSecond(s.Mean().Objects); got != "9,223,372,036,854,775,807/s" {
		t.Errorf("%s", got)
	}
	if got := perSecond(s.Mean().Objects); got[0] == '-' {
		t.Errorf("%s", got)
	}
}
