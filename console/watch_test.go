package console

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/ledger"
)

// aDrawnReading has all that a watch shows.
func aDrawnReading() Reading {
	r := aReading()
	var h ledger.Moments
	for i := range 15 {
		h = append(h, ledger.Moment{At: noon.Add(time.Duration(i-15) * time.Second), Objects: int64(i*i) * 5000})
	}
	k := ledger.Sketch{Run: "photos", ID: "w1", History: h, At: noon}
	for i := range 5 {
		k.Doing = append(k.Doing, ledger.Doing{Node: fmt.Sprintf("s3://bucket/\x1b[2J%d/", i), Since: noon.Add(time.Duration(i-9) * time.Second)})
		k.Slowest = append(k.Slowest, ledger.Slow{Node: fmt.Sprintf("slow/é%d", i), Took: time.Duration(50-i) * time.Second, At: noon})
	}
	r.Show([]ledger.Sketch{k})
	r.Failures = 3
	r.Notes = []Note{{Name: "cost", Value: "$0.01", Remark: "by estimate"}}
	return r
}

// A panel fits any terminal, and what matters most is there in the smallest.
func TestPanelFits(t *testing.T) {
	r := aDrawnReading()
	for _, width := range []int{20, 40, 60, 80, 200} {
		for _, height := range []int{10, 15, 24, 60} {
			s, term := newScreen(width)
			s.height = height
			term.Show(term.panel(r, width, height)...) // the screen panics where a line is too long
			text := strings.Join(s.lines(), "\n")
			if n := len(s.lines()); n > height-1 {
				t.Errorf("%d lines in %d of %d columns", n, height, width)
			}
			if width >= 40 && !strings.Contains(text, "ETA 14s") {
				t.Errorf("%d columns have no ETA:\n%s", width, text)
			}
			if height >= 24 && width >= 40 {
				for _, want := range []string{"failed     3", "keys a second", "worker  slots", "9.00 s", "slowest"} {
					if !strings.Contains(text, want) {
						t.Errorf("%d×%d has no %q:\n%s", width, height, want, text)
					}
				}
			}
			if height == 60 && width == 80 && (!strings.Contains(text, `5.00 s  s3://bucket/\x1b[2J4/`) || !strings.Contains(text, "█") || !strings.Contains(text, "(11–19s)")) {
				t.Errorf("a large terminal has\n%s", text)
			}
		}
	}
}

// What was drawn needs nothing restored, whenever it ends: no mode is set, and each
// colour ends in its line.
func TestPanelLeavesTheTerminalAsItIs(t *testing.T) {
	var b strings.Builder
	term := &Terminal{w: &b, color: true, area: func() (int, int) { return 50, 40 }}
	term.Show(term.panel(aDrawnReading(), 50, 40)...)
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, "\x1b[?") || strings.LastIndex(line, "\x1b[0m") < max(strings.LastIndex(line, "\x1b[3"), strings.LastIndex(line, "\x1b[2m"), strings.LastIndex(line, "\x1b[1m")) {
			t.Errorf("line %q", line)
		}
	}
}

func TestPanelInASCII(t *testing.T) {
	s, term := newScreen(60)
	s.height, term.ascii = 50, true
	term.Show(term.panel(aDrawnReading(), 60, 50)...)
	text := strings.Join(s.lines(), "\n")
	for _, r := range text {
		if r >= 0x80 {
			t.Fatalf("%q in\n%s", r, text)
		}
	}
	for _, want := range []string{"[###     ]", "##", `slow/\u00e90`, "ETA 14s (11-19s)"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestLocales(t *testing.T) {
	for env, want := range map[string]bool{
		"": false, "LANG=en_US.UTF-8": false, "LANG=C.utf8": false, "LANG=C": true, "LANG=de_DE.ISO-8859-1": true,
		"LC_ALL=C LANG=en_US.UTF-8": true, "LC_CTYPE=C.UTF-8 LANG=C": false,
	} {
		got := needsASCII(func(name string) string {
			for v := range strings.FieldsSeq(env) {
				if k, value, _ := strings.Cut(v, "="); k == name {
					return value
				}
			}
			return ""
		})
		if got != want {
			t.Errorf("%q: %v", env, got)
		}
	}
}

// Columns are as high as what they stand for, and what is little is still seen.
func TestColumnChart(t *testing.T) {
	if got, want := columnChart([]float64{0, 1, 400, 800, 600}, 2), []string{"   █▄", " ▁███"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// All that was counted is in the parts, however they are cut.
func TestSpeeds(t *testing.T) {
	h := History{Points: []Point{{}, {Seconds: 1, Objects: 10}, {Seconds: 4, Objects: 10}, {Seconds: 10, Objects: 100}}}
	for _, parts := range []int{1, 3, 7, 80} {
		sum := 0.0
		for _, v := range h.Speeds(parts, func(p Point) int64 { return p.Objects }) {
			sum += v * 10 / float64(parts)
		}
		if sum < 99.999 || sum > 100.001 {
			t.Errorf("%d parts have %g, want 100", parts, sum)
		}
	}
}
