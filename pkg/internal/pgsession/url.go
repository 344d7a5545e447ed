package pgsession

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/pkg/internal/connurl"
)

// Endpoint is a PostgreSQL server and how to log in to it.
type Endpoint struct {
	// Network is tcp or unix, Address host:port or the path of the socket.
	Network, Address         string
	User, Password, Database string
	// ApplicationName and SearchPath are settings of the session, "" for the
	// server's own.
	ApplicationName, SearchPath string
	// ConnectTimeout is 0 where the URL does not say.
	ConnectTimeout time.Duration
	TLS            TLSPolicy
}

const defaultPort = "5432"

// urlParameters are those that a URL may carry. Their meaning is that of
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS .
var urlParameters = []string{
	"application_name", "connect_timeout", "host", "port", "search_path", "sslcert", "sslkey", "sslmode", "sslrootcert",
}

// urlHints say what to do instead of a parameter that other clients of
// PostgreSQL know.
var urlHints = map[string]string{
	"ssl": hintTLS, "tls": hintTLS, "usessl": hintTLS, "requiressl": hintTLS, "sslverify": hintTLS,
	"sslca": hintCA, "ca": hintCA, "cacert": hintCA, "sslcacert": hintCA,
	"user": hintCredentials, "username": hintCredentials, "password": hintCredentials, "passfile": hintCredentials,
	"dbname": "it is the path, postgres://user@host:5432/dbname", "database": "it is the path, postgres://user@host:5432/database",
	"timeout": "there is connect_timeout, in seconds", "schema": "there is search_path", "currentschema": "there is search_path",
	"options": "of the settings of a session there is search_path; set others with ALTER ROLE … SET",
}

const (
	hintTLS         = "there is sslmode, such as sslmode=verify-full"
	hintCA          = "there is sslrootcert"
	hintCredentials = "they stand before the host, postgres://user:password@host:5432/database"
)

// ParseURL takes a connection URL apart as libpq does, as far as it is
// supported, and rejects by name what is not: a misspelt sslmode must not
// quietly mean no TLS. No error holds any part of the URL that could be, or
// by a slip of quoting become, the password.
//
//	postgres://user:password@host:port/database?name=value&…
func ParseURL(text string) (Endpoint, error) {
	var e Endpoint
	u, err := connurl.Parse(text, "postgres", "postgresql")
	if err != nil {
		return e, err
	}
	parameters := u.Parameters

	e.User, e.Password = u.User, u.Password
	e.Database = strings.TrimPrefix(u.Path, "/")
	if e.User == "" {
		return e, errors.New("it names no user: postgres://USER@host:port/database")
	}
	if e.Database == "" || strings.Contains(e.Database, "/") {
		return e, errors.New("it names no database: postgres://user@host:port/NAME")
	}
	e.ApplicationName = parameters.Take("application_name")
	e.SearchPath = parameters.Take("search_path")
	for _, s := range []string{e.User, e.Password, e.Database, e.ApplicationName, e.SearchPath} {
		// It would end the parameter in the start-up message and begin another.
		if strings.ContainsRune(s, 0) {
			return e, errors.New("it holds a zero byte")
		}
	}
	if s := parameters.Take("connect_timeout"); s != "" {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return e, errors.New("connect_timeout is not a number of seconds")
		}
		e.ConnectTimeout = time.Duration(n) * time.Second
	}
	host, err := e.locate(u, parameters)
	if err != nil {
		return e, err
	}
	e.TLS, err = newTLSPolicy(host, parameters.Take("sslmode"), parameters.Take("sslrootcert"),
		parameters.Take("sslcert"), parameters.Take("sslkey"))
	if err != nil {
		return e, err
	}
	return e, rejectRest(parameters)
}

// locate sets where the server is, and returns its host.
func (e *Endpoint) locate(u connurl.URL, p connurl.Parameters) (host string, err error) {
	host, port := u.Host, u.Port
	if h := p.Take("host"); h != "" {
		host = h
	}
	if n := p.Take("port"); n != "" {
		port = n
	}
	if host == "" {
		host = "localhost"
	}
	if strings.Contains(host, ",") {
		return "", errors.New("it names several hosts, which is not supported: name one")
	}
	if port == "" {
		port = defaultPort
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("the port is not a number from 1 to 65535")
	}
	if strings.HasPrefix(host, "/") {
		e.Network, e.Address = "unix", host+"/.s.PGSQL."+port
	} else {
		e.Network, e.Address = "tcp", net.JoinHostPort(host, port)
	}
	return host, nil
}

// rejectRest lets pass what hosting providers put into the URLs they give,
// where the value asks for nothing that is not done anyway.
func rejectRest(p connurl.Parameters) error {
	for _, harmless := range []struct{ name, values string }{
		{"channel_binding", "disable prefer"},
		{"gssencmode", "disable prefer"},
		{"target_session_attrs", "any"},
	} {
		if v := p.Take(harmless.name); v != "" && !slices.Contains(strings.Fields(harmless.values), v) {
			return fmt.Errorf("%s=%q is not supported", harmless.name, v)
		}
	}
	return p.Reject(urlHints, urlParameters...)
}
