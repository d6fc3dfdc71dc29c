package console

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"
)

// Terminal is where people read. It keeps a pane of one or more lines at the
// bottom of a terminal and prints whole lines above it. Where the writer is no
// terminal it prints, and has no pane. All methods may be called from many
// goroutines.
//
// It trusts what it is given: who writes cleans what comes from outside.
type Terminal struct {
	area    func() (width, height int) // nil: no terminal
	color   bool
	ascii   bool // it shows nothing else
	reflows bool // lines are wrapped anew when it is made narrower

	mu      sync.Mutex
	w       io.Writer
	partial []byte   // written, and not yet a whole line
	pane    []string // as it was asked for
	drawn   []string // as it stands there
	width   int      // of the terminal, when it was drawn
}

// NewTerminal takes a file, usually os.Stderr or os.Stdout. It is a terminal
// unless TERM is dumb, and coloured unless NO_COLOR is set (no-color.org).
func NewTerminal(f *os.File) *Terminal {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) || os.Getenv("TERM") == "dumb" {
		return &Terminal{w: f}
	}
	area := func() (width, height int) {
		w, h, err := term.GetSize(fd)
		if err != nil || w <= 0 || h <= 0 {
			return 80, 24
		}
		return w, h
	}
	return &Terminal{w: f, area: area, color: os.Getenv("NO_COLOR") == "", ascii: asciiHere(), reflows: reflowsHere()}
}

// reflowsHere reports whether the terminal wraps long lines anew when it is made
// narrower, as all do but xterm, screen, st and the consoles of Linux: these cut lines
// off. tmux does, wherever it runs.
func reflowsHere() bool {
	name := os.Getenv("TERM")
	if os.Getenv("TMUX") != "" {
		return true
	}
	return os.Getenv("XTERM_VERSION") == "" && os.Getenv("STY") == "" && name != "linux" && !strings.HasPrefix(name, "st-")
}

// TTY reports whether it is a terminal.
func (t *Terminal) TTY() bool { return t.area != nil }

// Write prints above the pane. A line that is not complete waits for its end.
func (t *Terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.TTY() {
		return t.w.Write(p)
	}
	t.partial = append(t.partial, p...)
	end := bytes.LastIndexByte(t.partial, '\n') + 1
	if end == 0 {
		return len(p), nil
	}
	var b bytes.Buffer
	t.erase(&b)
	b.Write(t.partial[:end])
	t.draw(&b)
	t.partial = append(t.partial[:0], t.partial[end:]...)
	if _, err := t.w.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Show draws the pane anew, in one write, over what it was; no lines clear it.
// It is cut to the size of the terminal.
func (t *Terminal) Show(lines ...string) {
	if !t.TTY() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// Lines that have scrolled away cannot be drawn over.
	if _, height := t.area(); len(lines) > height-1 {
		lines = lines[:max(height-1, 1)]
	}
	var b bytes.Buffer
	if len(lines) < len(t.pane) {
		t.erase(&b)
	} else {
		t.top(&b)
	}
	t.pane = append(t.pane[:0], lines...)
	t.draw(&b)
	_, _ = t.w.Write(b.Bytes()) // there is nobody to tell
}

// Keep leaves the pane as it stands, as if it had been printed, and begins
// another below it.
func (t *Terminal) Keep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pane) > 0 {
		t.pane, t.drawn = nil, nil
		_, _ = io.WriteString(t.w, "\n")
	}
}

// top goes to the beginning of the pane; the cursor rests at its end. Where the width
// has changed since it was drawn lines may take more rows than they did, and nothing is
// drawn over what is left of them: it is erased.
//
// Source: ECMA-48: CUU, EL, ED.
func (t *Terminal) top(b *bytes.Buffer) {
	width, _ := t.area()
	resized := len(t.drawn) > 0 && width != t.width
	rows := len(t.drawn)
	if resized && t.reflows {
		rows = 0
		for _, line := range t.drawn {
			rows += wrapped(line, width)
		}
	}
	b.WriteByte('\r')
	for range rows - 1 {
		b.WriteString("\x1b[A")
	}
	if resized {
		b.WriteString("\x1b[J")
	}
}

// wrapped is how many rows a line takes in a terminal of that width.
func wrapped(line string, width int) int {
	rows, at := 1, 0
	for _, r := range unstyled(line) {
		n := columnsOf(r)
		if at+n > width {
			rows, at = rows+1, 0
		}
		at += n
	}
	return rows
}

func (t *Terminal) erase(b *bytes.Buffer) {
	if len(t.pane) > 0 {
		t.top(b)
		b.WriteString("\x1b[J")
	}
}

// draw writes the lines over what stands there, and erases only what is left of
// that: a line that is never empty does not flicker. The last column stays free,
// since some terminals wrap when it is written.
func (t *Terminal) draw(b *bytes.Buffer) {
	t.width, _ = t.area()
	t.drawn = t.drawn[:0]
	for i, line := range t.pane {
		if i > 0 {
			b.WriteByte('\n')
		}
		if t.ascii {
			line = toASCII(cut(toASCII(line), t.width-1))
		} else {
			line = cut(line, t.width-1)
		}
		t.drawn = append(t.drawn, line)
		b.WriteString(line)
		b.WriteString("\x1b[K")
	}
}

// style is a Select Graphic Rendition of ECMA-48.
type style string

const (
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	yellow style = "33"
	cyan   style = "36"
)

// paint colours text where there are colours.
func (t *Terminal) paint(s string, how style) string {
	if !t.color || s == "" {
		return s
	}
	return "\x1b[" + string(how) + "m" + s + "\x1b[0m"
}

// cut shortens text to a number of columns, the last of which says that it was.
// Colours of ours have no width.
func cut(s string, width int) string {
	if columns(unstyled(s)) <= width {
		return s
	}
	var b strings.Builder
	n := 0
	for s != "" {
		if code, after, ok := strings.Cut(s, "m"); ok && strings.HasPrefix(s, "\x1b[") {
			b.WriteString(code + "m")
			s = after
			continue
		}
		r, bytes := utf8.DecodeRuneInString(s)
		if n += columnsOf(r); n > width-1 {
			break
		}
		b.WriteString(s[:bytes])
		s = s[bytes:]
	}
	b.WriteString("…")
	if strings.Contains(b.String(), "\x1b[") {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

// unstyled is text without its colours.
func unstyled(s string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		_, s, _ = strings.Cut(after, "m")
	}
}
