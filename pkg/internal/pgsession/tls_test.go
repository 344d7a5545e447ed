package pgsession_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/internal/pgsession"
	"github.com/eventpulse/eventpulse/test/servers"
)

// authority makes certificates. Each is a pair of files, name.crt and
// name.key.
type authority struct {
	tb   testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(tb testing.TB, name string) *authority {
	a := &authority{tb: tb, dir: tb.TempDir()}
	a.cert, a.key = a.sign(name, &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
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
	write := func(file, kind string, der []byte) {
		require.NoError(a.tb, os.WriteFile(a.file(file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	write(name+".crt", "CERTIFICATE", der)
	write(name+".key", "PRIVATE KEY", pkcs8)
	return cert, key
}

// installTLS makes the server speak TLS with the authority's certificate of
// that name, and trust the authority for clients' certificates.
func installTLS(t *testing.T, server *servers.PostgresServer, a *authority, name, hba string) {
	t.Helper()
	for from, to := range map[string]string{"ca.crt": "root.crt", name + ".crt": "server.crt", name + ".key": "server.key"} {
		b, err := os.ReadFile(a.file(from))
		require.NoError(t, err)
		to = filepath.Join(server.DataDir(), to)
		require.NoError(t, os.WriteFile(to, b, 0o600))
		require.NoError(t, server.Own(to))
	}
	require.NoError(t, os.WriteFile(filepath.Join(server.DataDir(), "pg_hba.conf"), []byte(hba), 0o600))
	do(t, open(t, server.URL()), "ALTER SYSTEM SET ssl = on", "ALTER SYSTEM SET ssl_ca_file = 'root.crt'")
	require.NoError(t, server.Stop())
	require.NoError(t, server.Start())
}

const trustAll = "host all all 127.0.0.1/32 trust\n"

func TestConnector_VerifiesTheServerBySSLMode(t *testing.T) {
	ours, theirs := newAuthority(t, "ca"), newAuthority(t, "ca")
	ours.sign("right", &x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	ours.sign("wrong", &x509.Certificate{DNSNames: []string{"db.example.com"}})
	right, wrong, none := servers.Postgres(t), servers.Postgres(t), servers.Postgres(t)
	installTLS(t, right, ours, "right", trustAll)
	installTLS(t, wrong, ours, "wrong", trustAll)
	ourCA, theirCA := "&sslrootcert="+ours.file("ca.crt"), "&sslrootcert="+theirs.file("ca.crt")

	const plain, encrypted = "plain", "encrypted"
	for _, c := range []struct {
		server *servers.PostgresServer
		query  string
		want   string // or what the error says
	}{
		{right, "sslmode=disable", plain},
		{right, "sslmode=allow", encrypted},
		{right, "sslmode=prefer", encrypted},
		{right, "", encrypted},
		{right, "sslmode=require", encrypted},
		{right, "sslmode=require" + ourCA, encrypted},
		{right, "sslmode=require" + theirCA, "certificate"},
		{right, "sslmode=verify-ca" + ourCA, encrypted},
		{right, "sslmode=verify-ca" + theirCA, "certificate"},
		{right, "sslmode=verify-ca", "certificate"}, // the machine's authorities do not know it
		{right, "sslmode=verify-full" + ourCA, encrypted},
		{right, "sslmode=verify-full" + theirCA, "certificate"},
		{right, "sslmode=verify-full", "certificate"},
		{right, "sslrootcert=system", "certificate"},

		{wrong, "sslmode=require", encrypted},
		{wrong, "sslmode=verify-ca" + ourCA, encrypted},
		{wrong, "sslmode=verify-full" + ourCA, "certificate"},

		{none, "sslmode=disable", plain},
		{none, "sslmode=allow", plain},
		{none, "sslmode=prefer", plain},
		{none, "", plain},
		{none, "sslmode=require", "does not offer TLS"},
		{none, "sslmode=verify-ca" + ourCA, "does not offer TLS"},
		{none, "sslmode=verify-full" + ourCA, "does not offer TLS"},
	} {
		name := map[*servers.PostgresServer]string{right: "right", wrong: "wrong", none: "none"}[c.server]
		t.Run(name+" "+strings.Split(c.query, "&")[0], func(t *testing.T) {
			err := open(t, "postgres://postgres@"+c.server.Addr()+"/postgres?"+c.query).PingContext(t.Context())
			if c.want != plain && c.want != encrypted {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want == encrypted, ask[bool](t, open(t, c.server.URL()+"&application_name=admin"),
				"SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'pgsession'"))
		})
	}
}

func TestConnector_LogsInByCertificateAndPassword(t *testing.T) {
	a := newAuthority(t, "ca")
	a.sign("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	a.sign("alice", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	server := servers.Postgres(t)
	const password = "p@ss/w?rd#1 %"
	do(t, open(t, server.URL()), "CREATE ROLE alice LOGIN", "CREATE ROLE bob LOGIN PASSWORD '"+password+"'")
	installTLS(t, server, a, "server",
		"hostssl all alice 127.0.0.1/32 cert\nhost all bob 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n")

	at := "@" + server.Addr() + "/postgres?sslmode=verify-full&sslrootcert=" + a.file("ca.crt")
	require.NoError(t, ping(t, "postgres://alice"+at+"&sslcert="+a.file("alice.crt")+"&sslkey="+a.file("alice.key")))
	require.Error(t, ping(t, "postgres://alice"+at))

	require.NoError(t, ping(t, "postgresql://"+url.UserPassword("bob", password).String()+at))
	err := ping(t, "postgres://bob:hunter2"+at)
	require.Equal(t, "28P01", pgsession.State(err))
	require.NotContains(t, err.Error(), "hunter2")
}

func TestConnector_UnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "ep")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o777)) // for the server's user
	server := servers.Postgres(t, "unix_socket_directories="+dir)
	_, port, err := net.SplitHostPort(server.Addr())
	require.NoError(t, err)
	require.NoError(t, ping(t, "postgres://postgres@/postgres?sslmode=verify-full&host="+dir+"&port="+port))
}
