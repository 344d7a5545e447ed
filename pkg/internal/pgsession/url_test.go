package pgsession_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/internal/pgsession"
)

func TestParseURL(t *testing.T) {
	e, err := pgsession.ParseURL("postgresql://bob:p%40ss@[::1]:6543/db?sslmode=require&connect_timeout=3&application_name=x+y&search_path=a,b")
	require.NoError(t, err)
	require.Equal(t, "tcp", e.Network)
	require.Equal(t, "[::1]:6543", e.Address)
	require.Equal(t, []string{"bob", "p@ss", "db", "x y", "a,b"}, []string{e.User, e.Password, e.Database, e.ApplicationName, e.SearchPath})
	require.Equal(t, 3*time.Second, e.ConnectTimeout)

	for url, want := range map[string]string{
		"postgres://u@h/db":                          "h:5432",
		"postgres://u:p^|@h/db":                      "h:5432",
		"postgres://u@%2Frun%2Fpostgresql/db":        "/run/postgresql/.s.PGSQL.5432",
		"postgres://u@/db":                           "localhost:5432",
		"postgres://u@/db?host=/run/postgresql":      "/run/postgresql/.s.PGSQL.5432",
		"postgres://u@h/db?host=other&port=1&port=2": "other:2",
		"postgres://u@h/db?channel_binding=prefer&gssencmode=disable&target_session_attrs=any": "h:5432",
	} {
		e, err := pgsession.ParseURL(url)
		require.NoError(t, err, url)
		require.Equal(t, want, e.Address, url)
	}
}

func TestParseURL_DropsWhiteSpaceAroundIt(t *testing.T) {
	e, err := pgsession.ParseURL(" postgres://u:p@h/db" + "\r\n")
	require.NoError(t, err)
	require.Equal(t, []string{"p", "db"}, []string{e.Password, e.Database})
}

func TestParseURL_RejectsByNameAndKeepsThePassword(t *testing.T) {
	for url, says := range map[string]string{
		"mysql://u:hunter2@h/db":                                                 "its scheme is unknown: it begins with postgres:// or postgresql://",
		"postgres://u:hun/ter2hunter2@h/db":                                      "%2F",
		"postgres://u:hunter2%zz@h/db":                                           "does not begin a percent-encoding",
		"postgres://u:hunter2@h:port/db":                                         "the port is not a number",
		"postgres://u:hunter2@a:1,b:2/db":                                        "several hosts",
		"postgres://u:hunter2@h/db?host=a,b":                                     "several hosts",
		"":                                                                       "it is empty",
		"u:hunter2@h:5432/db":                                                    "it has no scheme",
		"host=h user=u password=hunter2":                                         "it has no scheme",
		"\"postgres://u:hunter2@h/db\"":                                          "quotation mark",
		"postgres://u:hunter2 3@h/db":                                            "white space",
		"postgres://u:a@hunter2?hunter2=1@h/db":                                  "%3F",
		"postgres://u:hunter2@::1/db":                                            "brackets",
		"postgres://u:hunter2@h/db?ssl=true":                                     `the parameter "ssl" is not supported: there is sslmode`,
		"postgres://u@h/db?password=hunter2":                                     `the parameter "password" is not supported: they stand before the host`,
		"postgres://u:hunter2@h/db?conect_timeout=3":                             `the parameter "conect_timeout" is not supported: there are application_name, connect_timeout`,
		"postgres://u:hunter2@h/db?port=x":                                       "the port is not a number",
		"postgres://u:hunter2@h:0/db":                                            "the port",
		"postgres://u:hunter2@h:65536/db":                                        "the port",
		"postgres://h/db":                                                        "names no user",
		"postgres://u:hunter2@h":                                                 "names no database",
		"postgres://u:hunter2@h/":                                                "names no database",
		"postgres://u:hunter2@h/a/b":                                             "names no database",
		"postgres://u:hunter2@h/db?sslmode=verify_full":                          `sslmode="verify_full" is unknown`,
		"postgres://u:hunter2@h/db?sslmod=verify-full":                           `the parameter "sslmod" is not supported`,
		"postgres://u:hunter2@h/db?sslmode=verify-ca&sslrootcert=/no/such":       "sslrootcert:",
		"postgres://u:hunter2@h/db?sslmode=verify-ca&sslrootcert=tls_test.go":    "holds no certificate",
		"postgres://u:hunter2@h/db?sslmode=require&sslrootcert=system":           "sslrootcert=system goes with sslmode=verify-full",
		"postgres://u:hunter2@h/db?sslcert=x":                                    "sslcert and sslkey go together",
		"postgres://u:hunter2@h/db?channel_binding=require":                      `channel_binding="require" is not supported`,
		"postgres://u:hunter2@h/db?connect_timeout=soon":                         "connect_timeout is not a number of seconds",
		"postgres://u:hunter2@h/db?application_name=a%00search_path%00elsewhere": "zero byte",
	} {
		_, err := pgsession.ParseURL(url)
		require.ErrorContains(t, err, says, url)
		require.NotContains(t, err.Error(), "hun", url)
	}
}
