package filter

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ramify/ramify/inventory"
)

// compares returns what an operator says of two numbers or times in order.
func compares(op string) func(order int) bool {
	switch op {
	case ">=":
		return func(order int) bool { return order >= 0 }
	case "<=":
		return func(order int) bool { return order <= 0 }
	case ">":
		return func(order int) bool { return order > 0 }
	case "<":
		return func(order int) bool { return order < 0 }
	case "=":
		return func(order int) bool { return order == 0 }
	}
	return nil
}

const wantOperator = "one of >=, <=, >, <, = after "

func (f *Filter) addSize(op, value string) (want string) {
	holds := compares(op)
	if holds == nil {
		return wantOperator + "size"
	}
	n, ok := ParseSize(value)
	if !ok {
		return "a size: a number of bytes, or one with B, kB, MB, GB, TB, PB, KiB, MiB, GiB, TiB or PiB"
	}
	f.bounds = append(f.bounds, func(o *inventory.Object) bool {
		return !o.IsDeleteMarker && holds(order(o.Size, n))
	})
	return ""
}

func order(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// units in lower case; those of two letters are decimal.
var units = map[string]float64{
	"": 1, "b": 1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "pb": 1e15,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "pib": 1 << 50,
}

// ParseSize reads a size in bytes: a number, or one with a unit as `size>=` takes it.
func ParseSize(s string) (int64, bool) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	unit, known := units[strings.ToLower(s[len(digits):])]
	digits = strings.TrimSpace(digits)
	if !known || strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil && unit == 1 {
		return n, true // all of 64 bits, which a float does not have
	}
	n, err := strconv.ParseFloat(digits, 64)
	if n *= unit; err != nil || n >= math.MaxInt64 {
		return 0, false
	}
	return int64(math.Round(n)), true
}

// addModified adds a bound on the time of the last change. A day is all of it:
// after a day is after its end.
func (f *Filter) addModified(op, value string, now time.Time) (stored, want string) {
	holds := compares(op)
	if holds == nil {
		return "", wantOperator + "modified"
	}
	from, to, want := parseWhen(value, now)
	if want != "" {
		return "", want
	}
	if age := strings.HasPrefix(value, "-"); age && op == "=" {
		return "", "< or > before an age"
	} else if age {
		value = from.Format(time.RFC3339Nano)
	}
	f.bounds = append(f.bounds, func(o *inventory.Object) bool {
		if o.LastModified.IsZero() {
			return false
		}
		switch t := o.LastModified; {
		case t.Before(from):
			return holds(-1)
		case t.After(to):
			return holds(1)
		default:
			return holds(0)
		}
	})
	return "modified" + op + value, ""
}

const (
	day     = 24 * time.Hour
	maxAge  = 100_000 // days
	dayForm = "2006-01-02"
)

var ageUnits = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': day, 'w': 7 * day}

// parseWhen reads a day, a time, or an age: the first and the last moment meant.
func parseWhen(s string, now time.Time) (from, to time.Time, want string) {
	if t, err := time.Parse(dayForm, s); err == nil {
		return t, t.Add(day - 1), ""
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), t.UTC(), ""
	}
	if age, ok := parseAge(s); ok {
		t := now.UTC().Add(-age)
		return t, t, ""
	}
	return from, to, "a day such as 2026-01-31, a time such as 2026-01-31T12:00:00Z, or an age such as -7d (s, m, h, d or w)"
}

func parseAge(s string) (time.Duration, bool) {
	if len(s) < 3 || s[0] != '-' {
		return 0, false
	}
	unit, known := ageUnits[s[len(s)-1]]
	n, err := strconv.ParseUint(s[1:len(s)-1], 10, 32)
	if err != nil || !known || int64(n) > int64(maxAge*day/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
