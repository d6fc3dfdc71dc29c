package console

import (
	"testing"
	"time"
)

func TestLineAtSeveralWidths(t *testing.T) {
	plain := new(Terminal)
	paused, failing, starting, big := aReading(), aReading(), aReading(), aReading()
	paused.State, paused.Now, paused.ETA = Paused, Rates{}, ETA{}
	failing.Failures = 3
	starting.Snapshot = Take(aRun(), nil, noon.Add(-15*time.Second))
	starting.Now, starting.ETA = Rates{}, ETA{}
	big.Objects, big.Nodes, big.Bytes, big.InFlight, big.Fraction = 987_654_321_000, 123_456_789, 1<<52, 12_288, almost
	big.ETA = ETA{true, 30 * time.Hour, 20 * time.Hour, 60 * time.Hour}

	for _, c := range []struct {
		name  string
		r     Reading
		width int
		want  string
	}{
		{"running", aReading(), 120, "⣷ 42% ▕███▎    ▏  1.2M keys 81k/s · 3.4 GiB 210 MiB/s · 210 nodes 14/s · 64 in flight · 0 failed · ETA 14s (11–19s)"},
		{"running", aReading(), 100, "⣷ 42% ▕███▎    ▏  1.2M keys 81k/s · 3.4 GiB · 210 nodes · 64 in flight · 0 failed · ETA 14s (11–19s)"},
		{"running", aReading(), 80, "⣷ 42% ▕███▎    ▏  1.2M keys 81k/s · 3.4 GiB · 210 nodes · ETA 14s (11–19s)"},
		{"running", aReading(), 60, "⣷ 42% ▕███▎    ▏  1.2M keys 81k/s · ETA 14s (11–19s)"},
		{"running", aReading(), 40, "⣷ 42% ▕███▎    ▏  1.2M keys · ETA 14s"},
		{"running", aReading(), 20, "⣷ 42%  ETA 14s"},
		{"running", aReading(), 8, "⣷ 42%"},
		{"running", aReading(), 4, "⣷ 4…"},
		{"paused", paused, 120, "paused 42% ▕███▎    ▏  1.2M keys 0/s · 3.4 GiB 0 B/s · 210 nodes 0/s · 64 in flight · 0 failed · ETA —"},
		{"paused", paused, 40, "paused 42% ▕███▎    ▏  1.2M keys · ETA —"},
		{"failing", failing, 80, "⣷ 42% ▕███▎    ▏  1.2M keys 81k/s · 210 nodes · 3 failed · ETA 14s (11–19s)"},
		{"failing", failing, 40, "⣷ 42%  1.2M keys · 3 failed · ETA 14s"},
		{"starting", starting, 80, "⣷  0% ▕        ▏  0 keys 0/s · 0 B · 0 nodes · 0 in flight · 0 failed · ETA —"},
		{"big", big, 120, "⣷ 99% ▕███████▉▏  988G keys 81k/s · 4.0 PiB · 123M nodes 14/s · 12,288 in flight · 0 failed · ETA 30h (20h–2d12h)"},
		{"big", big, 80, "⣷ 99% ▕███████▉▏  988G keys 81k/s · 4.0 PiB · 123M nodes · ETA 30h (20h–2d12h)"},
		{"big", big, 40, "⣷ 99% ▕███████▉▏  988G keys · ETA 30h"},
	} {
		got := plain.line(c.r, 0, c.width)
		if got != c.want || columns(got) > c.width {
			t.Errorf("%s at %d\n got %s\nwant %s", c.name, c.width, got, c.want)
		}
	}
}

func TestLineHasOneOfEach(t *testing.T) {
	r := aReading()
	r.Objects, r.Nodes, r.Kind = 1, 1, "sql.rows"
	r.State, r.Fraction = Finished, 1
	want := "finished 100% ▕████████▏  1 object 0.1/s · 3.4 GiB 232 MiB/s · 1 node 0.1/s · 64 in flight · 0 failed"
	if got := new(Terminal).line(r, 0, 200); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestColoursHaveNoWidth(t *testing.T) {
	r := aReading()
	r.Failures = 2
	plain, coloured := new(Terminal), &Terminal{color: true}
	for width := 1; width < 140; width++ {
		if a, b := plain.line(r, 3, width), unstyled(coloured.line(r, 3, width)); a != b {
			t.Fatalf("at %d\nplain    %s\ncoloured %s", width, a, b)
		}
	}
	want := "\x1b[36m⣷\x1b[0m 42%  1.2M keys\x1b[2m · \x1b[0m\x1b[31m2 failed\x1b[0m\x1b[2m · \x1b[0m\x1b[1mETA 14s\x1b[0m"
	if got := coloured.line(r, 0, 40); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestBarGrowsWithTheFraction(t *testing.T) {
	for f, want := range map[float64]string{
		0: "▕    ▏", 0.01: "▕    ▏", 0.04: "▕▏   ▏", 0.25: "▕█   ▏", 0.5: "▕██  ▏", 0.97: "▕███▉▏", almost: "▕███▉▏", 1: "▕████▏",
	} {
		if got := bar(f, 4); got != want {
			t.Errorf("%v is %s, want %s", f, got, want)
		}
	}
}
