package httpserver

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"

	"github.com/labstack/echo/v4"
)

// clientAddr returns the address of the client that r came from: the peer's,
// with its port, or where the peer is a trusted proxy what that says, walking
// X-Forwarded-For from the right over trusted hops only. Forwarded (RFC 7239) is
// not read: a proxy that knows only the other would pass it on as the client
// wrote it.
func (s *Server) clientAddr(r *http.Request) string {
	if s.clientIP == nil || len(r.Header[echo.HeaderXForwardedFor]) == 0 {
		return r.RemoteAddr
	}
	return s.clientIP(r)
}

// ClientAddr returns the address of the client that r came from: an IP address,
// with a port where no proxy is in between. w is as for [ReadBody].
func ClientAddr(w http.ResponseWriter, r *http.Request) string {
	if own := responseOf(w); own != nil {
		return own.server.clientAddr(r)
	}
	return r.RemoteAddr
}

// extractor returns what finds a client's address behind proxies, nil when none
// is trusted.
func extractor(proxies []string) (echo.IPExtractor, error) {
	if len(proxies) == 0 {
		return nil, nil
	}
	// By default echo trusts whatever is local or private.
	opts := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, text := range proxies {
		network, err := parseNetwork(text)
		if err != nil {
			return nil, err
		}
		opts = append(opts, echo.TrustIPRange(network))
	}
	return echo.ExtractIPFromXFFHeader(opts...), nil
}

// parseNetwork reads a network such as 10.0.0.0/8, or one address.
func parseNetwork(text string) (*net.IPNet, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		addr, addrErr := netip.ParseAddr(text)
		if addrErr != nil {
			return nil, fmt.Errorf("http.trusted_proxies: %q is neither a network, such as 10.0.0.0/8, nor an address", text)
		}
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	prefix = prefix.Masked()
	return &net.IPNet{
		IP:   prefix.Addr().AsSlice(),
		Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen()),
	}, nil
}
