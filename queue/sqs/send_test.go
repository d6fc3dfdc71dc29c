package sqs_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
)

func entries(bodies ...string) []queue.Entry {
	all := make([]queue.Entry, len(bodies))
	for i, b := range bodies {
		all[i].Body = []byte(b)
	}
	return all
}

// A send whose answer is lost may have been made: only its poster may repeat it.
func TestSendIsNotRepeated(t *testing.T) {
	for name, lost := range map[string]func(http.ResponseWriter, map[string]any){
		"dropped": dropped, "failed": fails(http.StatusInternalServerError, "InternalFailure", ""),
		"throttled": fails(http.StatusBadRequest, "RequestThrottled", ""),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("SendMessageBatch", lost)
			q := opened(t, f.config(), fakeURL)
			for _, err := range q.Send(t.Context(), entries("a", "b")) {
				require.Error(t, err)
				require.NotErrorIs(t, err, queue.ErrTooLarge)
			}
			assert.Len(t, f.requests("SendMessageBatch"), 1)
		})
	}
}

// Deletes and extensions may be made twice, and are.
func TestDeleteAndExtendAreRepeated(t *testing.T) {
	f := newFake(t)
	for _, action := range []string{"DeleteMessageBatch", "ChangeMessageVisibilityBatch"} {
		var calls atomic.Int32
		f.on(action, func(w http.ResponseWriter, in map[string]any) {
			if calls.Add(1) == 1 {
				dropped(w, in)
			}
			results(func(string) (string, string) { return "", "" })(w, in)
		})
	}
	q := opened(t, f.config(), fakeURL)
	require.NoError(t, q.Delete(t.Context(), []queue.Receipt{"a"})[0])
	require.NoError(t, q.Extend(t.Context(), []queue.Lease{{Receipt: "a", Visibility: time.Second}})[0])
	assert.Len(t, f.requests("DeleteMessageBatch"), 2)
	assert.Len(t, f.requests("ChangeMessageVisibilityBatch"), 2)
}

// Each entry has its own answer, one that is missing is an error.
func TestSendAnswersPerEntry(t *testing.T) {
	f := newFake(t)
	f.on("SendMessageBatch", func(w http.ResponseWriter, _ map[string]any) {
		answer(w, map[string]any{
			"Successful": []any{
				map[string]any{"Id": "0", "MD5OfMessageBody": "0cc175b9c0f1b6a831c399e269772661"}, // of "a"
				map[string]any{"Id": "2", "MD5OfMessageBody": "0cc175b9c0f1b6a831c399e269772661"},
				map[string]any{"Id": "9"},
			},
			"Failed": []any{map[string]any{"Id": "1", "Code": "InternalError", "Message": "sorry", "SenderFault": false}},
		})
	})
	q := opened(t, f.config(), fakeURL)
	errs := q.Send(t.Context(), entries("a", "b", "c", "d"))
	require.NoError(t, errs[0])
	require.ErrorContains(t, errs[1], "sorry")
	require.ErrorContains(t, errs[2], "MD5")
	require.ErrorContains(t, errs[3], "did not answer")
}

// What SQS would refuse together with the entries of others is refused here.
func TestSendRefusesAlone(t *testing.T) {
	f := newFake(t)
	f.on("SendMessageBatch", results(func(string) (string, string) { return "", "" }))
	q := opened(t, f.config(), fakeURL)
	bad := []queue.Entry{
		{},
		{Body: []byte("\x00")},
		{Body: []byte("\xff")},
		{Body: []byte("\uffff")},
		{Body: []byte("a"), Delay: time.Hour},
		{Body: []byte("a"), Group: "a b"},
		{Body: []byte("a"), Attrs: map[string]string{"a": ""}},
		{Body: []byte("a"), Attrs: map[string]string{"AWS.a": "b"}},
		{Body: []byte("a"), Attrs: map[string]string{".a": "b"}},
	}
	errs := q.Send(t.Context(), append(bad, queue.Entry{Body: []byte("good")}))
	for i := range bad {
		require.Error(t, errs[i], "%+v", bad[i])
	}
	require.NoError(t, errs[len(bad)])
	require.Len(t, f.requests("SendMessageBatch"), 1)
	require.Len(t, f.requests("SendMessageBatch")[0]["Entries"], 1)
}

// Requests are bounded by bytes, types of attributes counted.
func TestRequestsAreBoundedInBytes(t *testing.T) {
	f := newFake(t)
	f.on("SendMessageBatch", results(func(string) (string, string) { return "", "" }))
	q := opened(t, f.config(), fakeURL)
	half := queue.Entry{Body: []byte(strings.Repeat("x", 1<<19-len("nameStringvalue"))), Attrs: map[string]string{"name": "value"}}
	for _, err := range q.Send(t.Context(), []queue.Entry{half, half, half, half}) {
		require.NoError(t, err)
	}
	require.Len(t, f.requests("SendMessageBatch"), 2)
	half.Body = append(half.Body, 'x')
	for _, err := range q.Send(t.Context(), []queue.Entry{half, half}) {
		require.NoError(t, err)
	}
	require.Len(t, f.requests("SendMessageBatch"), 4)
}

// A queue may be set to take less than SQS does.
func TestMaximumMessageSize(t *testing.T) {
	f := newFake(t)
	f.on("GetQueueAttributes", func(w http.ResponseWriter, _ map[string]any) {
		answer(w, map[string]any{"Attributes": map[string]string{"MaximumMessageSize": "262144"}})
	})
	q := opened(t, f.config(), fakeURL)
	require.Less(t, q.Limits().Body, 262144)
	big := strings.Repeat("x", q.Limits().Body+1)
	require.ErrorIs(t, q.Send(t.Context(), entries(big))[0], queue.ErrTooLarge)
}

// A message that was damaged on its way is left to be delivered again.
func TestDamagedMessageIsNotDelivered(t *testing.T) {
	f := newFake(t)
	message := func(body string) map[string]any {
		return map[string]any{"MessageId": body, "Body": body, "ReceiptHandle": body, "MD5OfBody": "0cc175b9c0f1b6a831c399e269772661"}
	}
	f.on("ReceiveMessage", func(w http.ResponseWriter, _ map[string]any) {
		answer(w, map[string]any{"Messages": []any{message("a"), message("b")}})
	})
	q := opened(t, f.config(), fakeURL)
	got, err := q.Receive(t.Context(), queue.Request{Max: 10, Visibility: time.Minute})
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, "a", string(got[0].Body))
}
