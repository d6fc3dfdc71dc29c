package ecs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/ecs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const taskARN = "arn:aws:ecs:us-west-2:111122223333:task/default/158d1c8083dd49d6b527399fd6414f5c"

// agent is what a container finds on ECS: it keeps whether the task is protected
// and until when, records what it is asked, and fails as it is told.
type agent struct {
	mu      sync.Mutex
	asked   []call
	until   time.Time
	trouble func(http.ResponseWriter, *http.Request) bool // whether it has answered
}

type call struct {
	on      bool
	minutes int
	at      time.Time
}

func (a *agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut || r.URL.Path != "/api/task-protection/v1/state" || r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, "", http.StatusNotFound)
		return
	}
	var in struct {
		ProtectionEnabled *bool
		ExpiresInMinutes  *int
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil || in.ProtectionEnabled == nil {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"Arn":"`+taskARN+`","Code":"InvalidParameterException","Message":"bad"}}`)
		return
	}
	c := call{on: *in.ProtectionEnabled, at: time.Now()}
	if in.ExpiresInMinutes != nil {
		c.minutes = *in.ExpiresInMinutes
	}
	a.mu.Lock()
	a.asked = append(a.asked, c)
	trouble := a.trouble
	a.mu.Unlock()
	if trouble != nil && trouble(w, r) {
		return
	}
	a.mu.Lock()
	a.until = time.Time{}
	if c.on {
		a.until = time.Now().Add(time.Duration(c.minutes) * time.Minute)
	}
	a.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{"protection": map[string]any{
		"ExpirationDate": a.until, "ProtectionEnabled": c.on, "TaskArn": taskARN,
	}})
}

func (a *agent) protected() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Now().Before(a.until)
}

// calls are those since they were asked for last.
func (a *agent) calls() []call {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := a.asked
	a.asked = nil
	return asked
}

func (a *agent) fails(f func(http.ResponseWriter, *http.Request) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trouble = f
}

func says(status int, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

// logs collects lines.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.text.Write(b) }

func (l *logs) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSpace(l.text.String())
	l.text.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func TestMetadata(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v4/c/task" {
			http.Error(w, "", http.StatusNotFound)
			return
		}
		// As in the guide's example of a task on Fargate, shortened.
		_, _ = io.WriteString(w, `{"Cluster":"default","ServiceName":"MyService","TaskARN":"`+taskARN+`","Family":"curltest","Revision":"26",
			"DesiredStatus":"RUNNING","KnownStatus":"RUNNING","Limits":{"CPU":0.25,"Memory":512},"LaunchType":"FARGATE",
			"AvailabilityZone":"us-west-2a","Containers":[{"DockerId":"a"}]}`)
	}))
	defer s.Close()
	m, err := ecs.ReadMetadata(t.Context(), s.URL+"/v4/c")
	require.NoError(t, err)
	assert.Equal(t, ecs.Metadata{
		TaskARN: taskARN, Cluster: "default", ServiceName: "MyService", Family: "curltest", Revision: "26", AvailabilityZone: "us-west-2a", LaunchType: "FARGATE",
	}, m)
	assert.Equal(t, "158d1c8083dd49d6b527399fd6414f5c", m.TaskID())

	m, err = ecs.ReadMetadata(t.Context(), "")
	require.NoError(t, err, "not on ECS")
	assert.Empty(t, m)
	assert.Empty(t, m.TaskID())

	_, err = ecs.ReadMetadata(t.Context(), s.URL+"/elsewhere")
	require.ErrorContains(t, err, "read ECS task metadata: ECS_CONTAINER_METADATA_URI_V4 answered 404")
}

// An endpoint that does not answer holds a task's start up for a second.
func TestMetadataThatDoesNotCome(t *testing.T) {
	silent := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-silent:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(silent)
	began := time.Now()
	m, err := ecs.ReadMetadata(t.Context(), s.URL)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Empty(t, m)
	assert.GreaterOrEqual(t, time.Since(began), time.Second)
}

// Outside of ECS there is nothing to do.
func TestNoAgent(t *testing.T) {
	p := ecs.NewProtection(ecs.Options{})
	p.Start(t.Context())
	p.Busy(true)
	p.Busy(false)
	p.Stop(t.Context())
}

// The agent over a real connection: on with the first work, off at the end.
func TestProtectionOverHTTP(t *testing.T) {
	a := &agent{}
	told := make(chan struct{}, 8)
	a.fails(func(http.ResponseWriter, *http.Request) bool { told <- struct{}{}; return false })
	s := httptest.NewServer(a)
	defer s.Close()
	p := ecs.NewProtection(ecs.Options{Agent: s.URL + "/api"})
	p.Start(t.Context())
	p.Busy(true)
	<-told
	p.Stop(t.Context())
	assert.False(t, a.protected())
	calls := a.calls()
	require.NotEmpty(t, calls)
	assert.True(t, calls[0].on)
	assert.Equal(t, 60, calls[0].minutes)
	assert.False(t, calls[len(calls)-1].on)
	p.Busy(true)
	p.Stop(t.Context())
}

var errLost = errors.New("connection reset by peer")
