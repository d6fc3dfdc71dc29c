package dynamodblocal_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/emulator/dynamodblocal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStartsOnLoopbackAndStops(t *testing.T) {
	s, err := dynamodblocal.Start()
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(s.URL, "http://127.0.0.1:"))

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(s.URL)
	require.NoError(t, err)
	answer.Body.Close()
	assert.Equal(t, http.StatusBadRequest, answer.StatusCode, "no token, but DynamoDB")

	s.Stop()
	_, err = net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	assert.Error(t, err, "it has stopped")
}
