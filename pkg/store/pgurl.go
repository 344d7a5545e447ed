package store

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

// endpoint is a PostgreSQL as a URL names it.
type endpoint struct {
	network, address         string
	user, password, database string
	application, searchPath  string
	connectTimeout           time.Duration // 0: not said
	tls                      tlsPolicy
}

const defaultPort = "5432"

// parsePostgresURL takes a URL apart the way libpq does, as far as it is
// supported, and refuses by name what is not: a misspelt sslmode must not
// quietly mean no TLS. No error holds any part of the URL that could be, or
// by a slip of quoting become, the password.
func parsePostgresURL(text string) (endpoint, error) {
	var e endpoint
	u, err := url.Parse(text)
	if err != nil {
		// url.Error quotes the URL, and even its cause may quote half a
		// password that was taken for a port.
		return e, errors.New("database.url is not a valid URL (a / ? # or @ in the password is written as %2F %3F %23 %40)")
	}
	switch u.Scheme {
	case "postgres", "postgresql":
	case "":
		return e, errors.New("database.url is not set to postgres://… or sqlite:PATH")
	default:
		return e, errors.New("database.url has an unknown scheme: postgres://… or sqlite:PATH")
	}
	q := u.Query()
	take := func(name string) string {
		values := q[name]
		delete(q, name)
		if len(values) == 0 {
			return ""
		}
		return values[len(values)-1]
	}

	e.user = u.User.Username()
	e.password, _ = u.User.Password()
	e.database = strings.TrimPrefix(u.Path, "/")
	if e.user == "" {
		return e, errors.New("database.url names no user")
	}
	if e.database == "" || strings.Contains(e.database, "/") {
		return e, errors.New("database.url names no database: postgres://user@host:port/NAME")
	}
	e.application = take("application_name")
	e.searchPath = take("search_path")
	if s := take("connect_timeout"); s != "" {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return e, errors.New("database.url: connect_timeout is not a number of seconds")
		}
		e.connectTimeout = time.Duration(n) * time.Second
	}

	host, port := u.Hostname(), u.Port()
	if h := take("host"); h != "" {
		host = h
	}
	if p := take("port"); p != "" {
		port = p
	}
	if host == "" {
		host = "localhost"
	}
	if strings.Contains(host, ",") {
		return e, errors.New("database.url: more than one host is not supported")
	}
	if port == "" {
		port = defaultPort
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return e, errors.New("database.url: the port is not a number from 1 to 65535")
	}
	if strings.HasPrefix(host, "/") {
		e.network, e.address = "unix", host+"/.s.PGSQL."+port
	} else {
		e.network, e.address = "tcp", net.JoinHostPort(host, port)
	}

	e.tls, err = newTLSPolicy(host, take("sslmode"), take("sslrootcert"), take("sslcert"), take("sslkey"))
	if err != nil {
		return e, fmt.Errorf("database.url: %w", err)
	}

	// What hosting providers put into the URLs they hand out, where the value
	// asks for nothing that is not done anyway.
	for _, harmless := range []struct{ name, values string }{
		{"channel_binding", "disable prefer"},
		{"gssencmode", "disable prefer"},
		{"target_session_attrs", "any"},
	} {
		if v := take(harmless.name); v != "" && !slices.Contains(strings.Fields(harmless.values), v) {
			return e, fmt.Errorf("database.url: %s=%q is not supported", harmless.name, v)
		}
	}
	for name := range q {
		return e, fmt.Errorf("database.url: the parameter %q is not supported", name)
	}
	return e, nil
}
