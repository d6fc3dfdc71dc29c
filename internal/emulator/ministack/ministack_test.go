package ministack_test

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/emulator/ministack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStartsOnLoopbackAndStops(t *testing.T) {
	s, err := ministack.Start()
	require.NoError(t, err)
	address, ok := strings.CutPrefix(s.URL, "http://127.0.0.1:")
	require.True(t, ok)

	s.Stop()
	_, err = net.Dial("tcp", "127.0.0.1:"+address)
	assert.Error(t, err, "it has stopped")
}
