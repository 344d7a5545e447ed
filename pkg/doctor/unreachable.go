package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// SettingError says that nothing could be asked because a setting is wrong.
type SettingError struct {
	// Setting is its key, "redis.url".
	Setting string
	Err     error
}

// Error implements error.
func (e *SettingError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *SettingError) Unwrap() error { return e.Err }

func redisUnreachable(info stream.Info, err error) (found findings) {
	found.problem("redis.reachable", fmt.Sprintf("Redis at %s: %v", info.Address, err), redisRemedy(err))
	return found
}

func databaseUnreachable(info store.Info, err error) (found findings) {
	remedy := databaseRemedy(err)
	if info.SQLite && errors.Is(err, fs.ErrNotExist) {
		remedy = "create it: eventpulse migrate up; or correct the path in database.url"
	}
	found.problem("database.reachable", fmt.Sprintf("database at %s: %v", info.Address, err), remedy)
	return found
}

// redisRemedy says what to do about a Redis that cannot be asked, by the first
// word of its reply: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
func redisRemedy(err error) string {
	const url = "redis.url"
	if remedy := connectionRemedy(err, url); remedy != "" {
		return remedy
	}
	switch codeOf(err) {
	case "NOAUTH", "WRONGPASS":
		return "put the user and the password into redis.url: redis://user:password@host:6379/0"
	case "NOPERM":
		return "allow this user to connect and to ask: redis-cli ACL SETUSER NAME +@connection +time +info '+config|get'"
	case "DENIED":
		return "give Redis a password (requirepass), or set protected-mode no where only trusted machines reach it"
	case "LOADING":
		return "wait: it reads its data after a start"
	case "BUSY":
		return "wait, or end what it is busy with: redis-cli SCRIPT KILL"
	}
	// What follows ERR is text only.
	switch text := err.Error(); {
	case strings.Contains(text, "DB index is out of range"):
		return "use a database number that the server has: end redis.url with /0"
	case strings.Contains(text, "max number of clients reached"):
		return "raise maxclients in redis.conf, or close connections that are not needed (redis-cli CLIENT LIST)"
	}
	return "see the server's log"
}

// databaseRemedy says what to do about a database that cannot be asked, by its
// SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
func databaseRemedy(err error) string {
	const url = "database.url"
	switch code := codeOf(err); {
	case strings.HasPrefix(code, "28"):
		return "correct the user, the password or the client certificate in database.url, and check pg_hba.conf"
	case strings.HasPrefix(code, "3D"):
		return "create the database (createdb NAME), or correct its name in database.url"
	case code == "53300":
		return "raise max_connections, or lower database.max_connections of the other processes"
	case code == "57P03":
		return "wait: it is starting up or shutting down"
	case strings.HasPrefix(code, "08"):
		return "correct database.url: what answers there, such as a pooler, does not accept this connection; see its log"
	case code != "":
		return "see the server's log"
	}
	if remedy := connectionRemedy(err, url); remedy != "" {
		return remedy
	}
	return "correct database.url, and see the server's log"
}

// connectionRemedy says what to do about an error of the connection itself, ""
// when err is another. Setting is the key of the URL.
func connectionRemedy(err error, setting string) string {
	if e, ok := errors.AsType[*SettingError](err); ok {
		return "correct " + e.Setting
	}
	if remedy := certificateRemedy(err, setting); remedy != "" {
		return remedy
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "correct the host in " + setting + ", or the name service of this machine"
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "start it, or correct the host and the port in " + setting
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "correct the host in " + setting + ", or the route to it"
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EACCES):
		return "start it, correct the path in " + setting + ", or give this user the permission for it"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		// Also what is left of an alert when the server was quicker to close.
		return "check that the port is the right one, that " + setting + " asks for TLS exactly where the server speaks it, and whether it wants a certificate of this client (" + clientCertificates(setting) + "); see the server's log"
	}
	if isTimeout(err) {
		return "see whether it hangs or is overloaded; check that no firewall between here and there drops packets, and that " + setting + " asks for TLS exactly where the server speaks it"
	}
	return ""
}

// certificateRemedy says what to do about an error of TLS, "" when err is
// another.
func certificateRemedy(err error, setting string) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "trust the authority that signed the server's certificate: name its file in " + authoritySetting(setting) + ", or install it on this machine (update-ca-certificates)"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "name the server in " + setting + " by a host that its certificate is for, or have a certificate issued for this one"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if e.Reason == x509.Expired {
			return "renew the server's certificate, and check the clock of this machine"
		}
		return "have a valid certificate issued for the server"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "ask for no TLS in " + setting + ": the server does not speak it at this port"
	}
	// An alert of the server has no type of its own in crypto/tls.
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "remote error" {
		if text := e.Err.Error(); strings.Contains(text, "certificate required") || strings.Contains(text, "bad certificate") || strings.Contains(text, "handshake failure") {
			return "the server wants a certificate of this client that it trusts: " + clientCertificates(setting)
		}
		return "see the server's log: it broke off TLS"
	}
	return ""
}

// clientCertificates says where this client's certificate is named, and where a
// server is told to ask for one.
func clientCertificates(setting string) string {
	if setting == "redis.url" {
		return "redis.tls.cert and redis.tls.key here, or tls-auth-clients no in redis.conf"
	}
	return "sslcert and sslkey in database.url, or clientcert in pg_hba.conf"
}

// authoritySetting is where the authority of a server is named.
func authoritySetting(setting string) string {
	if setting == "redis.url" {
		return "redis.tls.ca"
	}
	return "the parameter sslrootcert of " + setting
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*event.Error](err); ok {
		return e.Code
	}
	return ""
}
