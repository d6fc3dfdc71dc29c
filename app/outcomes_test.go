package app

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/sqsapi"
	"github.com/ramify/ramify/jobqueue"
)

// What is no outcome is one line all the same, and cannot pass for one.
func TestOutcomeLine(t *testing.T) {
	for body, want := range map[string]string{
		`{"event":"JOB_FAILED"}`:            `{"event":"JOB_FAILED"}`,
		"{\n  \"event\": \"JOB_FAILED\"\n}": `{"event":"JOB_FAILED"}`,
		"x\n{\"event\":\"JOB_SUCCEEDED\"}":  `{"event":"NO_OUTCOME","body":"x\n{\"event\":\"JOB_SUCCEEDED\"}"}`,
		`{"event":"a"}{"event":"b"}`:        `{"event":"NO_OUTCOME","body":"{\"event\":\"a\"}{\"event\":\"b\"}"}`,
		`["<&>"]`:                           `{"event":"NO_OUTCOME","body":"[\"<&>\"]"}`,
	} {
		assert.Equal(t, want+"\n", string(outcomeLine([]byte(body))))
	}
}

// sender keeps what is sent.
type sender struct {
	jobqueue.Queues
	sent []jobqueue.Posting
}

func (s *sender) Send(_ context.Context, p []jobqueue.Posting) []jobqueue.Sent {
	s.sent = append(s.sent, p...)
	return make([]jobqueue.Sent, len(p))
}

// However much a program says, and whatever: its outcome fits into a message.
func TestOutcomeFits(t *testing.T) {
	var s sender
	said := strings.Repeat("\x01\uFFFE\"", 1<<20)
	require.NoError(t, sendOutcome(t.Context(), &s, "told", jobqueue.Event{Event: jobqueue.Failed, Job: "a", Command: said, Stdout: said, Stderr: said, ErrorMessage: said}))
	body := s.sent[0].Body
	assert.Less(t, len(body), 256<<10)
	assert.True(t, sqsapi.Sendable(body))
	assert.Contains(t, string(body), `"job":"a"`)
}
