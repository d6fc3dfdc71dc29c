package schedule

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzParseFile: no text crashes the reader of cron.yaml, and what it takes comes back
// from what is written of it.
func FuzzParseFile(f *testing.F) {
	f.Add("schedules:\n  nightly:\n    cron: \"30 2 * * *\"\n    zone: Europe/Berlin\n    job: backup\n    params: {day: \"{{date}}\"}\n    missed: all\n")
	f.Add("version: 1\ncron:\n - name: \"a b\"\n   url: /x/y\n   schedule: \"*/5 * * * MON-FRI\"\n")
	f.Add("schedules: {a: &x {cron: '@daily', target: s3://b/}, b: *x}")
	f.Add("a: &a [*a, <<: *a]")
	f.Add("# nothing")
	f.Add("---\n...\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := ParseFile("f.yaml", []byte(text))
		if err != nil {
			require.NotContains(t, err.Error(), "\x1b")
			return
		}
		require.NotEmpty(t, file.Schedules)
		for _, s := range file.Schedules {
			require.Regexp(t, scheduleName, s.Name)
			require.Equal(t, 1, given(s.Job)+given(s.Target)+given(s.URL))
			s.Values(time.Unix(1e9, 0))
			written, err := json.Marshal(s)
			require.NoError(t, err)
			again, err := ParseFile("f.yaml", written)
			require.NoError(t, err, "%s", written)
			require.Equal(t, s, again.Schedules[0], "%s", written)
		}
	})
}

// FuzzNext holds the ticks of an expression in UTC against the fields themselves: each
// tick is due, and none is left out of the week before it.
func FuzzNext(f *testing.F) {
	f.Add("*/5 * * * *", int64(1_700_000_000))
	f.Add("0 0 29 2 *", int64(1_700_000_000))
	f.Add("30 2 1,15 * MON-FRI", int64(0))
	f.Add("59 23 31 12 7", int64(1_234_567_890))
	f.Add("1-59/7 */3 * JAN,JUL ?", int64(1_234_567_890))
	f.Add("0 12 * * 5-7", int64(1_234_567_890))
	f.Add("0 0 L * *", int64(1_700_000_000))
	f.Add("@hourly", int64(1_700_000_000))
	f.Fuzz(func(t *testing.T, text string, at int64) {
		e, err := Parse(text, nil)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		after := time.Unix(at%(1<<32), 0).UTC()
		next := e.Next(after)
		require.True(t, next.After(after), "%s after %s: %s", e, after, next)
		if strings.ContainsAny(e.text, "LW#") {
			return // by the library's word
		}
		require.True(t, due(t, e, next), "%s is not due at %s", e, next)
		from := after.Truncate(time.Minute).Add(time.Minute)
		if week := next.Add(-7 * 24 * time.Hour); from.Before(week) {
			from = week
		}
		for m := from; m.Before(next); m = m.Add(time.Minute) {
			require.False(t, due(t, e, m), "%s after %s: %s, but it is due at %s", e, after, next, m)
		}
	})
}

// due says by itself whether a minute of UTC is one of an expression of plain numbers.
// Of day of month and day of week, where both are restricted, one is enough.
func due(t *testing.T, e *Expression, m time.Time) bool {
	has := func(i, value int) bool {
		for part := range strings.SplitSeq(e.fields[i], ",") {
			all, err := expand(i, part)
			require.NoError(t, err)
			if slices.Contains(all, value) || i == 4 && value == 0 && slices.Contains(all, 7) {
				return true
			}
		}
		return false
	}
	if m.Second() != 0 || !has(0, m.Minute()) || !has(1, m.Hour()) || !has(3, int(m.Month())) {
		return false
	}
	day, weekday := has(2, m.Day()), has(4, int(m.Weekday()))
	if strings.HasPrefix(e.fields[2], "*") || strings.HasPrefix(e.fields[4], "*") {
		return day && weekday
	}
	return day || weekday
}

// FuzzEventBridge: whatever is taken for cron is written there in six fields.
func FuzzEventBridge(f *testing.F) {
	f.Add("30 2 * * *")
	f.Add("*/7 0 1,L 1 0-7/2")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text, nil)
		if err != nil {
			return
		}
		for _, there := range e.EventBridge() {
			fields, ok := strings.CutPrefix(there, "cron(")
			require.True(t, ok, there)
			require.Len(t, strings.Fields(strings.TrimSuffix(fields, ")")), 6, there)
		}
	})
}
