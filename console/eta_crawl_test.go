package console

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// walked is the fraction of a crawl as it was said, over its time as a part of the whole.
type walked struct {
	name     string
	slots    int
	at, said []float64
}

// fractionAt is what was said last at a part of the time.
func (w *walked) fractionAt(part float64) (f float64) {
	for i, at := range w.at {
		if at <= part {
			f = w.said[i]
		}
	}
	return f
}

// crawls are walks of buckets whose keys are unevenly spread, by so many slots: lines
// that TestFraction of processor/s3crawl logs.
func crawls(t *testing.T) (all []walked) {
	t.Helper()
	text, err := os.ReadFile("testdata/crawls.txt")
	if err != nil {
		t.Fatal(err)
	}
	number := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		_, slots, _ := strings.Cut(fields[0], "/")
		w := walked{name: fields[0], slots: int(number(slots))}
		for _, f := range fields[1:] {
			at, said, _ := strings.Cut(f, ":")
			w.at, w.said = append(w.at, number(at)), append(w.said, number(said))
		}
		all = append(all, w)
	}
	return all
}

// TestETAOfCrawls tells what the band is worth of crawls by key ranges, whose fraction is
// a guess: read at 19 moments of walks of 100 s, how often it held the truth, of those
// that have one slot and of the others.
func TestETAOfCrawls(t *testing.T) {
	for _, one := range []bool{true, false} {
		var inside, early, late, known int
		var wide, off float64
		for _, w := range crawls(t) {
			if one != (w.slots == 1) {
				continue
			}
			var m Meter
			said := ""
			for s, next := 0.0, 5.0; s < 100; s += 0.25 {
				e := m.Observe(Snapshot{
					ranges: true, State: Running, At: noon.Add(time.Duration(s * 1e9)), Fraction: min(w.fractionAt(s/100), almost), Seconds: s, Slots: w.slots,
				}).ETA
				if s < next {
					continue
				}
				next += 5
				truth := 100 - s
				switch {
				case !e.Known:
					said += " –"
					continue
				case truth > e.High.Seconds():
					early++
					said += " early"
				case truth < e.Low.Seconds():
					late++
					said += " late"
				default:
					inside++
					said += " ."
				}
				known++
				wide += math.Log(max(e.High.Seconds(), 1) / max(e.Low.Seconds(), 1))
				off += math.Abs(math.Log(max(e.Left.Seconds(), 1) / max(truth, 1)))
			}
			t.Logf("%-11s%s", w.name, said)
		}
		part := func(n int) float64 { return float64(n) / float64(known) }
		t.Logf("one slot %v: of %d readings %.0f %% inside, %.0f %% too early, %.0f %% too late; high/low %.1f, guess off by a factor of %.2f",
			one, known, 100*part(inside), 100*part(early), 100*part(late), math.Exp(wide/float64(known)), math.Exp(off/float64(known)))
		if part(inside) < 0.9 || known < 50 {
			t.Errorf("one slot %v: %.2f of %d readings hold the truth, want 0.9", one, part(inside), known)
		}
	}
}
