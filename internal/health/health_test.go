package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func started(t *testing.T, address string, alive func() error) *health.Server {
	t.Helper()
	s, err := health.New(address, alive, nil)
	require.NoError(t, err)
	require.NoError(t, s.Start(t.Context()))
	t.Cleanup(func() { s.Stop(context.Background()) })
	return s
}

func ask(t *testing.T, method, url string, body io.Reader) (status int, text string, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	out, err := client.Do(r)
	require.NoError(t, err)
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	return out.StatusCode, string(b), out.Header
}

func TestAliveAndNot(t *testing.T) {
	var reason atomic.Pointer[error]
	s := started(t, "127.0.0.1:0", func() error {
		if err := reason.Load(); err != nil {
			return *err
		}
		return nil
	})
	url := "http://" + s.Address() + health.Path
	status, body, header := ask(t, http.MethodGet, url, nil)
	assert.Equal(t, 200, status)
	assert.JSONEq(t, `{"status":"ok"}`, body)
	assert.Equal(t, "application/json", header.Get("Content-Type"))
	require.NoError(t, health.Check(t.Context(), s.Address()))

	stuck := errors.New(`no unit has ended for 10 minutes, "17" are under way`)
	reason.Store(&stuck)
	status, body, _ = ask(t, http.MethodGet, url, nil)
	assert.Equal(t, 503, status)
	var got struct{ Status, Reason string }
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	assert.Equal(t, "unhealthy", got.Status)
	assert.Equal(t, stuck.Error(), got.Reason)
	err := health.Check(t.Context(), s.Address())
	require.ErrorContains(t, err, "check health: "+s.Address()+" answered 503: "+stuck.Error())

	reason.Store(nil)
	require.NoError(t, health.Check(t.Context(), s.Address()))
}

func TestOnlyGetAndOnlyThere(t *testing.T) {
	s := started(t, "127.0.0.1:0", func() error { return nil })
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		status, _, header := ask(t, method, "http://"+s.Address()+health.Path, strings.NewReader("body"))
		assert.Equal(t, 405, status, method)
		assert.Equal(t, "GET", header.Get("Allow"), method)
	}
	for _, path := range []string{"/", "/debug/pprof/", "/healthz/x"} {
		status, _, _ := ask(t, http.MethodGet, "http://"+s.Address()+path, nil)
		assert.Equal(t, 404, status, path)
	}
}

// A process that hangs is not alive; it is asked once, however many want to know.
func TestAProcessThatHangs(t *testing.T) {
	release, calls := make(chan struct{}), atomic.Int64{}
	s := started(t, "127.0.0.1:0", func() error { calls.Add(1); <-release; return nil })
	for range 2 {
		err := health.Check(t.Context(), s.Address())
		require.ErrorContains(t, err, "503: the process has not said within 1s how it is")
	}
	assert.EqualValues(t, 1, calls.Load())
	close(release)
	for health.Check(t.Context(), s.Address()) != nil { // until the call has returned
		require.NoError(t, t.Context().Err())
	}
}

func TestAddresses(t *testing.T) {
	s := started(t, ":0", func() error { return nil })
	host, _, err := net.SplitHostPort(s.Address())
	require.NoError(t, err)
	assert.Equal(t, "127.0.0.1", host, "loopback unless told otherwise")

	s = started(t, "0.0.0.0:0", func() error { return nil })
	_, port, err := net.SplitHostPort(s.Address())
	require.NoError(t, err)
	require.NoError(t, health.Check(t.Context(), "0.0.0.0:"+port), "asked on loopback")

	off := started(t, "", func() error { return nil })
	assert.Empty(t, off.Address())
	require.ErrorContains(t, health.Check(t.Context(), ""), "switched off")

	for _, bad := range []string{"8080", "localhost", "localhost:no such port", "localhost:99999"} {
		_, err := health.New(bad, nil, nil)
		require.ErrorContains(t, err, `read health address: "`+bad+`"`)
	}

	taken, err := health.New(s.Address(), func() error { return nil }, nil)
	require.NoError(t, err)
	require.ErrorContains(t, taken.Start(t.Context()), "listen for health checks on "+s.Address())
	taken.Stop(t.Context())
}

func TestNobodyThere(t *testing.T) {
	s, err := health.New("127.0.0.1:0", func() error { return nil }, nil)
	require.NoError(t, err)
	require.NoError(t, s.Start(t.Context()))
	address := s.Address()
	s.Stop(t.Context())
	require.ErrorContains(t, health.Check(t.Context(), address), "check health: ")
}
