package graph

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxName is the longest name of a vertex, in bytes: a message carries some.
const maxName = 1024

// maxLine is the longest line of a list.
const maxLine = 1 << 20

// edges reads a list of edges: two vertices a line, separated by a comma, a tab or
// spaces, as its first line of data has them; further columns do not matter. Lines
// that are empty or begin with # or % do not count. A list whose name ends in .gz is
// decompressed. Errors name the file and the line.
type edges struct {
	name   string
	line   int
	header bool
	sep    byte // 0: not known yet
	quote  bool // errors may show what is in the list
}

func (e *edges) read(r io.Reader, edge func(a, b string) error) error {
	if strings.HasSuffix(e.name, ".gz") {
		z, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("read %s: %w", e.name, err)
		}
		r = z
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for lines.Scan() {
		e.line++
		text := strings.TrimSuffix(string(bytes.TrimPrefix(lines.Bytes(), e.mark())), "\r")
		if strings.TrimSpace(text) == "" || text[0] == '#' || text[0] == '%' {
			continue
		}
		if e.sep == 0 {
			e.sep = separator(text)
			if e.header {
				continue
			}
		}
		a, b, err := e.split(text)
		if err == nil {
			err = edge(a, b)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", e.name, e.line, err)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%s:%d: the line is longer than %d bytes", e.name, e.line+1, maxLine)
	} else if err != nil {
		return fmt.Errorf("read %s: %w", e.name, err)
	}
	return nil
}

// mark is the byte order mark that the first line may have.
func (e *edges) mark() []byte {
	if e.line == 1 {
		return []byte("\ufeff")
	}
	return nil
}

// separator is that of a line: a tab, a comma, or spaces.
func separator(line string) byte {
	for _, sep := range "\t," {
		if strings.ContainsRune(line, sep) {
			return byte(sep)
		}
	}
	return ' '
}

func (e *edges) split(line string) (a, b string, err error) {
	var fields []string
	switch {
	case e.sep == ' ':
		fields = strings.Fields(line)
	case e.sep == ',' && strings.Contains(line, `"`):
		r := csv.NewReader(strings.NewReader(line))
		r.TrimLeadingSpace = true
		if fields, err = r.Read(); err != nil {
			var wrong *csv.ParseError
			if errors.As(err, &wrong) {
				err = wrong.Err
			}
			return "", "", fmt.Errorf("the line is no CSV: %w", err)
		}
	default:
		fields = strings.SplitN(line, string(e.sep), 3)
	}
	if len(fields) < 2 {
		return "", "", fmt.Errorf("want two vertices with %s between them, got %s", between[e.sep], e.quoted(line))
	}
	a, b = strings.TrimSpace(fields[0]), strings.TrimSpace(fields[1])
	for _, name := range []string{a, b} {
		if err := e.checkName(name); err != nil {
			return "", "", err
		}
	}
	return a, b, nil
}

var between = map[byte]string{' ': "spaces", ',': "a comma", '\t': "a tab"}

func (e *edges) checkName(name string) error {
	switch {
	case name == "":
		return errors.New("want two vertices, and one has no name")
	case len(name) > maxName:
		return fmt.Errorf("vertex %s has a name of %d bytes, want at most %d", e.quoted(name), len(name), maxName)
	case !utf8.ValidString(name) || strings.ContainsAny(name, "\x00\n"):
		return fmt.Errorf("vertex %s: want a name in UTF-8, on one line", e.quoted(name))
	}
	return nil
}

// quoted is the beginning of a text, as an error shows it.
func (e *edges) quoted(text string) string {
	if !e.quote {
		return fmt.Sprintf("(%d bytes, not shown)", len(text))
	}
	if len(text) > 80 {
		text = text[:80] + "…"
	}
	return fmt.Sprintf("%q", text)
}
