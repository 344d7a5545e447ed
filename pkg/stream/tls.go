package stream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/redis/rueidis"
)

// TLSConfig names the files for a Redis that is reached by rediss://. They are
// read again for every connection that is opened, so that a certificate that
// was exchanged is used without a restart.
type TLSConfig struct {
	CA   string `config:"ca" usage:"PEM file with the authorities that may have signed the certificate of Redis, in place of the system's; with rediss://"`
	Cert string `config:"cert" usage:"PEM file with the certificate that Redis asks clients for, and its chain; with rediss://"`
	Key  string `config:"key" usage:"PEM file with the private key of redis.tls.cert"`
}

// validate reports what is wrong with c for a client with those options, each
// error named by its key. It reads the files.
func (c TLSConfig) validate(opt rueidis.ClientOption) error {
	for _, file := range []struct{ key, path string }{{"ca", c.CA}, {"cert", c.Cert}, {"key", c.Key}} {
		if file.path != "" && opt.TLSConfig == nil {
			return fmt.Errorf("redis.tls.%s is set, but redis.url asks for no TLS: begin the URL with rediss://", file.key)
		}
	}
	switch {
	case c.CA != "" && opt.TLSConfig.InsecureSkipVerify:
		return errors.New("redis.tls.ca is set, but redis.url verifies nothing: leave out skip_verify")
	case c.Cert == "" && c.Key != "":
		return errors.New("redis.tls.cert: must be set with redis.tls.key")
	case c.Cert != "" && c.Key == "":
		return errors.New("redis.tls.key: must be set with redis.tls.cert")
	}
	_, err := c.load(&tls.Config{MinVersion: tls.VersionTLS12})
	return err
}

// load returns base with what the files hold.
func (c TLSConfig) load(base *tls.Config) (*tls.Config, error) {
	config := base.Clone()
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("redis.tls.ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("redis.tls.ca: %s holds no certificate in PEM", c.CA)
		}
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("redis.tls.cert and redis.tls.key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// dial implements dialFunc.
func (c TLSConfig) dial(ctx context.Context, addr string, d *net.Dialer, base *tls.Config) (net.Conn, error) {
	config, err := c.load(base)
	if err != nil {
		return nil, err
	}
	return dialTCP(ctx, addr, d, config)
}
