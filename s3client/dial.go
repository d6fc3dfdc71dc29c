package s3client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
)

// errMetadata refuses an address at which no store is.
var errMetadata = errors.New("it is an address of metadata and credentials, not of a store: check the endpoint")

// metadataV6 is where an instance finds its metadata by IPv6. By IPv4 it is
// link-local, and so are the credentials of a container.
//
// Source: Amazon EC2 User Guide, "Use the Instance Metadata Service to access instance
// metadata"; Amazon ECS Developer Guide, "Amazon ECS task IAM role".
var metadataV6 = netip.MustParsePrefix("fd00:ec2::/32")

// noMetadata refuses link-local addresses and those of metadata, as they are dialled: a
// name may resolve to another address each time.
func noMetadata(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", address, err)
	}
	if ofMetadata(at.Addr()) {
		return fmt.Errorf("dial %s: %w", address, errMetadata)
	}
	return nil
}

func ofMetadata(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsLinkLocalUnicast() || metadataV6.Contains(ip.WithZone(""))
}

// noMetadataBy refuses such addresses where a proxy would dial them: what we dial is
// the proxy then. A name is resolved by the proxy, of which we learn nothing.
func noMetadataBy(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	if proxy == nil {
		return nil
	}
	return func(r *http.Request) (*url.URL, error) {
		if ip, err := netip.ParseAddr(r.URL.Hostname()); err == nil && ofMetadata(ip) {
			return nil, fmt.Errorf("ask %s: %w", r.URL.Host, errMetadata)
		}
		return proxy(r)
	}
}
