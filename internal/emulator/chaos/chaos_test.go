package chaos_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/emulator/chaos"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service counts what it is asked for, and gives each message once.
type service struct {
	mu       sync.Mutex
	asked    map[string]int
	messages int // left to give
	next     int
}

type message struct {
	MessageId, ReceiptHandle, Body string
	Attributes                     map[string]string
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "Service.")
	s.asked[operation]++
	w.Header().Set("X-Amz-Crc32", "1234")
	if operation != "ReceiveMessage" {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL, body)
		return
	}
	var asked struct{ MaxNumberOfMessages int }
	_ = json.NewDecoder(r.Body).Decode(&asked)
	answer := struct{ Messages []message }{}
	for ; s.messages > 0 && len(answer.Messages) < max(asked.MaxNumberOfMessages, 1); s.messages-- {
		id := fmt.Sprint(s.next)
		s.next++
		answer.Messages = append(answer.Messages, message{id, "receipt " + id, "<" + id + ">", map[string]string{"ApproximateReceiveCount": "1"}})
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// reply is what the client was answered.
type reply struct {
	status int
	header http.Header
	text   string
}

// behind is a proxy with faults in front of a service.
func behind(t *testing.T, f chaos.Faults, messages int) (*chaos.Proxy, *service, func(operation, body string) (reply, error)) {
	t.Helper()
	s := &service{asked: map[string]int{}, messages: messages}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	p := chaos.New(t, server.URL, 1, f)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return p, s, func(operation, body string) (reply, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL+"/path?x=y", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("X-Amz-Target", "Service."+operation)
		resp, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			return reply{}, err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return reply{resp.StatusCode, resp.Header, string(text)}, err
	}
}

func (s *service) count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[operation]
}

func TestWithoutFaultsAllPassesAsItIs(t *testing.T) {
	p, s, ask := behind(t, chaos.Faults{}, 0)
	got, err := ask("PutItem", "a body")
	require.NoError(t, err)
	assert.Equal(t, "POST /path?x=y a body", got.text)
	assert.Equal(t, http.StatusTeapot, got.status)
	assert.Equal(t, "1234", got.header.Get("X-Amz-Crc32"))
	assert.Equal(t, 1, s.count("PutItem"))
	assert.Equal(t, chaos.Done{Requests: 1, Lost: map[string]int{}, Twice: map[string]int{}}, p.Done())
}

func TestLostAnswersComeAfterTheServerHasActed(t *testing.T) {
	p, s, ask := behind(t, chaos.Faults{Lost: 1}, 1)
	for _, operation := range []string{"PutItem", "ReceiveMessage"} {
		_, err := ask(operation, "{}")
		require.ErrorIs(t, err, io.EOF)
		assert.Equal(t, 1, s.count(operation))
	}
	assert.Equal(t, map[string]int{"PutItem": 1, "ReceiveMessage": 1}, p.Done().Lost)
}

func TestTwice(t *testing.T) {
	p, s, ask := behind(t, chaos.Faults{Twice: 1, Delay: time.Millisecond}, 0)
	_, err := ask("PutItem", "a body")
	require.NoError(t, err)
	_, err = ask("ReceiveMessage", "{}")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.count("PutItem") == 2 }, time.Minute, time.Millisecond)
	assert.Equal(t, 1, s.count("ReceiveMessage"))
	assert.Equal(t, map[string]int{"PutItem": 1}, p.Done().Twice)
}

func TestLate(t *testing.T) {
	const delay = 10 * time.Millisecond
	p, _, ask := behind(t, chaos.Faults{Stuck: 1, Stall: delay}, 0)
	begun := time.Now()
	_, err := ask("PutItem", "")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(begun), delay)
	assert.Equal(t, 1, p.Done().Stuck)
}

// All messages come; some late, some more than once and then unchanged, and never
// more in an answer than there may be.
func TestDeliveries(t *testing.T) {
	const messages, room = 500, 4
	p, _, ask := behind(t, chaos.Faults{Copied: .3, Held: .2}, messages)
	times := map[string]int{}
	said := map[string]message{}
	inOrder, last := true, -1
	for range 3 * messages {
		got, err := ask("ReceiveMessage", fmt.Sprintf(`{"QueueUrl":"q","MaxNumberOfMessages":%d}`, room))
		require.NoError(t, err)
		var answer struct{ Messages []message }
		require.NoError(t, json.Unmarshal([]byte(got.text), &answer))
		require.LessOrEqual(t, len(answer.Messages), room)
		for _, m := range answer.Messages {
			if before, ok := said[m.MessageId]; ok {
				require.Equal(t, before, m)
			}
			said[m.MessageId] = m
			times[m.MessageId]++
			var n int
			_, err := fmt.Sscan(m.MessageId, &n)
			require.NoError(t, err)
			require.Equal(t, "<"+m.MessageId+">", m.Body)
			inOrder = inOrder && n > last
			last = n
		}
	}
	assert.Len(t, times, messages, "lost")
	copies := -messages
	for _, n := range times {
		copies += n
	}
	done := p.Done()
	assert.Equal(t, done.Copied, copies)
	assert.Positive(t, copies)
	assert.Positive(t, done.Held)
	assert.False(t, inOrder)
}

func TestOneSeedOneFate(t *testing.T) {
	var first chaos.Done
	for i := range 2 {
		p, _, ask := behind(t, chaos.Faults{Lost: .2, Late: .5, Twice: .2, Copied: .2, Held: .2}, 100)
		for range 100 {
			_, _ = ask("PutItem", "")
			_, _ = ask("ReceiveMessage", `{"MaxNumberOfMessages":10}`)
		}
		if i == 0 {
			first = p.Done()
		}
		assert.Equal(t, first, p.Done())
		assert.Positive(t, first.Copied)
	}
}
