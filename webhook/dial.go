package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"
)

// ErrUnreachable says that no connection was made, so that nothing was sent.
var ErrUnreachable = errors.New("the application cannot be reached")

// errRemote refuses an address that is not of this machine.
var errRemote = errors.New("it is not an address of this machine, and no other is allowed")

// transport makes connections: without a proxy, and each address that a name
// resolves to is looked at when it is dialled, since the next answer for the name may
// be another.
func transport(o *Options) *http.Transport {
	dialer := &net.Dialer{
		Timeout: o.Connect,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			if o.Remote || isLocal(address) {
				return nil
			}
			return fmt.Errorf("dial %s: %w", address, errRemote)
		},
	}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil && ctx.Err() == nil {
				err = fmt.Errorf("%w: %w", ErrUnreachable, err)
			}
			return c, err
		},
		MaxConnsPerHost: o.Connections, MaxIdleConnsPerHost: o.Connections,
		IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: o.Connect,
		MaxResponseHeaderBytes: maxHead, DisableCompression: true,
	}
}

// isLocal reports whether an address, host:port, is of this machine alone.
func isLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
