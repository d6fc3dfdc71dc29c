package schedule

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones where the system has none: an empty image

	"github.com/adhocore/gronx"
)

// Expression is when a schedule is due: the five fields of cron, in a time zone.
type Expression struct {
	fields [5]string // minute, hour, day of month, month, day of week
	text   string    // the fields, as they are given to the library
	zone   *time.Location
	hourly bool // the hour is not restricted
}

// macros are names for expressions.
var macros = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
	"@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// kinds are the five fields: what a value of each may be, and the names that values have.
var kinds = [5]struct {
	name        string
	least, most int
	special     *regexp.Regexp // beside numbers
	names       string
}{
	{name: "minute", most: 59},
	{name: "hour", most: 23},
	{name: "day of month", least: 1, most: 31, special: regexp.MustCompile(`^(L|[0-9]{1,2}W)$`)},
	{name: "month", least: 1, most: 12, names: "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"},
	{name: "day of week", most: 7, special: regexp.MustCompile(`^[0-7](L|#[1-5])$`), names: "SUN MON TUE WED THU FRI SAT"},
}

// part is one value of a list: a number or *, to where, and in which steps.
var part = regexp.MustCompile(`^(\*|[0-9]{1,2})(?:-([0-9]{1,2}))?(?:/([0-9]{1,2}))?$`)

// Parse reads an expression of five fields, or a name such as @daily, in a zone; nil
// is UTC. The error says what is wrong with which field.
func Parse(text string, zone *time.Location) (*Expression, error) {
	if zone == nil {
		zone = time.UTC
	}
	text = strings.ToUpper(strings.TrimSpace(text))
	if macro, is := macros[strings.ToLower(text)]; is {
		text = macro
	}
	fields := strings.Fields(text)
	if len(fields) != 5 {
		return nil, fmt.Errorf("it has %d fields, want five: minute, hour, day of month, month and day of week; or @yearly, @monthly, @weekly, @daily, @hourly", len(fields))
	}
	e := &Expression{zone: zone}
	for i, field := range fields {
		value, err := normal(i, field)
		if err != nil {
			return nil, fmt.Errorf("%s is %q, want %w", kinds[i].name, field, err)
		}
		e.fields[i] = value
	}
	e.text = strings.Join(e.fields[:], " ")
	e.hourly = strings.HasPrefix(e.fields[1], "*")
	if !gronx.New().IsValid(e.text) {
		return nil, fmt.Errorf("it is %q, want an expression of cron", text)
	}
	if e.Next(time.Unix(0, 0)).IsZero() {
		return nil, fmt.Errorf("it is never due: there is no such day")
	}
	return e, nil
}

// normal checks a field, and writes numbers for names.
func normal(i int, field string) (string, error) {
	k := kinds[i]
	for n, name := range strings.Fields(k.names) {
		field = regexp.MustCompile(`\b`+name+`\b`).ReplaceAllString(field, strconv.Itoa(n+k.least))
	}
	if field == "?" && (i == 2 || i == 4) {
		return "*", nil
	}
	for value := range strings.SplitSeq(field, ",") {
		if k.special != nil && k.special.MatchString(value) {
			continue
		}
		if _, err := expand(i, value); err != nil {
			return "", err
		}
	}
	return field, nil
}

// expand is the numbers that one value of a list means.
func expand(i int, value string) ([]int, error) {
	k := kinds[i]
	m := part.FindStringSubmatch(value)
	if m == nil {
		return nil, fmt.Errorf("*, numbers from %d to %d, ranges such as %d-%d, steps such as */2, with commas between them", k.least, k.most, k.least, k.most)
	}
	from, to, step := k.least, k.most, 1
	if m[1] != "*" {
		from, _ = strconv.Atoi(m[1]) // it has one or two digits
		if m[2] != "" {
			to, _ = strconv.Atoi(m[2])
		} else if m[3] == "" {
			to = from
		}
	}
	if m[3] != "" {
		step, _ = strconv.Atoi(m[3])
	}
	switch {
	case m[1] == "*" && m[2] != "":
		return nil, fmt.Errorf("no range that begins with *")
	case from < k.least || to > k.most:
		return nil, fmt.Errorf("numbers from %d to %d", k.least, k.most)
	case to < from:
		return nil, fmt.Errorf("a range that ascends: two with a comma between them, as %d-%d,%d-%d", from, k.most, k.least, to)
	case step < 1 || step > k.most:
		return nil, fmt.Errorf("a step from 1 to %d", k.most)
	}
	var all []int
	for n := from; n <= to; n += step {
		all = append(all, n)
	}
	return all, nil
}

// String is the expression in five fields.
func (e *Expression) String() string { return e.text }

// Zone is where the clock on the wall says when it is due.
func (e *Expression) Zone() *time.Location { return e.zone }

// Next is the first tick after a time; zero: there is none within centuries.
//
// A time that clocks skip in spring is no tick. One that they show twice in autumn
// is one tick, the first, but for expressions without a certain hour: these are due
// in both hours, so that what is due every ten minutes is due every ten minutes.
//
// The library is asked on a clock without zones: within one it forgets the first of
// two equal hours.
//
// Source: Amazon EventBridge Scheduler User Guide, "Daylight savings time".
func (e *Expression) Next(after time.Time) time.Time {
	t, from, inclusive := after.In(e.zone), after.In(e.zone), false
	for range 400 { // clocks change twice a year
		_, end := t.ZoneBounds()
		offset := offsetOf(t)
		for wall := wallOf(from); ; inclusive = false {
			due, err := gronx.NextTickAfter(e.text, wall, inclusive)
			if err != nil {
				return time.Time{}
			}
			tick := due.Add(-offset)
			if !end.IsZero() && !tick.Before(end) {
				break
			}
			if !e.hourly && e.shown(tick.In(e.zone)) {
				wall = due
				continue
			}
			return tick.In(e.zone)
		}
		t, from, inclusive = end.In(e.zone), end.In(e.zone), true
	}
	return time.Time{}
}

// shown reports whether the clock on the wall has shown this before: it was set back.
func (e *Expression) shown(t time.Time) bool {
	start, _ := t.ZoneBounds()
	if start.IsZero() {
		return false
	}
	before := start.Add(-time.Nanosecond).In(e.zone)
	return wallOf(t).Before(wallOf(before))
}

// wallOf is what a clock on the wall shows, as a time of UTC.
func wallOf(t time.Time) time.Time { return t.Add(offsetOf(t)).UTC() }

func offsetOf(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// Between are the ticks after one time and up to another, the newest most of them.
func (e *Expression) Between(after, upTo time.Time, most int) []time.Time {
	var all []time.Time
	for t := e.Next(after); !t.IsZero() && !t.After(upTo); t = e.Next(t) {
		if all = append(all, t); len(all) > most {
			all = slices.Delete(all, 0, 1)
		}
	}
	return all
}
