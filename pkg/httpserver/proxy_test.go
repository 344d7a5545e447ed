package httpserver

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestClientAddr has requests whose peer is 127.0.0.1.
func TestClientAddr(t *testing.T) {
	whoami := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, ClientAddr(w, r)) })
	for _, test := range []struct {
		name    string
		trusted []string
		header  []string
		want    string // a pattern
	}{
		{"nobody is trusted", nil, []string{"203.0.113.9"}, `127\.0\.0\.1:\d+`},
		{"the peer is not trusted", []string{"10.0.0.0/8"}, []string{"203.0.113.9"}, `127\.0\.0\.1`},
		{"the peer is trusted", []string{"127.0.0.1"}, []string{"203.0.113.9"}, `203\.0\.113\.9`},
		{"no header", []string{"127.0.0.1"}, nil, `127\.0\.0\.1:\d+`},
		{"what the client wrote itself", []string{"127.0.0.0/8"}, []string{"198.51.100.1, 203.0.113.9"}, `203\.0\.113\.9`},
		{"several hops", []string{"127.0.0.0/8", "10.0.0.0/8"}, []string{"198.51.100.1, 203.0.113.9, 10.1.2.3"}, `203\.0\.113\.9`},
		{"several fields", []string{"127.0.0.0/8", "10.0.0.0/8"}, []string{"198.51.100.1", "203.0.113.9", "10.1.2.3"}, `203\.0\.113\.9`},
		{"an untrusted private hop", []string{"127.0.0.0/8"}, []string{"203.0.113.9, 10.1.2.3"}, `10\.1\.2\.3`},
		{"IPv6", []string{"127.0.0.0/8", "2001:db8::/32"}, []string{"2001:db9::1, 2001:db8::1"}, `2001:db9::1`},
		{"no address", []string{"127.0.0.0/8"}, []string{"unknown"}, `127\.0\.0\.1`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := startMounted(t, func(s *Server) { s.Mount("GET /", whoami) }, func(c *Config) { c.TrustedProxies = test.trusted })
			var headers []string
			for _, value := range test.header {
				headers = append(headers, "X-Forwarded-For", value)
			}
			headers = append(headers, "Forwarded", "for=192.0.2.1", "X-Real-Ip", "192.0.2.1")
			got := r.do(t, "GET", "/", nil, headers...).body
			require.Regexp(t, "^"+test.want+"$", got)
			require.Contains(t, r.log.String(), "remote="+got)
		})
	}
}

func TestTrustedProxies_AreValidated(t *testing.T) {
	for _, text := range []string{"", "localhost", "10.0.0.0/33", "10.0.0.1:80"} {
		cfg := testConfig()
		cfg.TrustedProxies = []string{text}
		require.ErrorContains(t, cfg.Validate(), "http.trusted_proxies", text)
	}
}
