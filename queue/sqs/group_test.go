package sqs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/schema"
)

// Messages of a run carry its name as their message group: what may be a run's name
// must be a group's, or its messages could never be sent.
func TestEveryNameOfARunIsAMessageGroup(t *testing.T) {
	f := newFake(t)
	f.on("SendMessageBatch", results(func(string) (string, string) { return "", "" }))
	q := opened(t, f.config(), fakeURL)
	for c := range rune(0x250) {
		for _, name := range []string{"r" + string(c), strings.Repeat("r", 63) + string(c), strings.Repeat("r", 64) + string(c)} {
			if schema.CheckRunName(name) != nil {
				continue
			}
			require.NoError(t, q.Send(t.Context(), []queue.Entry{{Body: []byte("x"), Group: name}})[0], "%q", name)
		}
	}
	for _, name := range []string{"a b", "é", strings.Repeat("r", 129)} {
		require.ErrorIs(t, q.Send(t.Context(), []queue.Entry{{Body: []byte("x"), Group: name}})[0], queue.ErrInvalid)
	}
}

// What SQS refuses for its contents it refuses for ever.
func TestContentsThatSQSRefuses(t *testing.T) {
	f := newFake(t)
	f.on("SendMessageBatch", results(func(string) (string, string) { return "InvalidMessageContents", "no" }))
	q := opened(t, f.config(), fakeURL)
	require.ErrorIs(t, q.Send(t.Context(), []queue.Entry{{Body: []byte("x")}})[0], queue.ErrInvalid)
}
