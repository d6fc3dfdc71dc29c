package console

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/ledger"
)

func sequence(err error, failures ...ledger.Failure) iter.Seq2[ledger.Failure, error] {
	return func(yield func(ledger.Failure, error) bool) {
		for _, f := range failures {
			if !yield(f, nil) {
				return
			}
		}
		if err != nil {
			yield(ledger.Failure{}, err)
		}
	}
}

func aFailure(id, kind string, depth int, reason string) ledger.Failure {
	return ledger.Failure{Kid: ledger.Kid{ID: id, Kind: kind}, Depth: depth, Reason: reason}
}

var three = []ledger.Failure{
	aFailure("s3://b/日本/", "s3.crawl", 3, "list: access denied"),
	aFailure("s3://b/"+strings.Repeat("x", 70)+"/", "s3.crawl", 12, "list: 503 SlowDown\nretry later"),
	aFailure("job\x1b[2J", "command", 0, "exit status 1"),
}

func init() {
	three[0].Attempts, three[0].At = 6, time.Date(2026, 11, 26, 10, 30, 1, 250e6, time.FixedZone("", 3600))
	three[2].Attempts = 1
}

func TestFailuresAsText(t *testing.T) {
	var b bytes.Buffer
	n, err := WriteFailures(&b, sequence(nil, three...))
	if n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	same(t, b.String(), `depth  kind      attempts  given up, UTC        node                                                          reason
    3  s3.crawl         6  2026-11-26 09:30:01  s3://b/日本/                                                  list: access denied
   12  s3.crawl         –  –                    s3://b/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/  list: 503 SlowDown\nretry later
    0  command          1  –                    job\x1b[2J                                                    exit status 1
`)
}

func TestNoFailures(t *testing.T) {
	var text, lines bytes.Buffer
	if n, err := WriteFailures(&text, sequence(nil)); n != 0 || err != nil || text.Len() != 0 {
		t.Errorf("%d, %v, %q", n, err, text.String())
	}
	if n, err := WriteFailuresJSON(&lines, sequence(nil)); n != 0 || err != nil || lines.Len() != 0 {
		t.Errorf("%d, %v, %q", n, err, lines.String())
	}
}

func TestFailuresAsJSON(t *testing.T) {
	var b bytes.Buffer
	if n, err := WriteFailuresJSON(&b, sequence(nil, three[0], three[2])); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	same(t, b.String(), `{"id":"s3://b/日本/","kind":"s3.crawl","depth":3,"reason":"list: access denied","attempts":6,"at":"2026-11-26T09:30:01.25Z"}
{"id":"job\u001b[2J","kind":"command","depth":0,"reason":"exit status 1","attempts":1}
`)
}

type lineCounter struct {
	text  []byte
	lines int
}

func (c *lineCounter) Write(p []byte) (int, error) {
	c.lines += bytes.Count(p, []byte("\n"))
	c.text = append(c.text, p...)
	return len(p), nil
}

// TestManyFailuresAreWrittenAsTheyCome: the table does not wait for the last one.
func TestManyFailuresAreWrittenAsTheyCome(t *testing.T) {
	var b lineCounter
	most := 0
	n, err := WriteFailures(&b, func(yield func(ledger.Failure, error) bool) {
		for i := range 10_000 {
			if !yield(aFailure(fmt.Sprintf("node-%d", i), "k", i, "r"), nil) {
				return
			}
			most = max(most, i+1-b.lines)
		}
	})
	lines := strings.Split(strings.TrimSuffix(string(b.text), "\n"), "\n")
	if n != 10_000 || err != nil || len(lines) != 10_001 || strings.Count(string(b.text), "reason") != 1 {
		t.Errorf("%d, %v, %d lines", n, err, len(lines))
	}
	if most >= page {
		t.Errorf("%d failures were held back, want fewer than %d", most, page)
	}
	same(t, lines[10_000], "9,999  k            –  –              node-9999  r")
}

func TestFailuresEndWithTheError(t *testing.T) {
	broken := errors.New("read plans: throttled")
	var text, lines bytes.Buffer
	if n, err := WriteFailures(&text, sequence(broken, three...)); n != 3 || !errors.Is(err, broken) || strings.Count(text.String(), "\n") != 4 {
		t.Errorf("%d, %v, %q", n, err, text.String())
	}
	if n, err := WriteFailuresJSON(&lines, sequence(broken, three...)); n != 3 || !errors.Is(err, broken) || strings.Count(lines.String(), "\n") != 3 {
		t.Errorf("%d, %v, %q", n, err, lines.String())
	}
	full := errors.New("no space left")
	if _, err := WriteFailures(broke{full}, sequence(nil, three...)); !errors.Is(err, full) {
		t.Errorf("error is %v", err)
	}
	if n, err := WriteFailuresJSON(broke{full}, sequence(nil, three...)); n != 0 || !errors.Is(err, full) {
		t.Errorf("%d, %v", n, err)
	}
}

// broke is a medium that is full.
type broke struct{ err error }

func (b broke) Write([]byte) (int, error) { return 0, b.err }
