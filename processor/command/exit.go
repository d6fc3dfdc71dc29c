package command

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ExitError is why an attempt failed whose program was run: how it ended, and what
// it said.
type ExitError struct {
	Job            string
	Code           int           // of its exit; -1 where a signal ended it
	Signal         string        // that ended it
	Timeout        bool          // it took longer than Limit
	Limit          time.Duration // of the job
	Stdout, Stderr string        // the beginning and the end, as much as the job keeps
}

// excerpt is how many bytes of what a program said stand in an error: the ledger
// and the dead-letter queue keep a thousand of the whole.
const excerpt = 700

// Error implements error: in one line what people look for first.
func (f *ExitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "run job %s: ", f.Job)
	switch {
	case f.Timeout:
		fmt.Fprintf(&b, "it took longer than its timeout, %v", f.Limit)
	case f.Code < 0:
		fmt.Fprintf(&b, "ended by signal %s", f.Signal)
	default:
		fmt.Fprintf(&b, "exit code %d", f.Code)
	}
	said := strings.TrimSpace(f.Stderr)
	if said == "" {
		said = strings.TrimSpace(f.Stdout)
	}
	if said != "" {
		b.WriteString(": " + Middle(printable(said), excerpt))
	}
	return b.String()
}

// printable is a text without what commands a terminal, or no log and no message can
// carry: NUL and other control characters, and bytes that are no UTF-8. Ends of lines
// and tabs stay.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r != utf8.RuneError && unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

// Middle is a text with its middle left out, in about so many bytes. The end has
// more than the beginning: that is where programs say what they failed of.
func Middle(s string, most int) string {
	if len(s) <= most {
		return s
	}
	head, tail := s[:most/3], s[len(s)-2*most/3:]
	return strings.ToValidUTF8(head, "") + fmt.Sprintf(" [… %d bytes …] ", len(s)-len(head)-len(tail)) + strings.ToValidUTF8(tail, "")
}
