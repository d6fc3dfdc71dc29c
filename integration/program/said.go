package program

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// Shortened is the beginning and the end of a long text.
func Shortened(s string) string {
	const most = 4000
	if len(s) <= most {
		return s
	}
	return s[:most/2] + "\n[…]\n" + s[len(s)-most/2:]
}

// News tells those who wait that something has changed.
type News struct {
	mu   sync.Mutex
	next chan struct{}
}

// NewNews is news of which nothing was told yet.
func NewNews() *News { return &News{next: make(chan struct{})} }

// Tell tells that something has changed.
func (n *News) Tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.next)
	n.next = make(chan struct{})
}

// Coming is closed at the next news.
func (n *News) Coming() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.next
}

// Until waits, from news to news, until ok holds.
func (n *News) Until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	over := time.After(Patience)
	for {
		next := n.Coming()
		if ok() {
			return
		}
		select {
		case <-next:
		case <-over:
			t.Fatalf("waited %v for %s", Patience, what)
		}
	}
}

// Transcript keeps what a process writes and lets others wait for it.
type Transcript struct {
	*News
	text sync.Mutex
	buf  bytes.Buffer
}

var _ io.Writer = (*Transcript)(nil)

// NewTranscript is an empty transcript.
func NewTranscript() *Transcript { return &Transcript{News: NewNews()} }

// Write implements io.Writer.
func (s *Transcript) Write(p []byte) (int, error) {
	defer s.Tell()
	s.text.Lock()
	defer s.text.Unlock()
	return s.buf.Write(p)
}

// String is all that was written so far.
func (s *Transcript) String() string {
	s.text.Lock()
	defer s.text.Unlock()
	return s.buf.String()
}

// Await waits until the process has written text.
func (s *Transcript) Await(t *testing.T, text string) {
	t.Helper()
	s.Until(t, fmt.Sprintf("%q to be written", text), func() bool { return strings.Contains(s.String(), text) })
}

// Plain is what a process said on standard error besides its log, each line of
// which must be a JSON object.
func Plain(t *testing.T, stderr string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "{") {
			b.WriteString(line)
			continue
		}
		var record struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Time == "" || record.Level == "" || record.Msg == "" {
			t.Errorf("log line %q: %+v, %v", line, record, err)
		}
	}
	return b.String()
}

// placeholders are what a wanted text may hold for what differs between runs.
var placeholders = strings.NewReplacer(
	`\{n\}`, `[0-9,]+`,
	`\{rate\}`, `[0-9.,]+(?:[kMG]| (?:B|[KMGT]iB))?/s`,
	`\{s\}`, `(?:[0-9.]+ s|[0-9]+m[0-9]*s?)`,
	`\{name\}`, `[0-9]{8}-[0-9]{6}-[a-z]{4}`,
	`\{any\}`, `.*`,
)

var gaps = regexp.MustCompile(` {2,}`)

// RequireText fails the test unless the text is the one wanted, line by line:
// {n}, {rate}, {s} (a duration), {name} (of a run) and {any} stand for what
// differs between runs, two spaces or more for the gap between two columns.
func RequireText(t *testing.T, got, want string) {
	t.Helper()
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i, w := range wantLines {
		pattern := "^" + gaps.ReplaceAllString(placeholders.Replace(regexp.QuoteMeta(w)), " {2,}") + "$"
		if i >= len(gotLines) || !regexp.MustCompile(pattern).MatchString(gotLines[i]) {
			t.Fatalf("line %d is not %q in\n%s", i+1, w, Shortened(got))
		}
	}
	if len(gotLines) > len(wantLines) {
		t.Fatalf("more than wanted, from %q on, in\n%s", gotLines[len(wantLines)], Shortened(got))
	}
}
