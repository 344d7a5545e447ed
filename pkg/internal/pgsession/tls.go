package pgsession

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// TLSPolicy says whether a connection is encrypted and who may be at its
// other end. The zero value is a connection that never is.
type TLSPolicy struct {
	config   *tls.Config // nil: never encrypted
	required bool        // false: a server without TLS will do
}

// newTLSPolicy understands the sslmode of libpq
// (https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION):
//
//	disable      no TLS
//	allow        as prefer: what is offered is taken
//	prefer, ""   TLS when the server has it, with any certificate
//	require      TLS with any certificate; as verify-ca when sslrootcert is given
//	verify-ca    a certificate from sslrootcert, for whatever name
//	verify-full  a certificate from sslrootcert for the host of the URL
//
// Without sslrootcert, or with "system", the machine's own authorities count.
// Over a Unix socket there is never TLS.
func newTLSPolicy(host, mode, rootCert, cert, key string) (TLSPolicy, error) {
	if rootCert == "system" {
		// Everybody can get a certificate from a public authority; only
		// together with the name does it prove anything.
		if mode != "" && mode != "verify-full" {
			return TLSPolicy{}, fmt.Errorf("sslrootcert=system goes with sslmode=verify-full, not with %q", mode)
		}
		mode, rootCert = "verify-full", ""
	}
	if mode == "require" && rootCert != "" {
		mode = "verify-ca"
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if net.ParseIP(host) == nil && host != "" && host[0] == '/' {
		mode = "disable"
	}
	var required bool
	switch mode {
	case "disable":
		return TLSPolicy{}, nil
	case "", "allow", "prefer":
		config.InsecureSkipVerify = true
	case "require":
		required, config.InsecureSkipVerify = true, true
	case "verify-ca":
		// crypto/tls has no switch for "the chain, but not the name": its
		// own check is turned off and the chain checked here.
		required, config.InsecureSkipVerify = true, true
		config.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, config.RootCAs) }
	case "verify-full":
		required = true
	default:
		return TLSPolicy{}, fmt.Errorf("sslmode=%q is unknown: disable, allow, prefer, require, verify-ca or verify-full", mode)
	}
	if rootCert != "" {
		pem, err := os.ReadFile(rootCert)
		if err != nil {
			return TLSPolicy{}, fmt.Errorf("sslrootcert: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return TLSPolicy{}, fmt.Errorf("sslrootcert: %s holds no certificate", rootCert)
		}
	}
	if (cert == "") != (key == "") {
		return TLSPolicy{}, errors.New("sslcert and sslkey go together")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return TLSPolicy{}, fmt.Errorf("sslcert and sslkey: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return TLSPolicy{config: config, required: required}, nil
}

func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	intermediates := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
	return err
}

// errNoTLS says that the server does not do what the policy requires.
var errNoTLS = errors.New("the server does not offer TLS, which sslmode requires")

// negotiate asks the server at the other end of conn for TLS
// (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL).
// It is done here and not by the driver, which cannot go on without TLS when the
// server has none. The one byte of answer is read without a buffer: whatever an
// attacker sends behind it meets the handshake, not the driver
// (https://www.postgresql.org/support/security/CVE-2021-23222/).
func (p TLSPolicy) negotiate(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if p.config == nil {
		return conn, nil
	}
	const sslRequest = 80877103
	request := binary.BigEndian.AppendUint32(nil, 8)
	request = binary.BigEndian.AppendUint32(request, sslRequest)
	if _, err := conn.Write(request); err != nil {
		return nil, fmt.Errorf("ask for TLS: %w", err)
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return nil, fmt.Errorf("ask for TLS: %w", err)
	}
	switch {
	case answer[0] == 'S':
		secure := tls.Client(conn, p.config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("TLS handshake: %w", err)
		}
		return secure, nil
	case p.required:
		return nil, errNoTLS
	case answer[0] == 'N':
		return conn, nil
	default:
		return nil, fmt.Errorf("ask for TLS: answered %q, not PostgreSQL", answer[0])
	}
}
