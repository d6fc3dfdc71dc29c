package bench

import (
	"bufio"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/bench/figures"
)

func resultOf(name string, lists int64, walls ...time.Duration) result {
	r := result{name: name, about: "about " + name}
	for _, w := range walls {
		r.laps = append(r.laps, lap{used: figures.Used{Wall: w, User: w / 2, RSS: 64 << 20}, asked: figures.Counts{Lists: lists}})
	}
	return r
}

func TestMediansAndRanges(t *testing.T) {
	require.Equal(t, spread{1, 2, 9}, spreadOf([]float64{9, 1, 2}))
	require.Equal(t, spread{1, 2.5, 9}, spreadOf([]float64{9, 1, 2, 3}))
	require.Equal(t, "2.00 (1.00–9.00)", spread{1, 2, 9}.text(2))
	require.Equal(t, "2", spread{1.9, 2, 2.1}.text(0))
	require.Zero(t, spreadOf(nil))
}

func TestATableSaysWhoFailed(t *testing.T) {
	failed := resultOf("other", 0)
	failed.wrong = errors.New("exit code 1\nsaid | something")
	got := table("title", []result{resultOf("ramify", 100, time.Second, 3*time.Second), resultOf("peer", 7, 20*time.Second), failed})
	require.Contains(t, got, "| ramify | 2 | 2.00 (1.00–3.00) | 1.0 | 1.00 (0.50–1.50) | 1.0 | 64 | 100 |")
	require.Contains(t, got, "| peer | 1 | 20.00 | 10.0 |")
	require.Contains(t, got, "| other | 0 | failed: exit code 1 said / something |")
}

func TestBoundsAndGoals(t *testing.T) {
	us := resultOf("ramify", 2051, 2*time.Second)
	i := ideal{pages: 1656, wire: 776250 * time.Microsecond, cpu: 200 * time.Millisecond}
	lines := strings.Join(bounds(&us, i, 30*time.Millisecond), "\n")
	require.Contains(t, lines, "met: LISTs: 2051, 1.24 × ⌈keys/1000⌉; at most 1.2 × 1656 + 64 = 2051")
	require.Contains(t, lines, "**not met**: wall: 2.00 s; at most 2 × ideal + 10 round trips = 1.85 s")
	require.Contains(t, strings.Join(bounds(&us, i, 0), "\n"), "the ideal being 0.78 s")

	field := []result{us, resultOf("s3ls", 1, 12*time.Second), resultOf("s5cmd", 1, 79*time.Second)}
	lines = strings.Join(ratios("debian", 30*time.Millisecond, &us, field), "\n")
	require.Contains(t, lines, "met: s3ls takes 6.0 × as long; at least 6 ×")
	require.Contains(t, lines, "**not met**: s5cmd takes 39.5 × as long; at least 40 ×")
	require.Contains(t, strings.Join(ratios("debian", 0, &us, field), "\n"), "met: s3ls takes 6.0 × the CPU; at least 5 ×")
	require.Empty(t, ratios("chain", 0, &us, field))
}

func TestLinesKeepCarriageReturns(t *testing.T) {
	lines := bufio.NewScanner(strings.NewReader("a\r\n\nb"))
	lines.Split(scanLines)
	var got []string
	for lines.Scan() {
		got = append(got, lines.Text())
	}
	require.Equal(t, []string{"a\r", "", "b"}, got)
}
