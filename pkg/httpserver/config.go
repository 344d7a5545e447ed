package httpserver

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// headerSlop is what net/http adds to the configured header size for its own
// read-ahead.
const headerSlop = 4096

// Config is how producers are served.
type Config struct {
	Addr             string `config:"addr" usage:"address to serve producers on, host:port; port 0 takes a free one"`
	MaxBodyBytes     int64  `config:"max_body_bytes" usage:"largest request body in bytes, before and after decompression"`
	MaxHeaderBytes   int    `config:"max_header_bytes" usage:"largest request line and headers in bytes"`
	MaxInFlight      int    `config:"max_in_flight" usage:"most POST requests in progress at once; the next is answered 503"`
	MaxInFlightBytes int64  `config:"max_in_flight_bytes" usage:"most bytes of request bodies held in memory at once; past it the answer is 503"`

	TLS TLSConfig `config:"tls"`

	ReadHeaderTimeout time.Duration `config:"read_header_timeout" usage:"time for a request's line and headers to arrive"`
	ReadTimeout       time.Duration `config:"read_timeout" usage:"time for a whole request to arrive, body included"`
	WriteTimeout      time.Duration `config:"write_timeout" usage:"time from the headers read to the answer written; longer than read_timeout"`
	IdleTimeout       time.Duration `config:"idle_timeout" usage:"how long a connection may stay open without a request"`
	DrainDelay        time.Duration `config:"drain_delay" usage:"how long to go on answering, with Connection: close, after readiness fails and before the listener closes"`
	ShutdownTimeout   time.Duration `config:"shutdown_timeout" usage:"time for the whole shutdown, drain_delay included, before connections are cut"`
	TrustedProxies    []string      `config:"trusted_proxies" usage:"networks or addresses of the proxies whose X-Forwarded-For is believed when a client's address is logged; none by default"`
	RetryAfter        time.Duration `config:"retry_after" usage:"Retry-After of a 503 whose cause does not know better, in whole seconds, rounded up"`
}

// DefaultConfig returns the configuration of a server on port 3000.
func DefaultConfig() Config {
	return Config{
		Addr:              ":3000",
		MaxBodyBytes:      10 << 20,
		MaxHeaderBytes:    16 << 10,
		MaxInFlight:       1024,
		MaxInFlightBytes:  64 << 20,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       90 * time.Second,
		DrainDelay:        time.Second,
		ShutdownTimeout:   15 * time.Second,
		RetryAfter:        time.Second,
	}
}

// Validate reports everything wrong with c, each named by its key.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("http."+key+": "+format, args...))
	}
	if err := validAddr(c.Addr); err != nil {
		bad("addr", "%w", err)
	}
	if c.MaxBodyBytes < 1 {
		bad("max_body_bytes", "must be at least 1, is %d", c.MaxBodyBytes)
	}
	if c.MaxHeaderBytes < 2*headerSlop {
		bad("max_header_bytes", "must be at least %d, is %d", 2*headerSlop, c.MaxHeaderBytes)
	}
	if c.MaxInFlight < 1 {
		bad("max_in_flight", "must be at least 1, is %d", c.MaxInFlight)
	}
	if c.MaxInFlightBytes < c.MaxBodyBytes {
		bad("max_in_flight_bytes", "must be at least http.max_body_bytes (%d), is %d", c.MaxBodyBytes, c.MaxInFlightBytes)
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"read_header_timeout", c.ReadHeaderTimeout},
		{"read_timeout", c.ReadTimeout},
		{"write_timeout", c.WriteTimeout},
		{"idle_timeout", c.IdleTimeout},
		{"shutdown_timeout", c.ShutdownTimeout},
		{"retry_after", c.RetryAfter},
	} {
		if d.value <= 0 {
			bad(d.key, "must be more than 0, is %v", d.value)
		}
	}
	if c.ReadTimeout < c.ReadHeaderTimeout {
		bad("read_timeout", "must be at least http.read_header_timeout (%v), is %v", c.ReadHeaderTimeout, c.ReadTimeout)
	}
	// The write time-out starts before the body is read: were it the
	// shorter one, a slow body could not be answered.
	if c.WriteTimeout <= c.ReadTimeout {
		bad("write_timeout", "must be more than http.read_timeout (%v), is %v", c.ReadTimeout, c.WriteTimeout)
	}
	if c.DrainDelay < 0 || c.DrainDelay >= c.ShutdownTimeout {
		bad("drain_delay", "must be at least 0 and less than http.shutdown_timeout (%v), is %v", c.ShutdownTimeout, c.DrainDelay)
	}
	if _, err := extractor(c.TrustedProxies); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, c.TLS.Validate())...)
}

// AdminConfig is how operators are served.
type AdminConfig struct {
	Addr  string `config:"addr" usage:"address of probes and metrics, host:port; empty serves none"`
	Pprof bool   `config:"pprof" usage:"serve runtime profiles under /debug/pprof on the admin address"`
}

// DefaultAdminConfig returns the configuration of an admin listener on port
// 9464, without profiles.
func DefaultAdminConfig() AdminConfig { return AdminConfig{Addr: ":9464"} }

// Validate reports what is wrong with c, named by its key.
func (c AdminConfig) Validate() error {
	if c.Addr == "" {
		return nil
	}
	if err := validAddr(c.Addr); err != nil {
		return fmt.Errorf("admin.addr: %w", err)
	}
	return nil
}

func validAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("must be host:port or :port: %w", err)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("must end in a port: %w", err)
	}
	return nil
}
