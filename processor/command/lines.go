package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// maxLine is the most bytes of one line: more than a child can have, whose args
// have at most 256 KiB.
const maxLine = 1 << 20

// rowBlock is how many bytes of rows are written at a time.
const rowBlock = 64 << 10

// lines takes what a program says of its node.
type lines struct {
	t    *task
	out  processor.Out
	n    int // of the line
	rows []byte
	in   int // rows in it
}

// line is one of them: an object with one field.
type line struct {
	Child *revealed       `json:"child"`
	Row   json.RawMessage `json:"row"`
	Count *count          `json:"count"`
}

type count struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// revealed is a child: of a job, this one if none is named, or of any kind.
type revealed struct {
	Job    string      `json:"job"`
	Params params      `json:"params"`
	Kind   string      `json:"kind"`
	ID     string      `json:"id"`
	Args   schema.Args `json:"args"`
	Weight uint32      `json:"weight"`
}

// take takes one line. An error that the program is to blame for names the line,
// and no retry mends it.
func (l *lines) take(text []byte) error {
	l.n++
	err := l.line(text)
	var mine malformed
	if errors.As(err, &mine) {
		return processor.Permanent(fmt.Errorf("line %d of what it said is %q: %w", l.n, shortened(text, 80), mine.error))
	}
	return err
}

// malformed is what is wrong with a line.
type malformed struct{ error }

func (m malformed) Unwrap() error { return m.error }

func (l *lines) line(text []byte) error {
	text = trim(text)
	if len(text) == 0 {
		return nil
	}
	var is line
	switch {
	case !utf8.Valid(text):
		return malformed{errors.New("it is not UTF-8")}
	case text[0] != '{':
		return malformed{errors.New(`it is no JSON object; want {"child": …}, {"row": …} or {"count": …}`)}
	}
	if err := decode(text, &is); err != nil {
		return malformed{err}
	}
	said := 0
	for _, given := range []bool{is.Child != nil, is.Row != nil, is.Count != nil} {
		if given {
			said++
		}
	}
	switch {
	case said != 1:
		return malformed{errors.New(`want one of {"child": …}, {"row": …} and {"count": …}`)}
	case is.Child != nil:
		return l.child(is.Child)
	case is.Row != nil:
		return l.row(is.Row)
	}
	if is.Count.Objects < 0 || is.Count.Bytes < 0 {
		return malformed{errors.New("a count is 0 or more")}
	}
	l.out.Count(is.Count.Objects, is.Count.Bytes)
	return nil
}

func (l *lines) child(c *revealed) error {
	made, err := l.made(c)
	if err != nil {
		return malformed{err}
	}
	if c.ID != "" {
		made.ID = c.ID
	}
	made.Weight = c.Weight
	if err := l.out.Child(made); err != nil {
		if processor.IsPermanent(err) {
			return malformed{err}
		}
		return err
	}
	return nil
}

func (l *lines) made(c *revealed) (processor.Child, error) {
	byKind := c.Kind != "" || len(c.Args) > 0
	switch {
	case byKind && (c.Job != "" || c.Params != nil):
		return processor.Child{}, errors.New("a child has job and params, or kind and args, and not both")
	case byKind && c.Kind == "":
		return processor.Child{}, errors.New("a child with args has a kind")
	case byKind:
		return processor.Child{Kind: c.Kind, Args: c.Args}, nil
	}
	job := c.Job
	if job == "" {
		job = l.t.job.Name
	}
	// Here and not where the child is processed: the program that made the mistake
	// is the one to name.
	return Root(l.t.o.Jobs, job, c.Params)
}

func (l *lines) row(row json.RawMessage) error {
	if row[0] != '{' {
		return malformed{errors.New("a row is an object")}
	}
	l.rows = append(append(l.rows, row...), '\n')
	l.in++
	if len(l.rows) < rowBlock {
		return nil
	}
	return l.flush()
}

func (l *lines) flush() error {
	err := l.out.Write(sink.Rows, l.rows, l.in)
	l.rows, l.in = l.rows[:0], 0
	return err
}

// end writes what is left, and where there was none writes no rows: all attempts
// must write, or none.
func (l *lines) end() error { return l.flush() }

// trim cuts off white space.
func trim(text []byte) []byte {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\t' || text[0] == '\r') {
		text = text[1:]
	}
	for len(text) > 0 && (text[len(text)-1] == ' ' || text[len(text)-1] == '\t' || text[len(text)-1] == '\r') {
		text = text[:len(text)-1]
	}
	return text
}

// tooLong is the error of a line without an end.
func (l *lines) tooLong() error {
	return processor.Permanent(fmt.Errorf("line %d of what it said has more than %d bytes", l.n+1, maxLine))
}

// shortened is a text for an error, in at most so many bytes.
func shortened(text []byte, most int) string {
	if len(text) <= most {
		return string(text)
	}
	return string(text[:most]) + "…"
}
