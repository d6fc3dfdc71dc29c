package s3copy

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// sameStore reports whether two endpoints are one store's, as far as their names and
// addresses tell: a bucket of one name is one bucket there. "" is AWS itself, where
// bucket names are unique also across regions. A proxy before a store cannot be told.
func sameStore(ctx context.Context, a, b string) bool {
	one, oneIsAWS := placeOf(a)
	two, twoIsAWS := placeOf(b)
	switch {
	case oneIsAWS || twoIsAWS:
		return oneIsAWS && twoIsAWS
	case one == two:
		return true
	}
	hostA, portA, errA := net.SplitHostPort(one)
	hostB, portB, errB := net.SplitHostPort(two)
	if errA != nil || errB != nil || portA != portB {
		return false
	}
	theirs := addresses(ctx, hostB)
	return slices.ContainsFunc(addresses(ctx, hostA), func(ip netip.Addr) bool { return slices.Contains(theirs, ip) })
}

// placeOf is the host and port of an endpoint, and whether that is AWS.
func placeOf(endpoint string) (place string, aws bool) {
	if endpoint == "" {
		return "", true
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return endpoint, false
	}
	host, port := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), u.Port()
	if strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn") {
		return host, true
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(host, port), false
}

// addresses are those of a host. All that are of this machine alone count as one, as
// does the one that stands for any.
func addresses(ctx context.Context, host string) []netip.Addr {
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil // the first request says why
	}
	for i, ip := range found {
		if ip = ip.Unmap(); ip.IsLoopback() || ip.IsUnspecified() {
			ip = netip.IPv6Loopback()
		}
		found[i] = ip
	}
	return found
}
