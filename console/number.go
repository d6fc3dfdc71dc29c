package console

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// exact is a count with a comma between thousands: 1,234,567.
func exact(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// Count is a count as it is shown here: 1,234,567.
func Count(n int64) string { return exact(n) }

// Size is a number of bytes as it is shown here: 3.4 GiB.
func Size(bytes int64) string { return size(float64(bytes)) }

// Elapsed is seconds as they are shown here: 0.42 s, 14.2 s, 2m10s.
func Elapsed(seconds float64) string { return elapsed(seconds) }

// Percent is a part of 1 as it is shown here, rounded down: 42.6%.
func Percent(fraction float64) string { return percent(fraction, 1) }

// short is a count in two or three digits with an SI prefix: 950, 1.2k, 81k, 3.4M.
func short(n float64) string {
	return scale(n, 1000, []string{"", "k", "M", "G", "T", "P", "E"})
}

// size is a number of bytes in IEC units: 512 B, 3.4 GiB.
func size(n float64) string {
	return scale(n, 1024, []string{" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"})
}

func scale(n, base float64, units []string) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	i := 0
	for math.Round(n) >= base && i < len(units)-1 {
		n /= base
		i++
	}
	if i > 0 && n < 9.95 {
		return fmt.Sprintf("%s%.1f%s", sign, n, units[i])
	}
	return fmt.Sprintf("%s%.0f%s", sign, n, units[i])
}

// perSecond is a speed: 81k/s, 3.5/s.
func perSecond(v float64) string {
	if v > 0 && v < 9.95 {
		return fmt.Sprintf("%.1f/s", v)
	}
	return short(v) + "/s"
}

// exactPerSecond is a speed for a report: 86,942/s, 3.5/s.
func exactPerSecond(v float64) string {
	if v > 0 && v < 9.95 {
		return fmt.Sprintf("%.1f/s", v)
	}
	if v >= math.MaxInt64 { // of counts that say "so much or more"
		return exact(math.MaxInt64) + "/s"
	}
	return exact(int64(math.Round(v))) + "/s"
}

// percent is a fraction rounded down, so that nothing looks done that is not.
func percent(fraction float64, decimals int) string {
	p := math.Pow(10, float64(decimals))
	return strconv.FormatFloat(math.Floor(fraction*100*p)/p, 'f', decimals, 64) + "%"
}

// some is a count and what is counted, in the singular or the plural.
func some(n int64, noun string) string { return exact(n) + " " + plural(n, noun) }

func plural(n int64, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// span is a duration to two units at most: 14s, 2m10s, 3h20m, 5d4h.
func span(d time.Duration) string {
	s := int64(math.Round(d.Seconds()))
	switch {
	case s < 100:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return pair(s/60, "m", s%60, "s")
	case s < 48*3600:
		m := (s + 30) / 60
		return pair(m/60, "h", m%60, "m")
	case s < 1000*24*3600:
		h := (s + 1800) / 3600
		return pair(h/24, "d", h%24, "h")
	default:
		return "years"
	}
}

func pair(a int64, unit string, b int64, rest string) string {
	if b == 0 {
		return fmt.Sprintf("%d%s", a, unit)
	}
	return fmt.Sprintf("%d%s%02d%s", a, unit, b, rest)
}

// elapsed is seconds for a report: 0.42 s, 14.2 s, 2m10s.
func elapsed(seconds float64) string {
	switch {
	case seconds < 9.995:
		return fmt.Sprintf("%.2f s", seconds)
	case seconds < 99.95:
		return fmt.Sprintf("%.1f s", seconds)
	default:
		return span(time.Duration(seconds * float64(time.Second)))
	}
}

// left is an ETA in words, with its band or without.
func (e ETA) left(band bool) string {
	if !e.Known {
		return "ETA —"
	}
	low, high := span(e.Low), span(e.High)
	if !band || low == high {
		return "ETA " + span(e.Left)
	}
	if seconds, ok := strings.CutSuffix(low, "s"); ok && e.High < 99500*time.Millisecond {
		low = seconds // 11–19s
	}
	return fmt.Sprintf("ETA %s (%s–%s)", span(e.Left), low, high)
}

// Dollars is an amount of US dollars as people read it: $1234.50, and with six
// decimals at most where it is less than a dollar.
func Dollars(v float64) string {
	if v >= 1 || v == 0 {
		return "$" + strings.TrimSuffix(strconv.FormatFloat(v, 'f', 2, 64), ".00")
	}
	return "$" + strings.TrimRight(strconv.FormatFloat(max(v, 1e-6), 'f', 6, 64), "0")
}
