package integration

import (
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// seenScreen is what a person sees of a terminal, as far as ours is used, and the commands
// that it was sent.
type seenScreen struct {
	mu       sync.Mutex
	width    int
	rows     [][]rune
	row, col int
	raw      strings.Builder
	odd      []string      // commands that it does not know
	overflow bool          // a line was written up to its last column: some terminals wrap then
	turn     chan struct{} // closed, and made anew, with each change
	left     string        // of a command or a rune that is not yet whole
}

// Write implements io.Writer.
//
// Source: ECMA-48: CUU, EL, ED, SGR.
func (s *seenScreen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw.Write(p)
	text := s.left + string(p)
	for text != "" {
		for len(s.rows) <= s.row {
			s.rows = append(s.rows, nil)
		}
		line := &s.rows[s.row]
		switch text[0] {
		case '\r':
			s.col, text = 0, text[1:]
			continue
		case '\n':
			s.row, text = s.row+1, text[1:]
			continue
		case '\x1b':
			end := strings.IndexFunc(text[1:], func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' })
			if end < 0 {
				break // the rest is still to come
			}
			code := text[1 : end+2]
			text = text[end+2:]
			switch {
			case code == "[A":
				s.row = max(s.row-1, 0)
			case code == "[K":
				*line = (*line)[:min(s.col, len(*line))]
			case code == "[J":
				*line = (*line)[:min(s.col, len(*line))]
				s.rows = s.rows[:s.row+1]
			case strings.HasPrefix(code, "[") && strings.HasSuffix(code, "m"):
			default:
				s.odd = append(s.odd, code)
			}
			continue
		default:
			r, size := []rune(text)[0], len(string([]rune(text)[0]))
			if r == '\ufffd' && len(text) < 4 {
				break
			}
			text = text[size:]
			for len(*line) <= s.col {
				*line = append(*line, ' ')
			}
			(*line)[s.col] = r
			if s.col++; s.col >= s.width {
				s.overflow = true
			}
			continue
		}
		break
	}
	s.left = text
	close(s.turn)
	s.turn = make(chan struct{})
	return len(p), nil
}

// lines are what can be read.
func (s *seenScreen) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]string, len(s.rows))
	for i, r := range s.rows {
		all[i] = strings.TrimRight(string(r), " ")
	}
	return all
}

// until waits until what can be read is as it should be.
func (s *seenScreen) until(t *testing.T, what string, ok func(lines []string) bool) []string {
	t.Helper()
	over := time.After(deadline)
	for {
		s.mu.Lock()
		turn := s.turn
		s.mu.Unlock()
		lines := s.lines()
		if ok(lines) {
			return lines
		}
		select {
		case <-turn:
		case <-over:
			t.Fatalf("%s: not in %v; the screen is\n%s", what, deadline, strings.Join(lines, "\n"))
		}
	}
}

// resize makes the terminal that wide.
func (s *seenScreen) resize(t *testing.T, screen *os.File, width int) {
	t.Helper()
	s.mu.Lock()
	s.width = width
	s.mu.Unlock()
	if err := pty.Setsize(screen, &pty.Winsize{Rows: 40, Cols: uint16(width)}); err != nil {
		t.Fatal(err)
	}
}

// figure is that of a row.
func figure(lines []string, name string) (row int, value string) {
	row = slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+" ") })
	if row < 0 {
		return row, ""
	}
	return row, strings.Fields(lines[row])[1]
}

func nodesOf(lines []string) int {
	_, text := figure(lines, "nodes")
	n, _ := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
	return n
}

// TestWatchOnATerminal follows a run on a real terminal: figures are refreshed where they
// stand, there is a chart, all fits into what the terminal is made to be, and Ctrl-C leaves
// the run and the terminal as they were.
func TestWatchOnATerminal(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	run := u.start(t, "run", treeOf(10, 5, `,"work":"20ms"`), "--run", "long", "--inline", "0", "--concurrency", "1")
	u.awaitRun(t, "long")

	reader, screen := terminal(t)
	s := &seenScreen{turn: make(chan struct{})}
	s.resize(t, screen, 40)
	before, err := term.GetState(int(screen.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		buffer := make([]byte, 4096)
		for {
			n, err := reader.Read(buffer)
			if _, _ = s.Write(buffer[:n]); err != nil {
				return // the terminal is closed
			}
		}
	}()
	watch := u.with("LANG=C.UTF-8", "TERM=xterm").command("watch", "long")
	p := &process{cmd: watch, stdout: newTranscript(), stderr: newTranscript(), done: make(chan struct{})}
	watch.Stdin, watch.Stdout, watch.Stderr = screen, screen, screen
	watch.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p.begin(t)

	const chart = "a second over "
	drawn := func(lines []string) bool {
		head := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, chart) })
		return head > 0 && head+1 < len(lines) && slices.ContainsFunc(lines[head+1:], func(l string) bool { return strings.ContainsAny(l, "▁▂▃▄▅▆▇█") })
	}
	first := s.until(t, "a chart of 40 columns", drawn)
	where, _ := figure(first, "nodes")
	again := s.until(t, "more nodes", func(lines []string) bool { return nodesOf(lines) > nodesOf(first) && drawn(lines) })
	if now, _ := figure(again, "nodes"); now != where {
		t.Errorf("nodes were in line %d and are in %d: it is not refreshed in place\n%s", where, now, strings.Join(again, "\n"))
	}
	if n := strings.Count("\n"+strings.Join(again, "\n"), "\nrun "); n != 1 {
		t.Errorf("the run is there %d times\n%s", n, strings.Join(again, "\n"))
	}
	s.mu.Lock()
	if s.overflow {
		t.Errorf("a line is wider than the terminal: some wrap then\n%s", strings.Join(again, "\n"))
	}
	s.mu.Unlock()
	wider := func(lines []string) int {
		widest := 0
		for _, l := range lines {
			widest = max(widest, len([]rune(l)))
		}
		return widest
	}
	s.resize(t, screen, 200)
	s.until(t, "what needs room", func(lines []string) bool { return wider(lines) > 60 && drawn(lines) })
	s.resize(t, screen, 40)
	s.until(t, "all in 40 columns again", func(lines []string) bool { return wider(lines) < 40 && drawn(lines) })

	if _, err := reader.WriteString("\x03"); err != nil { // the terminal makes SIGINT of it
		t.Fatal(err)
	}
	p.wait(t).requireCode(t, 0)
	after, err := term.GetState(int(screen.Fd()))
	if err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("the terminal was %v and is %v, %v", before, after, err)
	}
	_ = screen.Close()
	<-read
	last := s.lines()
	if _, state := figure(last, "state"); state != "running" || nodesOf(last) < nodesOf(again) {
		t.Errorf("the last figures do not stay:\n%s", strings.Join(last, "\n"))
	}
	if s.row < len(last) && last[s.row] != "" || s.col != 0 {
		t.Errorf("the cursor is at %d, %d of %d lines: the shell's prompt would be in the figures", s.row, s.col, len(last))
	}
	// The cursor was never hidden, no mode set, no other screen shown: there is nothing to undo.
	if len(s.odd) > 0 || strings.Contains(s.raw.String(), "\x1b[?") {
		t.Errorf("it was sent %q", s.odd)
	}
	if !run.running() {
		t.Error("the run has ended")
	}
}

// awaitRun waits until a run of this machine can be looked at.
func (u *user) awaitRun(t *testing.T, name string) {
	t.Helper()
	for over := time.Now().Add(deadline); time.Now().Before(over); {
		if r := u.run(t, "status", name, "--json"); r.code == 0 {
			return
		}
	}
	t.Fatalf("run %s was not begun in %v", name, deadline)
}
