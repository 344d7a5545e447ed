package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/internal/connurl"
)

const defaultPort = "6379"

// urlParameters are those that redis.url may carry.
var urlParameters = []string{"client_name", "db", "dial_timeout", "protocol", "skip_verify", "write_timeout"}

// urlHints say what to do instead of a parameter that other clients of Redis
// know.
var urlHints = map[string]string{
	"ssl": hintTLS, "tls": hintTLS, "usessl": hintTLS,
	"addr": hintOneServer, "master_set": hintOneServer, "master_name": hintOneServer, "sentinel": hintOneServer,
	"ca": hintCA, "cacert": hintCA, "ca_cert": hintCA, "ssl_ca_certs": hintCA, "ssl_ca_path": hintCA, "tls_ca": hintCA, "tls_ca_file": hintCA,
	"cert": hintCert, "ssl_certfile": hintCert, "tls_cert": hintCert, "tls_cert_file": hintCert,
	"key": hintCert, "ssl_keyfile": hintCert, "tls_key": hintCert, "tls_key_file": hintCert,
	"ssl_cert_reqs": hintVerify, "ssl_check_hostname": hintVerify, "insecure": hintVerify, "verify": hintVerify, "tls_skip_verify": hintVerify,
	"user": hintCredentials, "username": hintCredentials, "password": hintCredentials, "auth": hintCredentials,
	"database":    "the number of the database is the path, redis://host:6379/1",
	"timeout":     "set redis.timeout and redis.dial_timeout",
	"max_retries": "what is repeated is not a setting", "client_cache": "nothing is cached",
}

const (
	hintTLS         = "for TLS begin the URL with rediss://"
	hintOneServer   = "name one server, neither Sentinel nor a cluster"
	hintCA          = "set redis.tls.ca"
	hintCert        = "set redis.tls.cert and redis.tls.key"
	hintVerify      = "with rediss:// the server's certificate is verified, unless skip_verify=true"
	hintCredentials = "they stand before the host, redis://user:password@host:6379/0"
)

// parseURL turns redis.url into the options of a client. It reads what
// https://github.com/redis/redis-specifications/blob/master/uri/redis.txt says
// and the parameters of urlParameters, and rejects by name what is not known: a
// misspelt wish for TLS must not mean plain text. Its errors begin with the key
// and hold no piece of the password.
func parseURL(text string) (opt rueidis.ClientOption, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("redis.url: %w", err)
		}
	}()
	u, err := connurl.Parse(text, "redis", "rediss", "unix", "valkey", "valkeys")
	if err != nil {
		return opt, err
	}
	opt.Username, opt.Password = u.User, u.Password
	if u.Scheme == "unix" {
		err = locateSocket(&opt, u)
	} else {
		err = locateServer(&opt, u)
	}
	if err != nil {
		return opt, err
	}
	if err := readParameters(&opt, u.Parameters); err != nil {
		return opt, err
	}
	return opt, u.Parameters.Reject(urlHints, urlParameters...)
}

func locateSocket(opt *rueidis.ClientOption, u connurl.URL) error {
	if u.Host != "" || u.Port != "" || strings.Trim(u.Path, "/") == "" {
		return errors.New("it names no socket: unix:// is followed by a path that begins with a slash, unix:///run/redis/redis.sock")
	}
	opt.InitAddress = []string{u.Path}
	opt.DialCtxFn = func(ctx context.Context, path string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
		return d.DialContext(ctx, "unix", path)
	}
	return nil
}

func locateServer(opt *rueidis.ClientOption, u connurl.URL) error {
	if u.Host == "" || strings.Contains(u.Host, "/") {
		return errors.New("it names no host: " + u.Scheme + "://host:6379/0")
	}
	port := u.Port
	if port == "" {
		port = defaultPort
	}
	opt.InitAddress = []string{net.JoinHostPort(u.Host, port)}
	if u.Scheme == "rediss" || u.Scheme == "valkeys" {
		opt.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Host}
	}
	if number := strings.TrimPrefix(u.Path, "/"); number != "" {
		return selectDatabase(opt, number)
	}
	return nil
}

func selectDatabase(opt *rueidis.ClientOption, text string) error {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return errors.New("the database behind the host is not a number: redis://host:6379/0")
	}
	opt.SelectDB = int(n)
	return nil
}

// readParameters takes what is known.
func readParameters(opt *rueidis.ClientOption, p connurl.Parameters) error {
	if value, ok := p.Lookup("db"); ok {
		if err := selectDatabase(opt, value); err != nil {
			return errors.New("the parameter db is not a number")
		}
	}
	for name, d := range map[string]*time.Duration{"dial_timeout": &opt.Dialer.Timeout, "write_timeout": &opt.ConnWriteTimeout} {
		value, ok := p.Lookup(name)
		if !ok {
			continue
		}
		var err error
		if *d, err = time.ParseDuration(value); err != nil || *d < minTimeout || *d > maxTimeout {
			return fmt.Errorf("the parameter %s is not a duration of 10ms to 1m, such as 2s", name)
		}
	}
	opt.ClientName = p.Take("client_name")
	switch p.Take("protocol") {
	case "2":
		opt.AlwaysRESP2 = true
	case "3", "":
	default:
		return errors.New("the parameter protocol is neither 2 nor 3")
	}
	return readVerify(opt, p)
}

// readVerify reads skip_verify. It encrypts without knowing for whom: whoever
// sits between here and Redis can read along, password included.
func readVerify(opt *rueidis.ClientOption, p connurl.Parameters) error {
	value, ok := p.Lookup("skip_verify")
	if !ok {
		return nil
	}
	skip, err := strconv.ParseBool(value)
	switch {
	case err != nil:
		return errors.New("the parameter skip_verify is neither true nor false")
	case opt.TLSConfig == nil:
		return errors.New("the parameter skip_verify goes with TLS: begin the URL with rediss://")
	}
	opt.TLSConfig.InsecureSkipVerify = skip
	return nil
}
