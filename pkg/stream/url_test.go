package stream

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

func TestParseURL_ReadsEveryPart(t *testing.T) {
	opt, err := parseURL("rediss://user:p%40ss@host:7000/3?client_name=me&dial_timeout=3s&write_timeout=4s&protocol=2")
	require.NoError(t, err)
	require.Equal(t, []string{"host:7000"}, opt.InitAddress)
	require.NotNil(t, opt.TLSConfig)
	require.Equal(t, "host", opt.TLSConfig.ServerName)
	require.False(t, opt.TLSConfig.InsecureSkipVerify)
	require.Equal(t, []any{"user", "p@ss", 3, "me"}, []any{opt.Username, opt.Password, opt.SelectDB, opt.ClientName})
	require.Equal(t, []time.Duration{3 * time.Second, 4 * time.Second}, []time.Duration{opt.Dialer.Timeout, opt.ConnWriteTimeout})
	require.True(t, opt.AlwaysRESP2)
}

func TestParseURL_ReadsWhatIsWritten(t *testing.T) {
	for url, want := range map[string]string{
		"redis://h":                      "h:6379 0",
		"redis://h/":                     "h:6379 0",
		"redis://h:6379/":                "h:6379 0",
		"redis://h:6379?db=2&protocol=3": "h:6379 2",
		"\t redis://h:1/4\r\n":           "h:1 4",
		"REDIS://h:1":                    "h:1 0",
		"valkey://u:p^|p@[::1]:1":        "[::1]:1 0 u p^|p",
		"redis://u:a:b@c@h":              "h:6379 0 u a:b@c",
		"valkeys://h":                    "h:6379 0 TLS",
		"rediss://[::1]":                 "[::1]:6379 0 TLS",
		"rediss://h?skip_verify=true":    "h:6379 0 TLS unverified",
		"rediss://h?skip_verify=0":       "h:6379 0 TLS",
		"unix:///run/redis.sock\n":       "/run/redis.sock 0",
		"unix://u:p@/run/s?db=3":         "/run/s 3 u p",
	} {
		opt, err := parseURL(url)
		require.NoError(t, err, url)
		require.Equal(t, want, describe(opt), url)
	}
}

// describe returns what a test wants to see of opt.
func describe(opt rueidis.ClientOption) string {
	text := fmt.Sprint(opt.InitAddress[0], " ", opt.SelectDB)
	if opt.Password != "" {
		text += " " + opt.Username + " " + opt.Password
	}
	if opt.TLSConfig != nil {
		text += " TLS"
		if opt.TLSConfig.InsecureSkipVerify {
			text += " unverified"
		}
	}
	return text
}

func TestParseURL_RejectsByNameAndKeepsThePassword(t *testing.T) {
	for url, says := range map[string]string{
		"":                                         "it is empty",
		"hunter2":                                  "it has no scheme: it begins with redis://",
		"localhost:6379":                           "it has no scheme: it begins with redis://",
		"http://:hunter2@host":                     "its scheme is unknown",
		"redis+sentinel://:hunter2@host":           "its scheme is unknown",
		"redis://:hunter2/x@host:6379/0":           "%2F",
		"redis://:hunter2%zz@host":                 "does not begin a percent-encoding",
		"redis://:1/hunter2@host:6379/0":           "%2F",
		"redis://:hunter2@host:6379/hunter2":       "the database behind the host is not a number",
		"redis://:hunter2@host:6379/-1":            "the database behind the host is not a number",
		"redis://:hunter2@host:6379/0/hunter2":     "the database behind the host is not a number",
		"redis://:hunter2@host:port":               "the port is not a number",
		"redis://:hunter2@h1,h2":                   "several hosts",
		"redis://h1:1,h2:2":                        "several hosts",
		"redis://":                                 "it names no host",
		"redis://:hunter2@:6379":                   "it names no host",
		"redis:///0":                               "it names no host",
		"redis://%2Frun%2Fredis.sock":              "it names no host",
		"unix://":                                  "it names no socket",
		"unix://run/redis.sock":                    "it names no socket",
		"redis://:hunter2@host?db=hunter2":         "the parameter db is not a number",
		"redis://:hunter2@host?dial_timeout=abc":   "the parameter dial_timeout is not a duration",
		"redis://:hunter2@host?dial_timeout=-1s":   "the parameter dial_timeout is not a duration",
		"redis://:hunter2@host?write_timeout=5":    "the parameter write_timeout is not a duration",
		"redis://:hunter2@host?dial_timout=abc":    `the parameter "dial_timout" is not supported: there are client_name, db, dial_timeout, protocol`,
		"redis://:hunter2@host?ssl=true":           `the parameter "ssl" is not supported: for TLS begin the URL with rediss://`,
		"redis://:hunter2@host?TLS":                `the parameter "TLS" is not supported: for TLS begin the URL with rediss://`,
		"rediss://:hunter2@host?cacert=/ca":        `the parameter "cacert" is not supported: set redis.tls.ca`,
		"rediss://:hunter2@host?ssl_cert_reqs=no":  `the parameter "ssl_cert_reqs" is not supported: with rediss:// the server's certificate is verified`,
		"redis://host?password=hunter2":            `the parameter "password" is not supported: they stand before the host`,
		"redis://:hunter2@host?addr=hunter2":       `the parameter "addr" is not supported: name one server`,
		"redis://:hunter2@host?master_set=hunter2": `the parameter "master_set" is not supported: name one server`,
		"redis://:hunter2@host?protocol=4":         "the parameter protocol is neither 2 nor 3",
		"redis://:hunter2@host?skip_verify=true":   "goes with TLS: begin the URL with rediss://",
		"rediss://:hunter2@host?skip_verify=yes":   "the parameter skip_verify is neither true nor false",
	} {
		cfg := DefaultRedisConfig()
		cfg.URL = url
		err := cfg.Validate()
		require.ErrorContains(t, err, "redis.url: ", url)
		require.ErrorContains(t, err, says, url)
		require.NotContains(t, err.Error(), "hunter2", url)
		_, err = Open(cfg, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, says, "Open checks for itself")
	}
}
