package stream

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

// authority makes certificates. Each is a pair of files, name.crt and name.key.
type authority struct {
	tb   testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(tb testing.TB) *authority {
	a := &authority{tb: tb, dir: tb.TempDir()}
	a.cert, a.key = a.sign("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) sign(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.tb, err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, parentKey := a.cert, a.key
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	require.NoError(a.tb, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(a.tb, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.tb, err)
	for file, block := range map[string]*pem.Block{name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		require.NoError(a.tb, os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600))
	}
	return cert, key
}

// client makes the pair of a client and returns its settings.
func (a *authority) client(name string) TLSConfig {
	a.sign(name, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return TLSConfig{CA: a.file("ca.crt"), Cert: a.file(name + ".crt"), Key: a.file(name + ".key")}
}

// redisTLS starts a Redis with a certificate of a for 127.0.0.1, and returns its
// address for TLS. It asks clients for certificates as told: yes or no.
func redisTLS(t *testing.T, a *authority, clients string) string {
	t.Helper()
	a.sign("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	port, err := servers.ReservePort()
	require.NoError(t, err)
	t.Cleanup(func() { servers.ReleasePort(port) })
	servers.Redis(t, "--tls-port", strconv.Itoa(port), "--tls-auth-clients", clients,
		"--tls-cert-file", a.file("server.crt"), "--tls-key-file", a.file("server.key"), "--tls-ca-cert-file", a.file("ca.crt"))
	return "127.0.0.1:" + strconv.Itoa(port)
}

func withTLS(files TLSConfig) func(*RedisConfig, *Config) {
	return func(c *RedisConfig, _ *Config) { c.TLS = files }
}

func TestTLS_PrivateAuthority(t *testing.T) {
	a := newAuthority(t)
	secure := redisTLS(t, a, "no")
	ctx := testContext(t)
	c := newClient(t, "rediss://"+secure, withTLS(TLSConfig{CA: a.file("ca.crt")}))
	require.NoError(t, c.EnsureGroup(ctx))
	require.NoError(t, c.Publish(ctx, sample(0, 10)))
	got, err := c.Read(ctx, "a", 10, 0)
	require.NoError(t, err)
	require.Len(t, got, 10)

	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, newClient(t, "rediss://"+secure).Ping(ctx), &unknown)
	other := newAuthority(t)
	require.ErrorAs(t, newClient(t, "rediss://"+secure, withTLS(TLSConfig{CA: other.file("ca.crt")})).Ping(ctx), &unknown)
	var name x509.HostnameError
	_, port, _ := net.SplitHostPort(secure)
	require.ErrorAs(t, newClient(t, "rediss://localhost:"+port, withTLS(TLSConfig{CA: a.file("ca.crt")})).Ping(ctx), &name)
}

func TestTLS_ClientCertificate(t *testing.T) {
	a := newAuthority(t)
	secure := redisTLS(t, a, "yes")
	ctx := testContext(t)
	files := a.client("client")
	require.NoError(t, newClient(t, "rediss://"+secure, withTLS(files)).Ping(ctx))
	require.Error(t, newClient(t, "rediss://"+secure, withTLS(TLSConfig{CA: files.CA})).Ping(ctx))
	foreign := newAuthority(t).client("client")
	foreign.CA = files.CA
	require.Error(t, newClient(t, "rediss://"+secure, withTLS(foreign)).Ping(ctx))
}

// The files are read for every connection: what was exchanged is used by the
// next one, and what cannot be read is named until it can be.
func TestTLS_ExchangedFilesAreUsed(t *testing.T) {
	a := newAuthority(t)
	secure := redisTLS(t, a, "yes")
	ctx := testContext(t)
	files := a.client("client")
	foreign := newAuthority(t).client("client")
	c := newClient(t, "rediss://"+secure, withTLS(files))
	require.NoError(t, c.Ping(ctx))
	exchange := func(from TLSConfig) {
		for old, path := range map[string]string{files.Cert: from.Cert, files.Key: from.Key} {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(old, text, 0o600))
		}
	}
	mine := a.client("mine")
	exchange(foreign)
	reconnect(c)
	require.Eventually(t, func() bool { return c.Ping(ctx) != nil }, 30*time.Second, time.Millisecond)
	exchange(mine)
	require.Eventually(t, func() bool { return c.Ping(ctx) == nil }, 30*time.Second, 10*time.Millisecond)
}

// reconnect closes the connections of c, so that the next use dials.
func reconnect(c *client) {
	for _, d := range c.conn.dialers {
		d.dropped = time.Time{}
	}
	c.conn.dropConnections()
}

func TestTLS_UnverifiedIsSaid(t *testing.T) {
	secure := redisTLS(t, newAuthority(t), "no")
	var log bytes.Buffer
	cfg := DefaultRedisConfig()
	cfg.URL = "rediss://" + secure + "?skip_verify=true"
	conn, err := Open(cfg, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	c := newGroupOn(t, conn, DefaultConfig(), prometheus.NewRegistry())
	t.Cleanup(c.Close)
	require.NoError(t, c.Ping(testContext(t)))
	require.Contains(t, log.String(), "not verified")
}

func TestRedisConfig_NamesWhatIsWrongWithTLS(t *testing.T) {
	a := newAuthority(t)
	files := a.client("client")
	other := newAuthority(t).client("client")
	empty := a.file("empty.crt")
	require.NoError(t, os.WriteFile(empty, []byte("no certificate"), 0o600))
	for _, c := range []struct {
		url   string
		files TLSConfig
		says  string // nothing: valid
	}{
		{"rediss://host", files, ""},
		{"rediss://host", TLSConfig{CA: files.CA}, ""},
		{"rediss://host?skip_verify=true", TLSConfig{Cert: files.Cert, Key: files.Key}, ""},
		{"redis://host", TLSConfig{CA: files.CA}, "redis.tls.ca is set, but redis.url asks for no TLS: begin the URL with rediss://"},
		{"redis://host", TLSConfig{Cert: files.Cert, Key: files.Key}, "redis.tls.cert is set, but redis.url asks for no TLS"},
		{"unix:///run/s", TLSConfig{Key: files.Key}, "redis.tls.key is set, but redis.url asks for no TLS"},
		{"rediss://host?skip_verify=true", files, "redis.tls.ca is set, but redis.url verifies nothing"},
		{"rediss://host", TLSConfig{Cert: files.Cert}, "redis.tls.key: must be set with redis.tls.cert"},
		{"rediss://host", TLSConfig{Key: files.Key}, "redis.tls.cert: must be set with redis.tls.key"},
		{"rediss://host", TLSConfig{CA: "/nowhere/ca.crt"}, "redis.tls.ca: open /nowhere/ca.crt"},
		{"rediss://host", TLSConfig{CA: empty}, "redis.tls.ca: " + empty + " holds no certificate"},
		{"rediss://host", TLSConfig{Cert: files.Cert, Key: other.Key}, "redis.tls.cert and redis.tls.key: "},
	} {
		cfg := DefaultRedisConfig()
		cfg.URL, cfg.TLS = c.url, c.files
		if c.says == "" {
			require.NoError(t, cfg.Validate())
			continue
		}
		require.ErrorContains(t, cfg.Validate(), c.says)
		_, err := Open(cfg, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, c.says)
	}
}
