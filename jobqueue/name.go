package jobqueue

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// fifo ends the names of FIFO queues. Source: Amazon SQS Developer Guide, "Amazon
// SQS queue and message identifiers".
const fifo = ".fifo"

// Names turn what people type into names of queues.
type Names struct {
	Prefix     string // of all queues
	FailSuffix string // of failed queues, before .fifo
	FIFO       bool   // all queues are FIFO queues
}

// The defaults. Those of qdone are for --compat qdone.
const (
	DefaultPrefix = "ramify_"
	QdonePrefix   = "qdone_"
)

const (
	maxName  = 80
	wildcard = "*"

	// What is wanted, as errors say it.
	wantText    = "letters, digits, - and _"
	wantName    = "1 to 80 " + wantText + ", the prefix included"
	wantPattern = wantName + ", or the beginning of a name and *"
)

var nameText = regexp.MustCompile(`^[A-Za-z0-9_-]*$`)

// Check says what is wrong with prefix and suffix.
func (n Names) Check() error {
	switch {
	case !nameText.MatchString(n.Prefix):
		return fmt.Errorf("prefix %q: want %s", n.Prefix, wantText)
	case !nameText.MatchString(n.FailSuffix):
		return fmt.Errorf("suffix %q: want %s", n.FailSuffix, wantText)
	case n.FailSuffix == "":
		return errors.New("suffix is empty: failed queues need a suffix")
	}
	return nil
}

// Whole is the name of the queue that somebody types, with prefix and .fifo.
func (n Names) Whole(typed string) (string, error) {
	base := strings.TrimSuffix(typed, fifo)
	if n.FIFO || base != typed {
		base += fifo
	}
	whole := n.Prefix + base
	text := strings.TrimSuffix(whole, fifo)
	if typed == "" || strings.TrimSuffix(typed, fifo) == "" || !nameText.MatchString(text) || len(whole) > maxName {
		return "", fmt.Errorf("queue %q: want %s", typed, wantName)
	}
	return whole, nil
}

// Pattern is a pattern that somebody types, for Queues.Find.
func (n Names) Pattern(typed string) (string, error) {
	begin, star := strings.CutSuffix(typed, wildcard)
	if !star {
		return n.Whole(typed)
	}
	if !nameText.MatchString(begin) || len(n.Prefix+begin) > maxName {
		return "", fmt.Errorf("queues %q: want %s", typed, wantPattern)
	}
	return n.Prefix + begin + wildcard, nil
}

// IsPattern reports whether a pattern has a star.
func IsPattern(pattern string) bool { return strings.HasSuffix(pattern, wildcard) }

// Matches reports whether a name is one that a pattern names.
func Matches(pattern, name string) bool {
	begin, star := strings.CutSuffix(pattern, wildcard)
	return name == pattern || star && strings.HasPrefix(name, begin)
}

// Short is a whole name as people type it.
func (n Names) Short(whole string) string { return strings.TrimPrefix(whole, n.Prefix) }

// Failed is the failed queue of a queue; of a failed queue it is the queue itself.
func (n Names) Failed(whole string) string {
	base := strings.TrimSuffix(whole, fifo)
	ending := whole[len(base):]
	return strings.TrimSuffix(base, n.FailSuffix) + n.FailSuffix + ending
}

// isFailed reports whether a queue is a failed queue.
func (n Names) isFailed(whole string) bool { return n.Failed(whole) == whole }

// Main is the queue of a failed queue.
func (n Names) Main(whole string) string {
	base := strings.TrimSuffix(whole, fifo)
	return strings.TrimSuffix(base, n.FailSuffix) + whole[len(base):]
}

// IsFIFO reports whether a queue is a FIFO queue.
func IsFIFO(whole string) bool { return strings.HasSuffix(whole, fifo) }

// listens reports whether a queue that a pattern has found is wanted: qdone listens to
// FIFO queues only where it is told so.
func (n Names) listens(whole string) bool { return !n.FIFO || IsFIFO(whole) }
