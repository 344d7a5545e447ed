package httpserver

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// certificateInterval is the least time between two looks at the files of the
// certificate.
const certificateInterval = 2 * time.Second

// TLSConfig is the certificate that clients are served with.
type TLSConfig struct {
	Cert string `config:"cert" usage:"PEM file with the certificate and its chain, for HTTPS and HTTP/2; read again when it changes; empty serves without TLS"`
	Key  string `config:"key" usage:"PEM file with the certificate's private key; read again when it changes"`
}

// Validate reports what is wrong with c, named by its key.
func (c TLSConfig) Validate() error {
	switch {
	case c.Cert == "" && c.Key != "":
		return errors.New("http.tls.cert: must be set with http.tls.key")
	case c.Cert != "" && c.Key == "":
		return errors.New("http.tls.key: must be set with http.tls.cert")
	}
	return nil
}

// certificate is the pair of files in use. They are looked at when a client
// connects, and exchanged when what they hold has changed and fits together;
// otherwise the pair before stays in use.
type certificate struct {
	cfg      TLSConfig
	log      *slog.Logger
	metrics  *metrics
	interval time.Duration

	current atomic.Pointer[tls.Certificate]
	checked atomic.Int64 // Unix nanoseconds of the last look

	mu        sync.Mutex // held by whoever looks
	cert, key []byte     // what was read last, used or not
	unread    bool       // the last look could not read the files
}

// newCertificate reads the files for the first time.
func newCertificate(cfg TLSConfig, log *slog.Logger, m *metrics) (*certificate, error) {
	c := &certificate{cfg: cfg, log: log, metrics: m, interval: certificateInterval}
	c.checked.Store(time.Now().UnixNano())
	if _, err := c.load(); err != nil {
		return nil, fmt.Errorf("http.tls: %w", err)
	}
	return c, nil
}

// get is for [tls.Config.GetCertificate]. It looks at the files when the last
// look is old enough, and does not wait for somebody else who does.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	now := time.Now().UnixNano()
	if now-c.checked.Load() >= int64(c.interval) && c.mu.TryLock() {
		c.checked.Store(now)
		c.reload()
		c.mu.Unlock()
	}
	return c.current.Load(), nil
}

// reload exchanges the certificate if the files have changed. What cannot be
// used is reported once, until the files change again.
func (c *certificate) reload() {
	switch changed, err := c.load(); {
	case err != nil:
		c.metrics.certFailures.Inc()
		c.log.Error("the TLS certificate changed and cannot be used; the one before stays in use", "error", err)
	case changed:
		c.log.Info("TLS certificate exchanged", "expires", c.current.Load().Leaf.NotAfter)
	}
}

// load reads the files and uses what they hold if it has changed.
func (c *certificate) load() (changed bool, err error) {
	cert, err := os.ReadFile(c.cfg.Cert)
	if err == nil {
		var key []byte
		if key, err = os.ReadFile(c.cfg.Key); err == nil {
			return c.use(cert, key)
		}
	}
	if c.unread {
		return false, nil // as the last time
	}
	c.unread = true
	return false, err // It names the file.
}

func (c *certificate) use(cert, key []byte) (changed bool, err error) {
	c.unread = false
	if bytes.Equal(cert, c.cert) && bytes.Equal(key, c.key) {
		return false, nil
	}
	c.cert, c.key = cert, key
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return false, fmt.Errorf("%s and %s: %w", c.cfg.Cert, c.cfg.Key, err)
	}
	c.current.Store(&pair)
	c.metrics.certExpiry.Set(float64(pair.Leaf.NotAfter.Unix()))
	return true, nil
}

// config returns the TLS settings of the server: HTTP/2 for those who ask for
// it by ALPN (RFC 7301), HTTP/1.1 for everybody else.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.get,
		NextProtos:     []string{"h2", "http/1.1"},
	}
}
