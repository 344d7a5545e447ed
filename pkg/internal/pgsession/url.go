package pgsession

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
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

// ParseURL takes a connection URL apart as libpq does, as far as it is
// supported, and rejects by name what is not: a misspelt sslmode must not
// quietly mean no TLS. No error holds any part of the URL that could be, or
// by a slip of quoting become, the password.
//
//	postgres://user:password@host:port/database?name=value&…
//
// The parameters are those of
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS :
// application_name, connect_timeout, host, port, sslcert, sslkey, sslmode,
// sslrootcert, and search_path.
func ParseURL(text string) (Endpoint, error) {
	var e Endpoint
	u, err := url.Parse(text)
	if err != nil {
		// url.Error quotes the URL, and even its cause may quote half a
		// password that was taken for a port.
		return e, errors.New("not a valid URL (a / ? # or @ in the password is written as %2F %3F %23 %40)")
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return e, errors.New("the URL does not begin with postgres://")
	}
	parameters := parameters(u.Query())

	e.User = u.User.Username()
	e.Password, _ = u.User.Password()
	e.Database = strings.TrimPrefix(u.Path, "/")
	if e.User == "" {
		return e, errors.New("the URL names no user")
	}
	if e.Database == "" || strings.Contains(e.Database, "/") {
		return e, errors.New("the URL names no database: postgres://user@host:port/NAME")
	}
	e.ApplicationName = parameters.take("application_name")
	e.SearchPath = parameters.take("search_path")
	for _, s := range []string{e.User, e.Password, e.Database, e.ApplicationName, e.SearchPath} {
		// It would end the parameter in the start-up message and begin another.
		if strings.ContainsRune(s, 0) {
			return e, errors.New("the URL holds a zero byte")
		}
	}
	if s := parameters.take("connect_timeout"); s != "" {
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
	e.TLS, err = newTLSPolicy(host, parameters.take("sslmode"), parameters.take("sslrootcert"),
		parameters.take("sslcert"), parameters.take("sslkey"))
	if err != nil {
		return e, err
	}
	return e, parameters.rejectRest()
}

// locate sets where the server is, and returns its host.
func (e *Endpoint) locate(u *url.URL, p parameters) (host string, err error) {
	host, port := u.Hostname(), u.Port()
	if h := p.take("host"); h != "" {
		host = h
	}
	if n := p.take("port"); n != "" {
		port = n
	}
	if host == "" {
		host = "localhost"
	}
	if strings.Contains(host, ",") {
		return "", errors.New("more than one host is not supported")
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

// parameters are those of a URL that nobody has taken yet.
type parameters url.Values

// take removes a parameter and returns its value, "" when it is not there. As
// in libpq, the last of several counts.
func (p parameters) take(name string) string {
	values := p[name]
	delete(p, name)
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// rejectRest lets pass what hosting providers put into the URLs they give,
// where the value asks for nothing that is not done anyway.
func (p parameters) rejectRest() error {
	for _, harmless := range []struct{ name, values string }{
		{"channel_binding", "disable prefer"},
		{"gssencmode", "disable prefer"},
		{"target_session_attrs", "any"},
	} {
		if v := p.take(harmless.name); v != "" && !slices.Contains(strings.Fields(harmless.values), v) {
			return fmt.Errorf("%s=%q is not supported", harmless.name, v)
		}
	}
	for name := range p {
		return fmt.Errorf("the parameter %q is not supported", name)
	}
	return nil
}
