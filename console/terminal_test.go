package console

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// screen is a terminal as far as ours is used: it keeps what stands on it.
type screen struct {
	width, height int

	mu       sync.Mutex
	rows     [][]rune
	row, col int
	writes   int
	blanked  int // how often something that stood there was erased by ED
}

func newScreen(width int) (*screen, *Terminal) {
	s := &screen{width: width, height: 24}
	area := func() (int, int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.width, s.height
	}
	return s, &Terminal{w: s, area: area}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	text := []rune(string(p))
	for i := 0; i < len(text); i++ {
		for len(s.rows) <= s.row {
			s.rows = append(s.rows, nil)
		}
		line := &s.rows[s.row]
		switch rest := string(text[i:min(i+3, len(text))]); {
		case rest == "\x1b[A":
			s.row = max(s.row-1, 0)
			i += 2
		case rest == "\x1b[K":
			*line = (*line)[:min(s.col, len(*line))]
			i += 2
		case rest == "\x1b[J":
			if len(*line) > s.col {
				s.blanked++
			}
			*line = (*line)[:min(s.col, len(*line))]
			s.rows = s.rows[:s.row+1]
			i += 2
		case text[i] == '\r':
			s.col = 0
		case text[i] == '\n':
			s.row, s.col = s.row+1, 0
		case text[i] == '\x1b':
			panic(fmt.Sprintf("unknown command %q", string(text[i:])))
		default:
			for len(*line) <= s.col {
				*line = append(*line, ' ')
			}
			(*line)[s.col] = text[i]
			if s.col++; s.col >= s.width {
				panic("the last column was written: some terminals wrap")
			}
		}
	}
	return len(p), nil
}

// lines are what a person sees.
func (s *screen) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, r := range s.rows {
		lines = append(lines, strings.TrimRight(string(r), " "))
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func (s *screen) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := s.lines(); !slices.Equal(got, want) {
		t.Errorf("the screen has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPaneIsRedrawnInPlaceBelowWhatIsPrinted(t *testing.T) {
	s, term := newScreen(20)
	fmt.Fprintln(term, "first")
	term.Show("10%")
	s.expect(t, "first", "10%")
	term.Show("20% and more")
	term.Show("30%")
	s.expect(t, "first", "30%")
	fmt.Fprintln(term, "second")
	s.expect(t, "first", "second", "30%")
	fmt.Fprint(term, "thi")
	s.expect(t, "first", "second", "30%")
	fmt.Fprint(term, "rd\nfourth\n")
	s.expect(t, "first", "second", "third", "fourth", "30%")
	term.Show()
	s.expect(t, "first", "second", "third", "fourth")
	fmt.Fprintln(term, "last")
	s.expect(t, "first", "second", "third", "fourth", "last")
}

func TestPaneOfSeveralLines(t *testing.T) {
	s, term := newScreen(20)
	term.Show("a", "b", "c")
	fmt.Fprintln(term, "log")
	s.expect(t, "log", "a", "b", "c")
	term.Show("d", "e", "f")
	s.expect(t, "log", "d", "e", "f")
	term.Show("g")
	s.expect(t, "log", "g")
	term.Show("h", "i")
	s.expect(t, "log", "h", "i")
	term.Keep()
	term.Keep()
	fmt.Fprintln(term, "after")
	s.expect(t, "log", "h", "i", "after")
}

func TestPaneIsCutToTheTerminal(t *testing.T) {
	s, term := newScreen(10)
	s.height = 3
	term.Show("0123456789", "日本日本日", "gone")
	s.expect(t, "01234567…", "日本日本…")
	s.width = 20
	term.Show("0123456789")
	s.expect(t, "0123456789")
}

// reflow makes the screen that wide as most terminals do: a line that is too long is
// wrapped, and the cursor stays where it was in the text.
func (s *screen) reflow(width int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.width = width
	var rows [][]rune
	row, col := 0, s.col
	for i, line := range s.rows {
		from := len(rows)
		for len(line) > width {
			rows, line = append(rows, line[:width:width]), line[width:]
		}
		rows = append(rows, line)
		if i == s.row {
			row, col = min(from+s.col/width, len(rows)-1), s.col%width
		}
	}
	s.rows, s.row, s.col = rows, row, col
}

// However a terminal takes it to be made narrower: what was printed above the pane stays,
// and of the pane as it was nothing.
func TestPaneOfATerminalThatIsMadeNarrower(t *testing.T) {
	wide := []string{"a " + strings.Repeat("x", 30), "b", "c " + strings.Repeat("y", 36)}
	for _, reflows := range []bool{false, true} {
		for _, next := range [][]string{{"d", "e", "f"}, {"d"}, {}, {"d", "e", "f", "g"}} {
			s, term := newScreen(40)
			term.reflows = reflows
			resize := func(width int) { s.width = width }
			if reflows {
				resize = s.reflow
			}
			fmt.Fprintln(term, "above")
			term.Show(wide...)
			resize(10)
			term.Show(next...)
			s.expect(t, append([]string{"above"}, next...)...)
			resize(40)
			term.Show(wide...)
			s.expect(t, append([]string{"above"}, wide...)...)
			resize(10)
			fmt.Fprintln(term, "log")
			if lines := s.lines(); len(lines) != 5 || lines[0] != "above" || lines[1] != "log" {
				t.Errorf("reflows %v: the screen has\n%s", reflows, strings.Join(lines, "\n"))
			}
		}
	}
}

func TestPaneDoesNotFlicker(t *testing.T) {
	s, term := newScreen(40)
	for i := range 100 {
		term.Show(strings.Repeat("x", 1+i%30), "y")
	}
	if s.writes != 100 || s.blanked != 0 {
		t.Errorf("%d writes for 100 drawings, and %d of them erased a line before it was drawn", s.writes, s.blanked)
	}
}

func TestWithoutATerminalThereIsNoPane(t *testing.T) {
	var b bytes.Buffer
	term := &Terminal{w: &b}
	term.Show("pane")
	fmt.Fprint(term, "par")
	fmt.Fprint(term, "tial")
	term.Keep()
	term.Show()
	if b.String() != "partial" || term.TTY() {
		t.Errorf("wrote %q", b.String())
	}
}

func TestAPipeIsNoTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if NewTerminal(w).TTY() {
		t.Error("a pipe was taken for a terminal")
	}
}
