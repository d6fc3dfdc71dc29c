package inventory

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"strings"
)

// maxRow bounds a line: a key of 1,024 bytes stays below it in any spelling.
const maxRow = 1 << 20

// rowReader is what a row is read from: a row that does not end would else be taken
// into memory whole.
type rowReader struct {
	r    io.Reader
	left int // bytes of this row, and of what is read ahead of the next
}

// ahead is the most bytes that are read at a time.
const ahead = 64 << 10

// next begins a row.
func (r *rowReader) next() { r.left = maxRow + ahead }

func (r *rowReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, fmt.Errorf("it is longer than %d bytes", maxRow)
	}
	n, err := r.r.Read(p[:min(len(p), ahead)])
	r.left -= n
	return n, err
}

func appendKey(b []byte, o *Object) []byte {
	key := o.Key
	if strings.IndexByte(key, '\\') < 0 && strings.IndexByte(key, '\n') < 0 && strings.IndexByte(key, '\r') < 0 {
		return append(append(b, key...), '\n') // as good as all
	}
	start := 0
	for i := range len(key) {
		var short byte
		switch key[i] {
		case '\\':
			short = '\\'
		case '\n':
			short = 'n'
		case '\r':
			short = 'r'
		default:
			continue
		}
		b = append(b, key[start:i]...)
		b = append(b, '\\', short)
		start = i + 1
	}
	b = append(b, key[start:]...)
	return append(b, '\n')
}

func readKeys(r io.Reader) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxRow)
		for lines.Scan() {
			key, err := unescapeKey(lines.Text())
			if !yield(Object{Key: key}, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Object{}, err)
		}
	}
}

func unescapeKey(line string) (string, error) {
	if strings.IndexByte(line, '\\') < 0 {
		return line, nil
	}
	key := make([]byte, 0, len(line))
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c == '\\' {
			i++
			switch {
			case i == len(line):
				return "", fmt.Errorf("line %q ends within an escape", line)
			case line[i] == '\\':
				c = '\\'
			case line[i] == 'n':
				c = '\n'
			case line[i] == 'r':
				c = '\r'
			default:
				return "", fmt.Errorf(`line %q has the escape \%c, want \\, \n or \r`, line, line[i])
			}
		}
		key = append(key, c)
	}
	return string(key), nil
}
