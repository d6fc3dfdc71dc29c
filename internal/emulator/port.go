package emulator

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports that are given away lie below those that systems give to whoever asks for any:
// between this moment and the one in which a server listens, which may be seconds,
// nobody gets one by chance. Source: ip(7), ip_local_port_range, is from 32768 on.
const firstPort, endPort = 10_000, 32_000

var ports struct {
	sync.Mutex
	kept []net.PacketConn // until this process ends
}

// FreePort is a TCP port of loopback that nobody listens on, and that is not given to
// another process of these tests for as long as this one lives: the UDP port of the same
// number is held, which says so to all.
func FreePort() (int, error) {
	const tries = 1000
	var last error
	for range tries {
		port := firstPort + rand.IntN(endPort-firstPort)
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		held, err := net.ListenPacket("udp", address) //nolint:noctx // it does not wait
		if err != nil {
			last = err
			continue
		}
		l, err := net.Listen("tcp", address) //nolint:noctx // it does not wait
		if err != nil {
			last = errors.Join(err, held.Close())
			continue
		}
		ports.Lock()
		ports.kept = append(ports.kept, held)
		ports.Unlock()
		return port, l.Close()
	}
	return 0, fmt.Errorf("find a free port: %w", last)
}
